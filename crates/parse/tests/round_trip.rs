//! What is written is read back as the same endpoint, in every format that says all of it.

use insightpulse_domain::{Connection, Endpoint, Kind, RawEndpoint, SignIn, TlsMode};
use insightpulse_parse::parse;
use insightpulse_render::{Format, Secrets, Subject, combined, single};
use proptest::prelude::*;
use secrecy::ExposeSecret;

/// What is compared: the endpoint as it would be dialled, and its secrets.
#[derive(Debug, PartialEq, Eq)]
struct Said {
    endpoint: Endpoint,
    password: Option<String>,
    api_key: Option<String>,
}

fn said(connection: &Connection, name: &str) -> Said {
    let raw = RawEndpoint {
        name: name.to_owned(),
        ..connection.raw.clone()
    };
    let text = |secret: &Option<secrecy::SecretString>| {
        secret.as_ref().map(|secret| secret.expose_secret().to_owned())
    };
    Said {
        endpoint: Endpoint::parse(&raw).expect("an endpoint"),
        password: text(&connection.password),
        api_key: text(&connection.api_key),
    }
}

fn record(kind: Kind) -> RawEndpoint {
    let named = |base_url: &str, username: Option<&str>| RawEndpoint {
        name: "Books of RIM".into(),
        base_url: Some(base_url.into()),
        username: username.map(str::to_owned),
        ..RawEndpoint::new(kind)
    };
    match kind {
        Kind::Supabase => RawEndpoint {
            database_name: Some("postgres".into()),
            ..named("db.abcdefghij.supabase.co", Some("postgres"))
        },
        Kind::Postgresql | Kind::Odoo | Kind::Mysql | Kind::Mongodb => RawEndpoint {
            port: Some(if kind == Kind::Mysql { 3307 } else { 5433 }),
            tls_mode: Some(TlsMode::Require),
            database_name: Some("général ledger".into()),
            ..named("2001:db8::5", Some("o'reader x"))
        },
        Kind::Superset => named("https://bi.example.com", Some("admin")),
        Kind::Mcp => named("https://mcp.example.com/mcp?x=1", None),
        Kind::Api => RawEndpoint {
            sign_in: Some(SignIn::Header),
            key_header: Some("x-books".into()),
            ..named("https://api.example.com/v1?x=[1]", None)
        },
    }
}

/// The formats that say all of a kind, secrets aside: of a URL of HTTP, for one, nobody knows what answers there.
fn carriers(kind: Kind) -> Vec<Format> {
    use Format::{
        Compose, Curl, Dotnet, Env, EnvExport, EnvJson, Jdbc, Json, K8sSecret, Libpq, McpClaudeCode, McpJson,
        McpVscode, MongodbUri, MysqlUri, OdooConf, PgService, Pgpass, Prisma, Psql, Sqlalchemy, SupabaseEnv,
        SupersetDatabase, Toml, Uri, UriDirect, Yaml,
    };
    let mut formats = vec![Json, Yaml, Toml];
    formats.extend(match kind {
        Kind::Postgresql => vec![
            Uri,
            Libpq,
            Psql,
            PgService,
            Jdbc,
            Dotnet,
            Sqlalchemy,
            Env,
            EnvExport,
            EnvJson,
            Compose,
            K8sSecret,
            Prisma,
            SupersetDatabase,
        ],
        Kind::Supabase => vec![
            Uri,
            UriDirect,
            Libpq,
            Psql,
            PgService,
            Pgpass,
            Jdbc,
            Dotnet,
            Sqlalchemy,
            Env,
            EnvExport,
            EnvJson,
            Compose,
            K8sSecret,
            SupersetDatabase,
            SupabaseEnv,
        ],
        Kind::Odoo => vec![OdooConf],
        Kind::Mysql => vec![
            Uri, MysqlUri, Jdbc, Dotnet, Env, EnvExport, EnvJson, Compose, K8sSecret,
        ],
        Kind::Mongodb => vec![Uri, MongodbUri, Env, EnvExport, EnvJson, Compose, K8sSecret],
        Kind::Superset => vec![Curl],
        Kind::Mcp => vec![McpJson, McpVscode, McpClaudeCode, Curl],
        Kind::Api => vec![Curl],
    });
    formats
}

/// Without the keys that a format has no place for.
fn secrets(kind: Kind, format: Format, password: &str, api_key: &str) -> (Option<String>, Option<String>) {
    let is_whole = matches!(
        format,
        Format::Json
            | Format::Yaml
            | Format::Toml
            | Format::Env
            | Format::EnvExport
            | Format::EnvJson
            | Format::K8sSecret
            | Format::SupabaseEnv
    );
    match kind {
        Kind::Mcp | Kind::Api => (None, Some(api_key.to_owned())),
        Kind::Supabase => (Some(password.to_owned()), is_whole.then(|| api_key.to_owned())),
        _ => (Some(password.to_owned()), None),
    }
}

