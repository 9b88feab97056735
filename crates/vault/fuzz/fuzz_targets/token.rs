//! No text makes the parser panic, a token has one spelling, and none that was not sealed here opens.
#![no_main]

use std::sync::LazyLock;

use insightpulse_domain::{Kind, RawEndpoint};
use insightpulse_vault::{Binding, Field, Keyring, SealedToken};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

/// The key's name is the one that the corpus begins with; nobody has its bytes.
static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    let key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    Keyring::parse(&format!("primary = \"k-1\"\n[keys]\nk-1 = \"{key}\"\n").into()).expect("a keyring")
});

static BINDING: LazyLock<Binding> = LazyLock::new(|| {
    let endpoint = RawEndpoint {
        id: 1,
        record: Uuid::from_u128(2),
        revision: 1,
        name: "Books".into(),
        kind: Kind::Postgresql,
        base_url: Some("db.example.com".into()),
        port: Some(5432),
        tls_mode: None,
        username: Some("reader".into()),
        database_name: None,
        password: None,
        api_key: None,
    };
    Binding::of(Uuid::from_u128(1), &endpoint, Field::Password)
});

fuzz_target!(|text: &str| {
    if let Ok(token) = text.parse::<SealedToken>() {
        assert_eq!(token.to_string(), text);
        assert!(KEYRING.open(&token, &*BINDING).is_err());
    }
});
