//! No message of a PostgreSQL server, and no first message of its SCRAM, makes a parser panic.
#![no_main]

use insightpulse_probe::parsers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    parsers::postgresql_message(bytes);
    if let Some(first) = parsers::scram_first(bytes) {
        assert!(!first.salt.is_empty());
    }
});
