//! A secret opens where it was sealed for, and nowhere else.

use insightpulse_test_support::FaultServer;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::service::{DATABASE_UUID, Home, PASSWORD, Service, WAIT, changed, cluster, endpoint};

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_password_logs_in_to_the_server_that_it_was_sealed_for() {
    let cluster = cluster();
    let (service, odoo, _home) = Service::with_odoo().await;
    let bare = endpoint(7, cluster.port());
    let sealed = service.seal(PASSWORD, &bare).await;
    assert!(
        sealed.starts_with("ip1.k-") && !sealed.contains("canary"),
        "{sealed}"
    );
    service
        .probes("r", 0, &[changed(&bare, &json!({"password": sealed}))])
        .await;
    let outcome = &odoo.wait_for(1).await[0];
    assert_eq!(
        (&outcome["status"], &outcome["failure_kind"]),
        (&json!("success"), &Value::Null)
    );
    assert_eq!(outcome["max_connections"], 300);
    assert!(
        outcome["latency_ms"].as_f64().is_some_and(|ms| ms > 0.0),
        "{outcome}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_or_missing_password_is_told_as_such() {
    let cluster = cluster();
    let (service, odoo, _home) = Service::with_odoo().await;
    let bare = endpoint(7, cluster.port());
    let sealed = service.seal("canary-that-is-wrong", &bare).await;
    let wrong = changed(&bare, &json!({"password": sealed}));
    service
        .probes("r", 0, &[wrong, endpoint(8, cluster.port())])
        .await;
    for outcome in odoo.wait_for(2).await {
        assert_eq!(outcome["failure_kind"], "auth", "{outcome}");
        assert_eq!(
            outcome["failure_advice"],
            "Check the user name, and type the password or key again."
        );
        let message = outcome["failure_message"].as_str().expect("a sentence");
        assert_eq!(
            message.contains("none is stored"),
            outcome["id"] == 8,
            "{message}"
        );
        assert!(!outcome.to_string().contains("canary"), "{outcome}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_was_sealed_for_something_else_dials_nothing() {
    let listener = FaultServer::silent().await;
    let (service, odoo, home) = Service::with_odoo().await;
    let own = endpoint(7, listener.port());
    let sealed = service.seal("canary", &own).await;
    let field = json!({"field": "api_key", "secret": "canary", "endpoint": own});
    let as_key = service
        .post("/v1/seal", &json!({"database": DATABASE_UUID, "items": [field]}))
        .await;
    let of_key = as_key.json()["tokens"][0].clone();
    let elsewhere = Home::new(&home.odoo_url);
    let of_another_sidecar = elsewhere.start().await.seal("canary", &own).await;
    let mut bent = sealed.clone().into_bytes();
    let last = bent.len() - 10;
    bent[last] = if bent[last] == b'A' { b'B' } else { b'A' };
    let bent = String::from_utf8(bent).expect("text");

    let changes = [
        json!({"record": Uuid::from_u128(8)}),
        json!({"base_url": "localhost"}),
        json!({"kind": "odoo"}),
        json!({"tls_mode": "prefer"}),
        json!({"username": "other"}),
        json!({"password": of_key}),
        json!({"password": of_another_sidecar}),
        json!({"password": bent}),
        json!({"password": "••••••••"}),
        json!({"password": "canary"}),
        json!({"password": null, "api_key": sealed}),
    ];
    let endpoints: Vec<_> = changes
        .iter()
        .enumerate()
        .map(|(index, change)| {
            let moved = changed(&own, &json!({"id": index, "password": sealed, "revision": index}));
            changed(&moved, change)
        })
        .collect();
    // Another port, where nobody counts: the listener's own is taken from below.
    let elsewhere = endpoint(7, listener.port());
    let for_elsewhere = service
        .seal("canary", &changed(&elsewhere, &json!({"port": 1})))
        .await;
    let to_here = changed(&elsewhere, &json!({"password": for_elsewhere, "revision": 99}));

    let results = service
        .probes("r", WAIT, &[endpoints, vec![to_here]].concat())
        .await;
    assert_eq!(results.len(), changes.len() + 1);
    for (index, result) in results.iter().enumerate() {
        assert_eq!(
            result["failure_kind"],
            "secret_unreadable",
            "{:?}: {result}",
            changes.get(index)
        );
        assert!(!result.to_string().contains("canary"), "{result}");
    }
    assert_eq!(listener.seen().accepted, 0);
    // The newest outcome of each record.
    odoo.wait_for(2).await;
}
