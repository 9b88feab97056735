//! A stream has the same events in whatever pieces it comes.
#![no_main]

use insightpulse_probe::parsers;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some((size, stream)) = bytes.split_first() {
        let whole = parsers::server_sent_events(stream, stream.len());
        assert_eq!(parsers::server_sent_events(stream, usize::from(*size)), whole);
    }
});
