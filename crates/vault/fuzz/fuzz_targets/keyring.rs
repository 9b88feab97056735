//! No text makes the keyring's parser panic, and what it takes it writes and takes again.
#![no_main]

use insightpulse_vault::Keyring;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(keyring) = Keyring::parse(&text.into()) {
        let again = Keyring::parse(&keyring.to_text()).expect("what it has written");
        assert_eq!(again.primary(), keyring.primary());
        assert!(again.ids().eq(keyring.ids()));
    }
});