fn check(kind: Kind, format: Format, password: &str, api_key: &str) {
    let record = record(kind);
    let endpoint = Endpoint::parse(&record).expect("an endpoint");
    let (password, api_key) = secrets(kind, format, password, api_key);
    let revealed = Secrets::Revealed {
        password: password.clone().map(Into::into),
        api_key: api_key.clone().map(Into::into),
    };
    // What cannot be written need not be read.
    let Ok(document) = single(format, record.record, &endpoint, &revealed) else {
        return;
    };
    let text = document.content;
    let pasted = parse(&text).unwrap_or_else(|error| panic!("{kind:?} {format:?}: {error}\n{text}"));
    let [connection] = pasted.connections.as_slice() else {
        panic!(
            "{kind:?} {format:?}: {} connections\n{text}",
            pasted.connections.len()
        )
    };
    let expected = Said {
        endpoint: Endpoint {
            name: "same".into(),
            ..endpoint
        },
        password,
        api_key,
    };
    assert_eq!(said(connection, "same"), expected, "{kind:?} {format:?}\n{text}");
}

#[test]
fn every_carrier_brings_the_record_back() {
    for kind in Kind::ALL {
        for format in carriers(kind) {
            check(kind, format, "p@ss/w:rd #1 %40 $HOME", "key-1/+=");
        }
    }
}

#[test]
fn a_list_of_properties_brings_back_all_that_a_record_has() {
    for kind in Kind::ALL {
        let mut record = record(kind);
        record.tls_authority = Some("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n".into());
        record.client_certificate = record.tls_authority.clone();
        record.thresholds.slow_ms = Some(7);
        record.thresholds.replica_lag_s = Some(0);
        record.is_replica = true;
        match kind {
            Kind::Supabase => record.pooler_host = Some("aws-0-eu-west-1.pooler.supabase.com".into()),
            Kind::Odoo => record.web_url = Some("https://odoo.example.com/x".into()),
            Kind::Api => {
                record.expected_status = Some("200,204".into());
                record.expected_path = Some("$.checks[0]['a name']".into());
                record.expected_text = Some("ok".into());
            }
            _ => {}
        }
        let endpoint = Endpoint::parse(&record).expect("an endpoint");
        for format in [Format::Json, Format::Yaml, Format::Toml] {
            let document =
                single(format, record.record, &endpoint, &Secrets::NONE_STORED).expect("a document");
            let pasted = parse(&document.content).expect("a connection");
            let read = said(&pasted.connections[0], &record.name).endpoint;
            assert_eq!(read, endpoint, "{kind:?} {format:?}\n{}", document.content);
        }
    }
}

#[test]
fn of_a_document_of_several_all_come_back_with_their_names() {
    let kinds = [
        Kind::Postgresql,
        Kind::Mysql,
        Kind::Superset,
        Kind::Mcp,
        Kind::Api,
    ];
    let subjects: Vec<_> = kinds
        .into_iter()
        .enumerate()
        .map(|(number, kind)| {
            let mut raw = record(kind);
            raw.name = format!("{} of RIM {number}", kind.label());
            let endpoint = Endpoint::parse(&raw).expect("an endpoint");
            let (password, api_key) = secrets(kind, Format::Json, "pw", "key");
            let secrets = Secrets::Revealed {
                password: password.map(Into::into),
                api_key: api_key.map(Into::into),
            };
            Subject {
                record: raw.record,
                name: raw.name.clone(),
                endpoint: Ok((endpoint, secrets)),
            }
        })
        .collect();
    for format in [
        Format::Json,
        Format::Yaml,
        Format::Toml,
        Format::Env,
        Format::EnvExport,
    ] {
        let document = combined(format, &subjects).expect("a format of several");
        let pasted = parse(&document.content).expect("connections");
        let names: Vec<_> = pasted
            .connections
            .iter()
            .map(|one| one.raw.name.as_str())
            .collect();
        let expected: Vec<_> = subjects.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, expected, "{format:?}");
    }
}

#[test]
fn a_placeholder_is_no_secret() {
    for kind in Kind::ALL {
        let record = record(kind);
        let endpoint = Endpoint::parse(&record).expect("an endpoint");
        for format in carriers(kind) {
            let document =
                single(format, record.record, &endpoint, &Secrets::NONE_STORED).expect("a document");
            let pasted = parse(&document.content).expect("a connection");
            for connection in pasted.connections {
                let is_none = connection.password.is_none() && connection.api_key.is_none();
                assert!(is_none, "{kind:?} {format:?}\n{}", document.content);
            }
        }
    }
}

/// Everything but what is taken for a placeholder.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        r#"['"\\$`{}#&;@:/?%=,!*|<>()~^+. \[\]a-z-]{1,16}"#,
        "[ -~]{1,24}",
        "\\PC{1,12}",
    ]
    .prop_map(|text| format!("p{text}p"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn every_carrier_brings_every_secret_back(password in secret(), api_key in secret()) {
        for kind in Kind::ALL {
            for format in carriers(kind) {
                check(kind, format, &password, &api_key);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    #[test]
    fn no_text_makes_it_panic(
        text in prop_oneof![
            any::<String>(),
            r#"(postgresql://|jdbc:mysql://|host=|Host=|curl |psql |\{|\[\[endpoint\]\]|services:|A=|x:1:y:z:)['"\\$`{}#&;@:/?%=,!*|<>()~^+. \[\]a-zA-Zé0-9\n-]{0,60}"#,
        ]
    ) {
        if let Err(error) = parse(&text) {
            prop_assert!(!error.to_string().is_empty());
        }
    }
}
