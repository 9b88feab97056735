//! No text makes the parser panic, a token has one spelling, and none that was not sealed here opens.
#![no_main]

use std::sync::LazyLock;

use insightpulse_vault::{Keyring, PairingBinding, SealedToken};
use libfuzzer_sys::fuzz_target;
use uuid::Uuid;

/// The key's name is the one that the corpus begins with; nobody has its bytes.
static KEYRING: LazyLock<Keyring> = LazyLock::new(|| {
    let key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    Keyring::parse(&format!("primary = \"k-1\"\n[keys]\nk-1 = \"{key}\"\n").into()).expect("a keyring")
});

fuzz_target!(|text: &str| {
    if let Ok(token) = text.parse::<SealedToken>() {
        assert_eq!(token.to_string(), text);
        // Any binding will do: nothing was sealed.
        let binding = PairingBinding {
            database: Uuid::nil(),
            odoo_url: "https://odoo.example".into(),
        };
        assert!(KEYRING.open(&token, &binding).is_err());
    }
});
