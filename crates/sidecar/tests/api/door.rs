//! Nobody is answered under /v1 without the token.

use reqwest::Method;

use crate::service::{Answer, Service};

const ROUTES: [(Method, &str); 6] = [
    (Method::POST, "/v1/probes"),
    (Method::POST, "/v1/seal"),
    (Method::POST, "/v1/render"),
    (Method::GET, "/v1/probes"),
    (Method::GET, "/v1"),
    (Method::DELETE, "/v1/no/such/route"),
];

#[tokio::test(flavor = "multi_thread")]
async fn without_the_right_token_every_route_says_only_that() {
    let (service, odoo, _home) = Service::with_odoo().await;
    let token = service.token.as_str();
    let almost = &token[..token.len() - 1];
    for (method, path) in ROUTES {
        let bare = || service.anonymous(method.clone(), path).json(&"{}");
        for request in [
            bare(),
            bare().bearer_auth("canary-wrong-token"),
            bare().bearer_auth(almost),
            bare().bearer_auth(""),
            bare().basic_auth(token, Some(token)),
            service.anonymous(method.clone(), &format!("{path}?token={token}")),
        ] {
            let answer = Answer::of(request).await;
            assert_eq!(answer.status, 401, "{method} {path}: {answer:?}");
            assert_eq!(answer.content_type, "application/problem+json");
            assert_eq!(answer.json()["code"], "unauthorized");
            assert!(
                !answer.text.contains("canary") && !answer.text.contains(token),
                "{answer:?}"
            );
        }
    }
    assert!(odoo.outcomes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_of_a_stranger_is_not_read() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let answer = Answer::of(
        service
            .anonymous(Method::POST, "/v1/seal")
            .header("content-type", "application/json")
            .body(vec![b' '; 1024 * 1024]),
    )
    .await;
    assert_eq!(answer.status, 401);
}
