//! What a sealed secret may be sent to.

use crate::endpoint::{Address, Endpoint, RawEndpoint, Service};

/// Kind, scheme, host, port, TLS mode and user, and where they are given the web
/// address and the own certificate authority: a secret that was sealed for one
/// destination opens for no other.
///
/// Two spellings of one host are one destination. An endpoint that does not
/// parse has a destination too, of its raw texts, which equals no parsed one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    parts: Vec<String>,
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
            Ok(endpoint) => Self::of_service(raw, &endpoint.service, user),
            Err(_) => Self::of_texts(raw, user),
        }
    }

    fn of_service(raw: &RawEndpoint, service: &Service, user: &str) -> Self {
        let address = service.address();
        let (scheme, tls) = match (service, address) {
            (Service::Mysql(target), _) => ("mysql", target.tls.as_str()),
            (Service::Mongodb(target), _) => ("mongodb", target.tls.as_str()),
            (_, Address::Database(target)) => ("postgresql", target.tls.as_str()),
            // The scheme says whether there is TLS, and it is always verified.
            (_, Address::Http(target)) => (target.scheme.as_str(), ""),
        };
        let (host, port) = address.host_and_port();
        let parts = [
            "parsed".into(),
            raw.kind.as_str().into(),
            scheme.into(),
            host.to_string(),
            port.to_string(),
            tls.into(),
            user.into(),
        ];
        let web = service
            .web()
            .map(|web| format!("{}://{}:{}", web.scheme.as_str(), web.host, web.port));
        // Which of them a hosted project has by its name is in the host or the user already.
        let web = web.filter(|_| !is_empty(&raw.web_url));
        Self::with_more(parts, web, raw)
    }

    fn of_texts(raw: &RawEndpoint, user: &str) -> Self {
        let parts = [
            "raw".into(),
            raw.kind.as_str().into(),
            String::new(),
            raw.base_url.clone().unwrap_or_default(),
            raw.port.map(|port| port.to_string()).unwrap_or_default(),
            raw.tls_mode
                .map(|mode| mode.as_str().to_owned())
                .unwrap_or_default(),
            user.into(),
        ];
        Self::with_more(
            parts,
            raw.web_url.clone().filter(|_| !is_empty(&raw.web_url)),
            raw,
        )
    }

    /// What few endpoints have follows with its name, so that no two mean the same.
    fn with_more(parts: [String; 7], web: Option<String>, raw: &RawEndpoint) -> Self {
        let mut parts = Vec::from(parts);
        let authority = raw
            .tls_authority
            .as_deref()
            .map(str::trim)
            .filter(|pem| !pem.is_empty());
        for (name, value) in [("web", web.as_deref()), ("authority", authority)] {
            if let Some(value) = value {
                parts.extend([name.to_owned(), value.to_owned()]);
            }
        }
        Self { parts }
    }

    /// The parts in a fixed order, for an encoding that keeps them apart.
    pub fn parts(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().map(String::as_str)
    }
}

fn is_empty(field: &Option<String>) -> bool {
    field.as_deref().is_none_or(|text| text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;
    use crate::endpoint::TlsMode;

    fn raw() -> RawEndpoint {
        RawEndpoint {
            base_url: Some("db.example.com".into()),
            port: Some(5432),
            tls_mode: Some(TlsMode::Prefer),
            username: Some("u".into()),
            database_name: Some("d".into()),
            ..RawEndpoint::new(Kind::Postgresql)
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
        check(|raw| raw.tls_authority = Some("-----BEGIN …".into()), false);
    }

    #[test]
    fn the_web_address_is_part_of_the_destination_of_those_kinds_that_use_it() {
        let at = |kind: Kind, web_url: &str| {
            Destination::of(&RawEndpoint {
                kind,
                web_url: Some(web_url.into()),
                ..raw()
            })
        };
        for kind in [Kind::Supabase, Kind::Odoo] {
            assert_ne!(at(kind, "https://a.example"), at(kind, "https://b.example"));
            assert_ne!(at(kind, "https://a.example"), at(kind, " "));
            assert_eq!(at(kind, "https://a.example/x"), at(kind, "a.example:443"));
        }
        assert_eq!(at(Kind::Mysql, "https://a.example"), at(Kind::Mysql, ""));
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
