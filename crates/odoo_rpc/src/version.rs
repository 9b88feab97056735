//! Which version of Odoo answers.

use serde::Deserialize;
use url::Url;

use crate::client::at;
use crate::error::Error;
use crate::http::send;

/// The first version without the services that JSON-RPC and XML-RPC speak to,
/// as Odoo 19's own deprecation notice says.
pub const WITHOUT_JSONRPC: u32 = 22;

#[derive(Deserialize)]
struct Version {
    version: String,
}

/// The major version; `None` where nobody tells it: an Odoo before 18, or no Odoo.
pub async fn of(http: &reqwest::Client, server: &Url) -> Result<Option<u32>, Error> {
    let answer = send(http.get(at(server, "/web/version"))).await?;
    Ok(answer
        .success()
        .ok()
        .and_then(|body| serde_json::from_slice::<Version>(&body).ok())
        .and_then(|Version { version }| major(&version)))
}

/// `19.0`, `saas~19.2`, `19.0-20261101`.
fn major(version: &str) -> Option<u32> {
    let number = version.trim_start_matches(|c: char| !c.is_ascii_digit());
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_the_first_number() {
        for (text, expected) in [
            ("19.0", Some(19)),
            ("saas~19.2", Some(19)),
            ("22.0-20290101", Some(22)),
            ("", None),
            ("none", None),
        ] {
            assert_eq!(major(text), expected, "{text}");
        }
    }
}
