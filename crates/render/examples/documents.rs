//! Writes documents for programs in other languages: a JSON object on each line of standard input, one on each line
//! of standard output. `tests/formats/documents.py` uses it.

use std::io::{self, BufRead, Write};

use insightpulse_domain::{Endpoint, RawEndpoint};
use insightpulse_render::{Format, Secrets, single};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Wanted {
    format: String,
    endpoint: RawEndpoint,
    password: Option<String>,
    api_key: Option<String>,
}

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let wanted: Wanted = serde_json::from_str(&line?)?;
        let answer = match write(wanted) {
            Ok(content) => json!({"content": content}),
            Err(error) => json!({"error": error}),
        };
        writeln!(out, "{answer}")?;
    }
    out.flush()
}

fn write(wanted: Wanted) -> Result<String, String> {
    let format: Format = wanted.format.parse().map_err(|unknown| format!("{unknown}"))?;
    let endpoint = Endpoint::parse(&wanted.endpoint).map_err(|failure| failure.to_string())?;
    let secrets = Secrets::Revealed {
        password: wanted.password.map(Into::into),
        api_key: wanted.api_key.map(Into::into),
    };
    single(format, wanted.endpoint.record, &endpoint, &secrets)
        .map(|document| document.content)
        .map_err(|unwritable| unwritable.to_string())
}
