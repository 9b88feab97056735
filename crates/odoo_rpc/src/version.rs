//! Which version of Odoo answers.

use serde::Deserialize;
use url::Url;

use crate::client::at;
use crate::error::Error;
use crate::http::send;

/// The first version with JSON-2.
pub const WITH_JSON2: u32 = 19;

/// The first version without the services that JSON-RPC and XML-RPC speak to; their routes
/// may go before, as Odoo 19's own notice says.
pub const WITHOUT_JSONRPC: u32 = 22;

/// What a server says of its version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// The major one.
    Version(u32),
    /// It has no such route: an Odoo before 19, or none.
    NoRoute,
    /// Another answer, such as that it is starting: it may say more later.
    Nothing,
}

#[derive(Deserialize)]
struct Version {
    version: String,
}

pub async fn of(http: &reqwest::Client, server: &Url) -> Result<Told, Error> {
    let answer = send(http.get(at(server, "/web/version"))).await?;
    if answer.status.as_u16() == 404 {
        return Ok(Told::NoRoute);
    }
    let version = answer
        .success()
        .ok()
        .and_then(|body| serde_json::from_slice::<Version>(&body).ok())
        .and_then(|Version { version }| major(&version));
    Ok(version.map_or(Told::Nothing, Told::Version))
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
