//! An endpoint of each kind, as somebody might have it.

use insightpulse_domain::{Endpoint, Kind, RawEndpoint, SignIn, TlsMode};
use insightpulse_render::{Secrets, Subject};
use uuid::Uuid;

pub const RECORD: Uuid = Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001);
pub const PASSWORD: &str = "p@ss/w:rd #1 %40 $HOME";
pub const API_KEY: &str = "key-1/+=";

pub fn raw(kind: Kind) -> RawEndpoint {
    let named = |name: &str, base_url: &str, username: Option<&str>| RawEndpoint {
        name: name.into(),
        record: RECORD,
        base_url: Some(base_url.into()),
        username: username.map(str::to_owned),
        ..RawEndpoint::new(kind)
    };
    match kind {
        Kind::Supabase => RawEndpoint {
            database_name: Some("postgres".into()),
            pooler_host: Some("aws-0-ap-southeast-1.pooler.supabase.com".into()),
            ..named(
                "Supabase Production",
                "db.spdtwktxdalcfigzeqrz.supabase.co",
                Some("postgres"),
            )
        },
        Kind::Postgresql => RawEndpoint {
            port: Some(5433),
            tls_mode: Some(TlsMode::VerifyFull),
            database_name: Some("général ledger".into()),
            ..named("Books – 2026", "2001:DB8::5", Some("o'reader"))
        },
        Kind::Odoo => RawEndpoint {
            database_name: Some("odoo19".into()),
            web_url: Some("https://odoo.example.com".into()),
            ..named("Odoo 19 Database", "localhost", Some("odoo"))
        },
        Kind::Superset => named("Apache Superset Dashboard", "localhost", Some("admin")),
        Kind::Mcp => named("MCP Server - Notion", "https://mcp.example.com/mcp", None),
        Kind::Api => RawEndpoint {
            sign_in: Some(SignIn::Header),
            key_header: Some("X-Api-Key".into()),
            ..named(
                "BIR eFPS Portal API",
                "https://efps.bir.gov.ph/api/v1?x=[1]",
                None,
            )
        },
        Kind::Mongodb => RawEndpoint {
            tls_mode: Some(TlsMode::VerifyCa),
            tls_authority: Some("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----".into()),
            database_name: Some("events".into()),
            ..named("Events", "mongo.example.com", Some("app"))
        },
        Kind::Mysql => RawEndpoint {
            tls_mode: Some(TlsMode::Require),
            database_name: Some("shop".into()),
            ..named("Shop", "mariadb.example.com", Some("shop"))
        },
    }
}

pub fn endpoint(raw: &RawEndpoint) -> Endpoint {
    Endpoint::parse(raw).expect("a valid endpoint")
}

pub fn revealed(password: Option<&str>, api_key: Option<&str>) -> Secrets {
    Secrets::Revealed {
        password: password.map(Into::into),
        api_key: api_key.map(Into::into),
    }
}

/// What an endpoint of a kind has stored as a rule.
pub fn stored(kind: Kind) -> Secrets {
    match kind {
        Kind::Mcp | Kind::Api => revealed(None, Some(API_KEY)),
        Kind::Supabase => revealed(Some(PASSWORD), Some("sb_publishable_key-1")),
        _ => revealed(Some(PASSWORD), None),
    }
}

pub fn subject(raw: &RawEndpoint, secrets: Secrets) -> Subject {
    Subject {
        record: raw.record,
        name: raw.name.clone(),
        endpoint: Endpoint::parse(raw)
            .map(|endpoint| (endpoint, secrets))
            .map_err(|failure| failure.to_string()),
    }
}
