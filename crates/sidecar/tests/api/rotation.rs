//! Keys rotate while the service runs.

use serde_json::{Value, json};

use crate::service::{DATABASE_UUID, Service, changed, endpoint};

async fn opened(service: &Service, token: &str) -> Value {
    let whole = changed(&endpoint(7, 5432), &json!({"password": token}));
    let body = json!({"database": DATABASE_UUID, "items": [{"field": "password", "endpoint": whole}]});
    service.post("/v1/open", &body).await.json()["results"][0].clone()
}

fn key(token: &str) -> &str {
    token.split('.').nth(1).expect("a key's name")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_seals_from_the_next_request_on_and_the_old_one_opens() {
    let (service, _odoo, home) = Service::with_odoo().await;
    let old = service.seal("canary", &endpoint(7, 5432)).await;
    home.insightpulse(&["keys", "rotate"]);
    let new = service.seal("canary", &endpoint(7, 5432)).await;
    assert_ne!(key(&old), key(&new));
    assert_eq!(opened(&service, &old).await["secret"], "canary");
    assert_eq!(opened(&service, &new).await["secret"], "canary");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_gone_is_named() {
    let (service, _odoo, home) = Service::with_odoo().await;
    let old = service.seal("canary", &endpoint(7, 5432)).await;
    home.insightpulse(&["keys", "rotate"]);
    // As if somebody had put in a keyring that lacks the old one.
    let path = home.path().join("keyring.toml");
    let text = std::fs::read_to_string(&path).expect("there");
    let without: Vec<_> = text.lines().filter(|line| !line.starts_with(key(&old))).collect();
    std::fs::write(&path, without.join("\n")).expect("written");
    let answer = opened(&service, &old).await;
    assert_eq!(
        answer["error"],
        format!(
            "The stored secret was sealed with the key {}, which is not in this sidecar's keyring.",
            key(&old)
        )
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_keyring_that_breaks_while_it_is_used_changes_nothing() {
    let (service, _odoo, home) = Service::with_odoo().await;
    let sealed = service.seal("canary", &endpoint(7, 5432)).await;
    std::fs::write(home.path().join("keyring.toml"), "half a key").expect("written");
    assert_eq!(opened(&service, &sealed).await["secret"], "canary");
}
