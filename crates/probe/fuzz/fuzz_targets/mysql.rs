//! No packet of a MySQL server makes a parser panic, whatever it is taken for.
#![no_main]

use insightpulse_probe::parsers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| parsers::mysql_packet(bytes));
