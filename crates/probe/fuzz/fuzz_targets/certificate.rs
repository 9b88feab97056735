//! No certificate makes what reads it panic.
#![no_main]

use insightpulse_probe::parsers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| parsers::certificate(bytes));
