//! What a sealed secret may be sent to.

use crate::endpoint::{Endpoint, RawEndpoint, Service};
use crate::kind::Kind;

/// Kind, scheme, host, port, TLS mode and user: a secret that was sealed for
/// one destination opens for no other.
///
/// Two spellings of one host are one destination. An endpoint that does not
/// parse has a destination too, of its raw texts, which equals no parsed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    parts: [String; 7],
}

impl Destination {
    pub fn of(raw: &RawEndpoint) -> Self {
        // What the user name is missing from may still hold a secret.
        let endpoint = Endpoint::parse(&RawEndpoint {
            username: Some(
                raw.username
                    .clone()
                    .filter(|user| !user.trim().is_empty())
                    .unwrap_or_else(|| "?".into()),
            ),
            ..raw.clone()
        });
        let user = raw.username.as_deref().unwrap_or_default().trim();
        match endpoint {
            Ok(endpoint) => Self::of_service(raw.kind, &endpoint.service, user),
            Err(_) => Self {
                parts: [
                    "raw".into(),
                    raw.kind.as_str().into(),
                    String::new(),
                    raw.base_url.clone().unwrap_or_default(),
                    raw.port.map(|port| port.to_string()).unwrap_or_default(),
                    raw.tls_mode
                        .map(|mode| mode.as_str().to_owned())
                        .unwrap_or_default(),
                    user.into(),
                ],
            },
        }
    }

    fn of_service(kind: Kind, service: &Service, user: &str) -> Self {
        let (scheme, tls) = match service {
            Service::Postgres(target) => ("postgresql", target.tls.as_str()),
            // The scheme says whether there is TLS, and it is always verified.
            Service::Http(target) => (target.scheme.as_str(), ""),
        };
        let (host, port) = service.host_and_port();
        Self {
            parts: [
                "parsed".into(),
                kind.as_str().into(),
                scheme.into(),
                host.to_string(),
                port.to_string(),
                tls.into(),
                user.into(),
            ],
        }
    }

    /// The parts in a fixed order, for an encoding that keeps them apart.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::endpoint::TlsMode;

    fn raw() -> RawEndpoint {
        RawEndpoint {
            id: 1,
            record: Uuid::nil(),
            revision: 1,
            name: "Test".into(),
            kind: Kind::Postgresql,
            base_url: Some("db.example.com".into()),
            port: Some(5432),
            tls_mode: Some(TlsMode::Prefer),
            username: Some("u".into()),
            database_name: Some("d".into()),
            password: None,
            api_key: None,
        }
    }

    fn check(change: impl FnOnce(&mut RawEndpoint), same: bool) {
        let mut changed = raw();
        change(&mut changed);
        assert_eq!(
            Destination::of(&changed) == Destination::of(&raw()),
            same,
            "{changed:?}"
        );
    }

    #[test]
    fn each_part_makes_another_destination() {
        check(|raw| raw.kind = Kind::Supabase, false);
        check(|raw| raw.base_url = Some("evil.example.com".into()), false);
        check(|raw| raw.base_url = None, false);
        check(|raw| raw.port = Some(5433), false);
        check(|raw| raw.tls_mode = Some(TlsMode::Disable), false);
        check(|raw| raw.username = Some("other".into()), false);
        check(|raw| raw.username = None, false);
    }

    #[test]
    fn another_spelling_or_another_database_is_the_same_destination() {
        check(|raw| raw.base_url = Some(" DB.example.com. ".into()), true);
        check(|raw| raw.port = None, true);
        check(|raw| raw.database_name = None, true);
        check(|raw| raw.name = "Other".into(), true);
    }

    #[test]
    fn an_address_changes_its_destination_with_its_scheme() {
        let at = |url: &str| {
            Destination::of(&RawEndpoint {
                kind: Kind::Api,
                base_url: Some(url.into()),
                port: None,
                ..raw()
            })
        };
        assert_ne!(at("https://api.example/"), at("http://api.example/"));
        assert_ne!(at("https://api.example/"), at("https://api.example:8443/"));
        assert_eq!(at("https://api.example/v1"), at("https://API.example:443/v2"));
    }

    #[test]
    fn what_does_not_parse_equals_nothing_that_does() {
        let mut broken = raw();
        broken.port = Some(70000);
        assert_ne!(Destination::of(&broken), Destination::of(&raw()));
        assert_eq!(Destination::of(&broken), Destination::of(&broken.clone()));
    }
}
