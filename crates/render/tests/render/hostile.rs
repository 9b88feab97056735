//! Values that mean something to one reader or another.

use std::sync::LazyLock;

use proptest::prelude::*;

/// What a format's readers are most likely to take for something else.
static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../../tests/formats/hostile_words.json"))
        .expect("a list of texts")
});

pub fn hostile() -> impl Strategy<Value = String> {
    let word = || prop::sample::select(WORDS.as_slice());
    prop_oneof![
        2 => word(),
        3 => prop::collection::vec(prop_oneof![word(), "[ -~]{1,4}", "\\PC{1,2}"], 1..6).prop_map(|parts| parts.concat()),
        3 => r#"['"\\$`{}#&;@:/?%=,!*|<>()~^+. \[\]-]{1,16}"#,
        2 => "[ -~]{1,32}",
        2 => any::<String>(),
        1 => r#"[a-z'"\\$ :@]{10000}"#,
    ]
    .prop_map(|text| text.replace('\0', ""))
}
