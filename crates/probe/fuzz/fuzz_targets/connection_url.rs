//! No URL makes the parser panic, what it reads is an endpoint or says why not, and no complaint has the password.
#![no_main]

use insightpulse_domain::{Connection, Endpoint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(connection) = Connection::parse(text) {
        let _ = Endpoint::parse(&connection.raw);
    }
    // Nothing that is read by chance: digits and hyphens are in no message.
    let secret = "7-40-9184-3";
    let with_secret = format!("postgresql://user:{secret}@{text}");
    if let Err(error) = Connection::parse(&with_secret) {
        assert!(!error.to_string().contains(secret), "{error}");
    }
});
