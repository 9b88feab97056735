//! A path that is read is read the same again from how it is shown; so is a set of statuses.
#![no_main]

use insightpulse_domain::{JsonPath, StatusSet};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    if let Ok(path) = JsonPath::parse(text) {
        assert_eq!(JsonPath::parse(&path.to_string()), Ok(path));
    }
    if let Ok(set) = StatusSet::parse(text) {
        assert_eq!(StatusSet::parse(&set.to_string()), Ok(set));
    }
});
