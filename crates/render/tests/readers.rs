//! What is written, the readers of each format read back: hostile secrets, names and databases included.

use std::collections::HashMap;

use insightpulse_domain::{Endpoint, Kind, RawEndpoint, TlsMode};
use insightpulse_render::{Format, Named, Secrets, Unwritable, combined, single};
use proptest::prelude::*;

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

fn revealed(password: &str) -> Secrets {
    Secrets::Revealed {
        password: Some(password.into()),
        api_key: None,
    }
}

/// Rich in what means something to one reader or another.
fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{1,24}",
        r#"['"\\$`{}#&;@:/?%= \[\]]{1,12}"#,
        "\\PC{1,12}",
        any::<String>(),
    ]
}

fn env_values(text: &str) -> HashMap<String, String> {
    dotenvy::from_read_iter(text.as_bytes())
        .collect::<Result<_, _>>()
        .expect("lines of a .env file")
}

fn compose_value(text: &str) -> String {
    let tree: serde_json::Value = serde_saphyr::from_str(text).expect("YAML");
    let entry = tree["services"]["app"]["environment"][0]
        .as_str()
        .expect("an entry")
        .to_owned();
    let (name, value) = entry.split_once('=').expect("a variable");
    assert_eq!(name, "DATABASE_URL");
    // Compose reads a doubled dollar as one, and any other as a variable of its own.
    assert!(!value.replace("$$", "").contains('$'), "{value}");
    value.replace("$$", "$")
}

fn check_uri(uri: &str, user: &str, password: &str, database: &str) {
    let config: tokio_postgres::Config = uri.parse().expect("a connection string");
    assert_eq!(config.get_user(), Some(user), "{uri}");
    assert_eq!(config.get_password(), Some(password.as_bytes()), "{uri}");
    assert_eq!(config.get_dbname(), Some(database), "{uri}");
    assert_eq!(config.get_ports(), [5433], "{uri}");
    assert_eq!(
        config.get_hosts(),
        [tokio_postgres::config::Host::Tcp("db.example".into())],
        "{uri}"
    );
}

proptest! {
    #[test]
    fn every_reader_gets_the_secret_that_was_sealed(user in hostile(), password in hostile(), database in hostile()) {
        let Some(endpoint) = endpoint(&user, &database) else { return Ok(()) };
        let secrets = revealed(&password);
        // The domain cuts spaces off names, never off a secret.
        let (user, database) = (user.trim(), database.trim());
        prop_assume!(!database.is_empty());

        match single(Format::Uri, &endpoint, &secrets) {
            Ok(uri) => {
                check_uri(&uri.content, user, &password, database);
                let compose = single(Format::Compose, &endpoint, &secrets).expect("as writable as its URI");
                check_uri(&compose_value(&compose.content), user, &password, database);
            }
            Err(error) => prop_assert_eq!((error, password.contains('\0')), (Unwritable::Nul("password"), true)),
        }
        match single(Format::Env, &endpoint, &secrets) {
            Ok(env) => {
                let values = env_values(&env.content);
                prop_assert_eq!(values.get("BOOKS_PASSWORD"), Some(&password));
                prop_assert_eq!(values.get("BOOKS_USER").map(String::as_str), Some(user));
                check_uri(&values["BOOKS_URL"], user, &password, database);
                prop_assert_eq!(values.len(), 3);
            }
            Err(error) => {
                let odd = [&password, user].into_iter().any(|text| text.contains(['\'', '\\', '$', '\r', '\0']));
                prop_assert!(odd, "{error}");
            }
        }
    }

    #[test]
    fn a_placeholder_stands_where_no_secret_may(user in "[a-z]{1,8}", password in "canary-[a-z]{8}") {
        let endpoint = endpoint(&user, "books").expect("an endpoint");
        let names = [("x", Secrets::Placeholders), ("y", revealed(&password))].map(|(name, secrets)| Named {
            name: name.into(),
            endpoint: Ok((endpoint.clone(), secrets)),
        });
        for format in Format::ALL {
            let hidden = combined(format, &names[..1]).content;
            prop_assert!(hidden.contains("[YOUR-PASSWORD]") && !hidden.contains("canary"), "{hidden}");
            let shown = combined(format, &names[1..]).content;
            prop_assert!(shown.contains(&password) && !shown.contains("YOUR-PASSWORD"), "{shown}");
        }
    }
}
