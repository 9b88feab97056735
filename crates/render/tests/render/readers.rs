//! What is written, readers written in Rust read back; `tests/test_formats.py` asks those that users have.

use std::collections::HashMap;

use insightpulse_domain::{Endpoint, Kind, RawEndpoint, TlsMode};
use insightpulse_render::{Format, Secrets, Unwritable, combined, single};
use k8s_openapi::api::core::v1::{ConfigMap, EnvFromSource, Secret};
use proptest::prelude::*;
use serde_json::Value;
use syn::visit::{self, Visit};
use syn::{Expr, ExprLit, ExprMethodCall, Lit};

use crate::hostile::hostile;
use crate::samples::{RECORD, raw, revealed, subject};

fn endpoint(user: &str, database: &str) -> Option<Endpoint> {
    let raw = RawEndpoint {
        name: "Books".into(),
        base_url: Some("db.example".into()),
        port: Some(5433),
        tls_mode: Some(TlsMode::Require),
        username: Some(user.into()),
        database_name: Some(database.into()),
        ..RawEndpoint::new(Kind::Postgresql)
    };
    Endpoint::parse(&raw).ok()
}

fn text(format: Format, endpoint: &Endpoint, secrets: &Secrets) -> Result<String, Unwritable> {
    single(format, RECORD, endpoint, secrets).map(|document| document.content)
}

fn check_config(text: &str, user: &str, password: &str, database: &str) {
    let config: tokio_postgres::Config = text.parse().expect("a connection string");
    assert_eq!(config.get_user(), Some(user), "{text}");
    assert_eq!(config.get_password(), Some(password.as_bytes()), "{text}");
    assert_eq!(config.get_dbname(), Some(database), "{text}");
    assert_eq!(config.get_ports(), [5433], "{text}");
    assert_eq!(
        config.get_hosts(),
        [tokio_postgres::config::Host::Tcp("db.example".into())],
        "{text}"
    );
}

fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).expect("YAML")
}

fn env_values(text: &str) -> HashMap<String, String> {
    dotenvy::from_read_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .expect("lines of a .env file")
}

/// What the methods `host`, `username`, `password` and `database` are called with, as Rust reads it.
fn rust_arguments(text: &str) -> [String; 4] {
    #[derive(Default)]
    struct Calls(HashMap<String, String>);

    impl<'ast> Visit<'ast> for Calls {
        fn visit_expr_method_call(&mut self, call: &'ast ExprMethodCall) {
            if let Some(Expr::Lit(ExprLit {
                lit: Lit::Str(text), ..
            })) = call.args.first()
            {
                self.0.insert(call.method.to_string(), text.value());
            }
            visit::visit_expr_method_call(self, call);
        }
    }

    let mut calls = Calls::default();
    calls.visit_file(&syn::parse_file(text).expect("a program"));
    ["host", "username", "password", "database"].map(|method| calls.0.remove(method).expect("a call"))
}

