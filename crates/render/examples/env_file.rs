//! Measures how long one `.env` of many endpoints takes: their JSON, as Odoo sends it, on standard input; seconds of each
//! pass on standard output. `tests/bench/env_files.py` uses it.

use std::hint::black_box;
use std::io;
use std::time::Instant;

use insightpulse_domain::{Endpoint, RawEndpoint};
use insightpulse_render::{Format, Secrets, Subject, combined};

const PASSES: usize = 7;

fn main() -> io::Result<()> {
    let endpoints: Vec<RawEndpoint> = serde_json::from_reader(io::stdin().lock())?;
    for _ in 0..PASSES {
        let begun = Instant::now();
        let subjects: Vec<_> = endpoints.iter().map(subject).collect();
        let document = combined(Format::Env, &subjects).expect("a format of several");
        println!("{}", begun.elapsed().as_secs_f64());
        assert!(document.left_out.is_empty(), "{:?}", document.left_out.first());
        black_box(document);
    }
    Ok(())
}

/// The password is what the seed's loop has in its place: a text that was read already.
fn subject(raw: &RawEndpoint) -> Subject {
    let secrets = Secrets::Revealed {
        password: Some("p@ss/w:rd #1".into()),
        api_key: None,
    };
    Subject {
        record: raw.record,
        name: raw.name.clone(),
        endpoint: Endpoint::parse(raw)
            .map(|endpoint| (endpoint, secrets))
            .map_err(|failure| failure.to_string()),
    }
}
