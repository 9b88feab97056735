//! No message of a MongoDB server makes a parser panic.
#![no_main]

use insightpulse_probe::parsers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| parsers::mongodb_message(bytes));
