//! A secret moves to another destination by rebinding, and opens there alone.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::service::{DATABASE_UUID, PASSWORD, Service, WAIT, changed, cluster, endpoint};

async fn rebind(service: &Service, token: &str, from: &Value, to: &Value) -> Value {
    let item = json!({"field": "password", "token": token, "from": from, "to": to});
    let answer = service
        .post("/v1/rebind", &json!({"database": DATABASE_UUID, "items": [item]}))
        .await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()["results"][0].clone()
}

async fn failure_kind(service: &Service, endpoint: &Value, revision: i64) -> Value {
    let endpoint = changed(endpoint, &json!({"revision": revision}));
    service.probes(&format!("r{revision}"), WAIT, &[endpoint]).await[0]["failure_kind"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebound_secret_logs_in_at_its_new_place_alone() {
    let cluster = cluster();
    let (service, _odoo, _home) = Service::with_odoo().await;
    let old = changed(&endpoint(7, cluster.port()), &json!({"base_url": "old.example"}));
    let new = endpoint(7, cluster.port());
    let sealed = service.seal(PASSWORD, &old).await;
    let rebound = rebind(&service, &sealed, &old, &new).await["token"].clone();
    let at_new = changed(&new, &json!({"password": rebound}));
    assert_eq!(failure_kind(&service, &at_new, 1).await, Value::Null);
    let old_token = changed(&new, &json!({"password": sealed}));
    assert_eq!(failure_kind(&service, &old_token, 2).await, "secret_unreadable");
    let back = changed(&old, &json!({"password": rebound}));
    assert_eq!(failure_kind(&service, &back, 3).await, "secret_unreadable");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_open_where_it_comes_from_is_not_rebound() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let (own, hostile) = (
        endpoint(7, 5432),
        changed(&endpoint(7, 5432), &json!({"base_url": "evil.example"})),
    );
    let sealed = service.seal("canary", &own).await;
    let another_record = changed(&own, &json!({"record": Uuid::from_u128(8)}));
    for from in [&hostile, &another_record] {
        let result = rebind(&service, &sealed, from, &hostile).await;
        assert_eq!(result["token"], Value::Null);
        assert!(
            result["error"]
                .as_str()
                .is_some_and(|error| error.starts_with("The stored secret does not open here")),
            "{result}"
        );
    }
    let result = rebind(&service, "canary", &own, &hostile).await;
    assert_eq!(
        result["error"],
        "The stored secret is damaged: it is not a sealed token."
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_opened_for_odoo_where_it_belongs() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let own = endpoint(7, 5432);
    let sealed = service.seal("pässwörd", &own).await;
    let ask = async |endpoint: Value, field: &str| {
        let body = json!({"database": DATABASE_UUID, "items": [{"field": field, "endpoint": endpoint}]});
        service.post("/v1/open", &body).await.json()["results"][0].clone()
    };
    let whole = changed(&own, &json!({"password": sealed}));
    assert_eq!(
        ask(whole.clone(), "password").await,
        json!({"secret": "pässwörd", "error": null})
    );
    assert_eq!(
        ask(whole.clone(), "api_key").await,
        json!({"secret": null, "error": null})
    );
    let moved = ask(changed(&whole, &json!({"port": 5433})), "password").await;
    assert_eq!(moved["secret"], Value::Null);
    assert!(moved["error"].is_string(), "{moved}");
}