/// Compose reads a doubled dollar as one, and any other as a variable of its own.
fn without_doubled_dollars(value: &str) -> String {
    assert!(!value.replace("$$", "").contains('$'), "{value}");
    value.replace("$$", "$")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn every_reader_gets_the_secret_that_was_sealed(user in hostile(), password in hostile(), database in hostile()) {
        let Some(endpoint) = endpoint(&user, &database) else { return Ok(()) };
        let secrets = revealed(Some(&password), None);
        // The domain cuts spaces off names, never off a secret.
        let (user, database) = (user.trim(), database.trim());
        prop_assume!(!database.is_empty());
        let write = |format| text(format, &endpoint, &secrets).expect("a format of every text");

        let uri = write(Format::Uri);
        check_config(&uri, user, &password, database);
        check_config(&write(Format::Libpq), user, &password, database);

        let entry = yaml(&write(Format::Compose))["services"]["app"]["environment"][0].clone();
        let entry = without_doubled_dollars(entry.as_str().expect("an entry"));
        prop_assert_eq!(entry, format!("DATABASE_URL={uri}"));

        let service = yaml(&write(Format::ComposeService));
        let environment = &service["services"]["books"]["environment"];
        prop_assert_eq!(without_doubled_dollars(environment["POSTGRES_USER"].as_str().expect("a user")), user);
        prop_assert_eq!(&environment["POSTGRES_PASSWORD"], "${BOOKS_PASSWORD:?}");

        let secret = &yaml(&write(Format::K8sSecret))["stringData"];
        prop_assert_eq!(secret["BOOKS_PASSWORD"].as_str(), Some(password.as_str()));
        prop_assert_eq!(secret["BOOKS_URL"].as_str(), Some(uri.as_str()));
        let config_map = yaml(&write(Format::K8sConfigmap));
        prop_assert_eq!(config_map["data"]["BOOKS_DATABASE"].as_str(), Some(database));

        let json: Value = serde_json::from_str(&write(Format::Json)).expect("JSON");
        let toml: Value = toml::from_str(&write(Format::Toml)).expect("TOML");
        for tree in [&json, &toml, &yaml(&write(Format::Yaml))] {
            let endpoint = &tree["endpoint"][0];
            prop_assert_eq!(endpoint["password"].as_str(), Some(password.as_str()));
            prop_assert_eq!(endpoint["user"].as_str(), Some(user));
            prop_assert_eq!(endpoint["database"].as_str(), Some(database));
            prop_assert_eq!(endpoint["port"].as_i64(), Some(5433));
        }
        let secret: Secret = serde_saphyr::from_str(&write(Format::K8sSecret)).expect("a Secret");
        let map: ConfigMap = serde_saphyr::from_str(&write(Format::K8sConfigmap)).expect("a ConfigMap");
        prop_assert_eq!(secret.metadata.name.as_deref(), Some("books"));
        let (secret_data, plain_data) = (secret.string_data.expect("its data"), map.data.expect("its data"));
        prop_assert_eq!(secret_data["BOOKS_PASSWORD"].as_str(), password.as_str());
        prop_assert_eq!(plain_data["BOOKS_USER"].as_str(), user);

        prop_assert_eq!(rust_arguments(&write(Format::Rust)), ["db.example", user, &password, database]);

        let variables: HashMap<String, String> = serde_json::from_str(&write(Format::EnvJson)).expect("JSON");
        prop_assert_eq!(variables["BOOKS_PASSWORD"].as_str(), password.as_str());

        match text(Format::Env, &endpoint, &secrets) {
            Ok(env) => {
                let values = env_values(&env);
                prop_assert_eq!(values.get("BOOKS_PASSWORD"), Some(&password));
                prop_assert_eq!(values.get("BOOKS_USER").map(String::as_str), Some(user));
                prop_assert_eq!(values.get("BOOKS_URL"), Some(&uri));
                prop_assert_eq!(values.len(), 3);
            }
            Err(error) => {
                let odd = [&password, user].into_iter().any(|text| text.contains(['\'', '\\', '$', '\r']));
                prop_assert!(odd, "{error}");
            }
        }
        // What cannot be a line says so, and says nothing of the secret.
        for (format, odd) in [(Format::Pgpass, ['\n', '\r'].as_slice()), (Format::PgService, &['\n', '\r', ' ', '\t', '\x0b', '\x0c'])] {
            if let Err(error) = text(format, &endpoint, &secrets) {
                let texts = [&password, user, database];
                prop_assert!(texts.into_iter().any(|text| text.contains(odd) || text.len() > 1000), "{error}");
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_name_stays_in_its_place(name in hostile()) {
        for kind in Kind::ALL {
            let mut raw = raw(kind);
            raw.name = name.clone();
            let subjects = [subject(&raw, revealed(Some("pw"), Some("key"))), subject(&raw, Secrets::NONE_STORED)];
            let write = |format| combined(format, &subjects).expect("a format of several").content;
            let json: Value = serde_json::from_str(&write(Format::Json)).expect("JSON");
            let toml: Value = toml::from_str(&write(Format::Toml)).expect("TOML");
            for tree in [&json, &toml, &yaml(&write(Format::Yaml))] {
                prop_assert_eq!(tree["endpoint"].as_array().map(Vec::len), Some(2));
                prop_assert_eq!(tree["endpoint"][1]["name"].as_str(), Some(name.as_str()));
            }
            let env = env_values(&write(Format::Env));
            let variables: HashMap<String, String> = serde_json::from_str(&write(Format::EnvJson)).expect("JSON");
            prop_assert_eq!(env, variables);
            if Format::Prometheus.fits(kind) {
                let prometheus = yaml(&write(Format::Prometheus));
                prop_assert_eq!(prometheus["scrape_configs"].as_array().map(Vec::len), Some(2));
            }
        }
    }
}

#[test]
fn a_placeholder_stands_wherever_no_secret_may() {
    for kind in Kind::ALL {
        let raw = raw(kind);
        for stored in [(false, false), (true, false), (false, true), (true, true)] {
            let hidden = Secrets::Placeholders {
                has_password: stored.0,
                has_api_key: stored.1,
            };
            let shown = revealed(
                stored.0.then_some("canary-password"),
                stored.1.then_some("canary-key"),
            );
            for format in Format::of_kind(kind) {
                let endpoint = Endpoint::parse(&raw).expect("an endpoint");
                let hidden = text(format, &endpoint, &hidden).expect("placeholders fit everywhere");
                let Ok(shown) = text(format, &endpoint, &shown) else {
                    continue;
                };
                for (placeholder, secret) in [
                    ("[YOUR-PASSWORD]", "canary-password"),
                    ("[YOUR-API-KEY]", "canary-key"),
                ] {
                    assert!(
                        !hidden.contains("canary") && !shown.contains(placeholder),
                        "{kind:?} {format:?} {shown}"
                    );
                    assert!(
                        hidden.contains(placeholder) || !shown.contains(secret),
                        "{kind:?} {format:?} {hidden}"
                    );
                }
            }
        }
    }
}

#[test]
fn the_snippet_beside_a_config_map_mounts_both() {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Container {
        env_from: Vec<EnvFromSource>,
    }
    for kind in Kind::ALL {
        let endpoint = Endpoint::parse(&raw(kind)).expect("an endpoint");
        let write = |format| text(format, &endpoint, &revealed(Some("pw"), Some("key"))).expect("a document");
        let secret: Secret = serde_saphyr::from_str(&write(Format::K8sSecret)).expect("a Secret");
        let config_map = write(Format::K8sConfigmap);
        let map: ConfigMap = serde_saphyr::from_str(&config_map).expect("a ConfigMap");
        let snippet: String = config_map
            .lines()
            .filter_map(|line| Some(line.strip_prefix("#   ")?.to_owned() + "\n"))
            .collect();
        let container: Container = serde_saphyr::from_str(&snippet).expect("a part of a container");
        let [from_map, from_secret] = container.env_from.as_slice() else {
            panic!("two sources: {snippet}")
        };
        let from_map = from_map.config_map_ref.as_ref().expect("of the map");
        let from_secret = from_secret.secret_ref.as_ref().expect("of the secret");
        assert_eq!(Some(&from_map.name), map.metadata.name.as_ref());
        assert_eq!(Some(&from_secret.name), secret.metadata.name.as_ref());
    }
}
