//! The encoders: one for each place that a value is written into.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// RFC 3986, section 2.3: what stands for itself everywhere in a URI.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One part of a URI: a user name, a database, a parameter's value.
pub fn uri_part(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// The value of a line in a `.env` file, in a spelling that `sh`, python-dotenv,
/// Node's dotenv and Compose all read as this text; `None` where there is none.
///
/// Bare where nobody interprets a character; else in single quotes, in which
/// python-dotenv alone reads `\\` and `\'` as escapes and expands `${…}`; else in
/// double quotes, where each reader has escapes of its own and agrees with the
/// others only on a text without any. Node's dotenv reads `\r\n` as `\n`.
pub fn dotenv(text: &str) -> Option<String> {
    let bare = |c: char| c.is_ascii_alphanumeric() || "-._~:/@%+,[]?=".contains(c);
    if !text.is_empty() && text.chars().all(bare) {
        return Some(text.to_owned());
    }
    if text.contains(['\0', '\r']) {
        return None;
    }
    let is_escaped = text.contains("\\\\") || text.ends_with('\\');
    if !text.contains('\'') && !is_escaped && !text.contains("${") {
        return Some(format!("'{text}'"));
    }
    (!text.contains(['"', '\\', '$', '`'])).then(|| format!("\"{text}\""))
}

/// A double-quoted scalar of YAML 1.2 (section 5.7), which Compose reads, so a
/// `$` is doubled:
/// <https://docs.docker.com/reference/compose-file/interpolation/>
pub fn compose_scalar(text: &str) -> String {
    let mut quoted = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '$' => quoted.push_str("$$"),
            '\n' => quoted.push_str("\\n"),
            other if breaks_line(other) => quoted.push_str(&format!("\\u{:04x}", u32::from(other))),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}

/// What stands for itself in a YAML list of `NAME=value` texts.
pub fn compose_entry(name: &str, value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/@%+?&=".contains(c);
    let entry = format!("{name}={value}");
    // A plain scalar must not end in `:`, which would begin a mapping.
    if entry.chars().all(plain) && !entry.ends_with(':') {
        entry
    } else {
        compose_scalar(&entry)
    }
}

/// A comment's text: one line, in the order in which it is written.
pub fn comment(text: &str) -> String {
    text.chars()
        .map(|character| if breaks_line(character) { ' ' } else { character })
        .collect()
}

/// Ends a line for some reader (YAML 1.1 has U+2028 and U+2029), reorders it for the eye,
/// or is not printable in YAML (1.2, section 5.1).
fn breaks_line(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_escapes() {
        assert_eq!(uri_part("a b@c:d/é%"), "a%20b%40c%3Ad%2F%C3%A9%25");
        assert_eq!(dotenv("plain-1.2").as_deref(), Some("plain-1.2"));
        assert_eq!(dotenv("a $b #c").as_deref(), Some("'a $b #c'"));
        assert_eq!(dotenv("a&b").as_deref(), Some("'a&b'"));
        assert_eq!(dotenv("it's").as_deref(), Some("\"it's\""));
        assert_eq!(dotenv("").as_deref(), Some("''"));
        for ambiguous in ["it's $5", "a\\\\b", "a\\", "${HOME}", "a\rb"] {
            assert_eq!(dotenv(ambiguous), None, "{ambiguous}");
        }
        assert_eq!(compose_entry("A", "x$y"), "\"A=x$$y\"");
        assert_eq!(compose_entry("A", "http://x"), "A=http://x");
        assert_eq!(compose_scalar("a\"b\\\n"), "\"a\\\"b\\\\\\n\"");
        assert_eq!(comment("a\nB=1"), "a B=1");
        assert_eq!(comment("a\u{2028}- B=1\u{2029}#"), "a - B=1 #");
        assert_eq!(compose_scalar("a\u{2028}b"), "\"a\\u2028b\"");
    }
}
