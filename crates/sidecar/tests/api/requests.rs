//! Requests that are not what a route takes.

use expect_test::{Expect, expect};
use insightpulse_domain::Kind;
use insightpulse_render::Format;
use reqwest::{Method, RequestBuilder};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::service::{Answer, DATABASE_UUID, Service, changed, endpoint};

/// Every error is a problem document (RFC 9457) of one shape.
async fn check(request: RequestBuilder, expected: Expect) {
    let answer = Answer::of(request).await;
    assert_eq!(answer.content_type, "application/problem+json", "{answer:?}");
    let problem = answer.json();
    let code = problem["code"].as_str().expect("a code");
    assert_eq!(problem["status"], answer.status);
    assert_eq!(problem["type"], format!("urn:insightpulse:problem:{code}"));
    assert!(problem["title"].as_str().is_some_and(|title| !title.is_empty()));
    assert!(!answer.text.contains("canary"), "{answer:?}");
    expected.assert_eq(&format!(
        "{} {code}: {}",
        answer.status,
        problem["detail"].as_str().expect("a detail")
    ));
}

fn seal(secret: &Value) -> Value {
    json!({
        "database": DATABASE_UUID,
        "items": [{"field": "password", "secret": secret, "endpoint": endpoint(7, 5432)}],
    })
}

fn probes(endpoints: &[Value]) -> Value {
    json!({"database": DATABASE_UUID, "request": "r", "wait_ms": 0, "endpoints": endpoints})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_or_a_method_that_there_is_not_is_a_problem() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    for path in ["/", "/v1", "/v1/no-such-route", "/v1/probes/7", "/V1/probes"] {
        check(
            service.request(Method::POST, path),
            expect!["404 not_found: See the sidecar's documentation."],
        )
        .await;
    }
    for (method, path) in [
        (Method::GET, "/v1/probes"),
        (Method::PUT, "/v1/seal"),
        (Method::DELETE, "/v1/render"),
        (Method::POST, "/healthz"),
        (Method::POST, "/readyz"),
    ] {
        check(
            service.request(method, path),
            expect!["405 method_not_allowed: See the sidecar's documentation."],
        )
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_body_is_told_where_and_never_what() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let post = |body: &str| {
        let body = body.to_owned();
        service
            .request(Method::POST, "/v1/seal")
            .header("content-type", "application/json")
            .body(body)
    };
    check(
        post(r#"{"items": [{"secret": "canary-secret"#),
        expect!["400 malformed_body: The body is not what this route takes (line 1, column 36)."],
    )
    .await;
    check(
        post("\"canary-secret\""),
        expect!["400 malformed_body: The body is not what this route takes (line 1, column 15)."],
    )
    .await;
    check(
        post(""),
        expect!["400 malformed_body: The body is not what this route takes (line 1, column 0)."],
    )
    .await;
    // A secret where a name of a field should be, and a field that is an unknown kind.
    for (pointer, value) in [
        ("/items/0/field", json!("canary-secret")),
        ("/items/0/endpoint/kind", json!("canary-secret")),
        ("/items/0/endpoint/record", json!("canary-secret")),
        ("/items/0/endpoint/port", json!("canary-secret")),
        ("/items/0/endpoint/tls_mode", json!("canary-secret")),
        ("/items/0/secret", json!(["canary-secret"])),
        ("/database", json!("canary-secret")),
    ] {
        let mut body = seal(&json!("canary"));
        *body.pointer_mut(pointer).expect("it is there") = value;
        let answer = Answer::of(service.request(Method::POST, "/v1/seal").json(&body)).await;
        assert_eq!(answer.status, 400, "{pointer}: {answer:?}");
        assert_eq!(answer.json()["code"], "malformed_body");
        assert!(!answer.text.contains("canary"), "{pointer}: {answer:?}");
    }
    check(
        service.request(Method::POST, "/v1/seal").body("canary-secret"),
        expect!["400 malformed_body: The content type has to be application/json."],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_beyond_the_limit_is_refused() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    check(
        service
            .request(Method::POST, "/v1/seal")
            .header("content-type", "application/json")
            .body(vec![b' '; 16 * 1024 * 1024 + 1]),
        expect!["413 body_too_large: A body may have 16777216 bytes."],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_database_gets_nothing() {
    let (service, odoo, _home) = Service::with_odoo().await;
    let other = Uuid::from_u128(0xc0b1);
    let bodies = [
        ("/v1/seal", seal(&json!("canary"))),
        ("/v1/probes", probes(&[endpoint(7, 5432)])),
        (
            "/v1/render",
            json!({"database": other, "format": "uri", "endpoints": [endpoint(7, 5432)]}),
        ),
    ];
    for (path, body) in bodies {
        check(
            service
                .request(Method::POST, path)
                .json(&changed(&body, &json!({"database": other}))),
            expect!["409 wrong_database: The token was given to another database. If this database is a copy, pair it by itself."],
        )
        .await;
    }
    assert!(odoo.outcomes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_endpoints_than_are_taken_are_refused_whole() {
    let (service, odoo, _home) = Service::with_odoo().await;
    let many = vec![json!({"record": Uuid::nil(), "kind": "api", "base_url": null, "port": null}); 10_001];
    check(
        service.request(Method::POST, "/v1/probes").json(&probes(&many)),
        expect!["422 too_many_endpoints: A request may have 10000 endpoints."],
    )
    .await;
    assert!(odoo.outcomes().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_beyond_the_limit_is_refused() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let body = seal(&json!("canary".repeat(20_000)));
    check(
        service.request(Method::POST, "/v1/seal").json(&body),
        expect!["422 unsealable: a secret of more than 65536 bytes is not sealed."],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_format_that_there_is_not_lists_those_that_there_are() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let body = json!({"database": DATABASE_UUID, "format": "cobol", "endpoints": [endpoint(7, 5432)]});
    check(
        service.request(Method::POST, "/v1/render").json(&body),
        expect!["422 unknown_format: “cobol” is no format here; there are: uri, uri-direct, uri-transaction-pooler, uri-session-pooler, mysql-uri, mongodb-uri, libpq, jdbc, dotnet, sqlalchemy, env, env-export, env-json, psql, pgpass, pg_service, curl, superset-database, prometheus, go, node, php, python, rust, prisma, drizzle, odoo-conf, supabase-env, nextjs-env, compose, compose-service, k8s-configmap, k8s-secret, mcp-json, mcp-vscode, mcp-claude-code, json, yaml, toml."],
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_has_placeholders_where_secrets_are() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let sealed = service.seal("canary-secret", &endpoint(7, 5432)).await;
    let whole = changed(&endpoint(7, 5432), &json!({"password": sealed}));
    let broken = changed(&endpoint(8, 5432), &json!({"base_url": null}));
    for format in Format::of_kind(Kind::Postgresql).map(Format::as_str) {
        let body = json!({"database": DATABASE_UUID, "format": format, "endpoints": [whole, broken]});
        let answer = service.post("/v1/render", &body).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(
            !answer.text.contains("canary") && !answer.text.contains("ip1."),
            "{answer:?}"
        );
        let documents = answer.json()["documents"].clone();
        assert_eq!((&documents[0]["id"], &documents[1]["id"]), (&json!(7), &json!(8)));
        let content = documents[0]["content"].as_str().expect("text");
        // A service that is started here has another place, and what is no secret stands elsewhere.
        let is_elsewhere = ["compose-service", "k8s-secret"].contains(&format);
        assert!(
            is_elsewhere || (content.contains("127.0.0.1") && content.contains("5432")),
            "{content}"
        );
        assert_eq!(documents[1]["error"], "The server is missing.");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dialog_gets_every_format_of_one_endpoint_in_one_answer() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let sealed = service.seal("canary-secret", &endpoint(7, 5432)).await;
    let whole = changed(&endpoint(7, 5432), &json!({"password": sealed}));
    let connect = |reveal: bool, endpoints: &[Value]| json!({"database": DATABASE_UUID, "reveal": reveal, "endpoints": endpoints});
    let hidden = service
        .post("/v1/connect", &connect(false, std::slice::from_ref(&whole)))
        .await;
    assert!(
        !hidden.text.contains("canary") && !hidden.text.contains("ip1."),
        "{hidden:?}"
    );
    let answer = hidden.json();
    let ids: Vec<_> = answer["formats"]
        .as_array()
        .expect("formats")
        .iter()
        .map(|format| format["id"].clone())
        .collect();
    assert_eq!(
        ids,
        Format::of_kind(Kind::Postgresql)
            .map(Format::as_str)
            .collect::<Vec<_>>()
    );
    for format in answer["formats"].as_array().expect("formats") {
        assert_eq!(format["error"], Value::Null, "{format}");
        assert!(
            answer["tabs"]
                .as_array()
                .expect("tabs")
                .iter()
                .any(|tab| tab["id"] == format["tab"])
        );
    }
    let password = |answer: &Value| {
        let parameters = answer["parameters"].as_array().expect("parameters");
        parameters
            .iter()
            .find(|parameter| parameter["id"] == "password")
            .expect("a password")
            .clone()
    };
    assert_eq!(
        password(&answer),
        json!({"id": "password", "label": "Password", "value": "[YOUR-PASSWORD]", "is_secret": true})
    );
    let shown = service
        .post("/v1/connect", &connect(true, std::slice::from_ref(&whole)))
        .await
        .json();
    assert_eq!(password(&shown)["value"], "canary-secret");
    let superset = shown["formats"]
        .as_array()
        .expect("formats")
        .iter()
        .find(|format| format["id"] == "superset-database");
    let files = superset.expect("Superset's")["files"].clone();
    assert_eq!(files.as_array().map(Vec::len), Some(2), "{files}");

    let broken = changed(&endpoint(8, 5432), &json!({"base_url": null}));
    let alone = service
        .post("/v1/connect", &connect(false, std::slice::from_ref(&broken)))
        .await
        .json();
    assert_eq!(alone["formats"][0]["error"], "The server is missing.");
    assert_eq!(alone["parameters"], json!([]));

    let several = service
        .post("/v1/connect", &connect(true, &[whole, broken]))
        .await
        .json();
    let formats = several["formats"].as_array().expect("formats");
    assert!(
        !formats.iter().any(|format| format["id"] == "psql"),
        "a command is of one connection"
    );
    assert_eq!(formats[0]["left_out"][0][1], "The server is missing.");
    assert!(
        formats[0]["content"]
            .as_str()
            .expect("text")
            .contains("canary-secret")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revealed_configuration_has_the_secrets_of_this_database_and_says_which_do_not_open() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let own = endpoint(7, 5432);
    let sealed = service.seal("canary@1", &own).await;
    let whole = changed(&own, &json!({"password": sealed}));
    let moved = changed(
        &own,
        &json!({"id": 8, "name": "Moved", "base_url": "evil.example", "password": sealed}),
    );
    let render = |combine: bool| {
        json!({
            "database": DATABASE_UUID, "format": "uri", "reveal": true, "combine": combine,
            "endpoints": [whole, moved],
        })
    };
    let documents = service.post("/v1/render", &render(false)).await.json()["documents"].clone();
    let content = documents[0]["content"].as_str().expect("text");
    assert!(content.contains(":canary%401@127.0.0.1:5432"), "{content}");
    assert_eq!(documents[1]["content"], "");
    let error = documents[1]["error"].as_str().expect("a reason");
    assert!(
        error.contains("another server, record, field or database"),
        "{error}"
    );
    let combined = service.post("/v1/render", &render(true)).await.json()["documents"][0].clone();
    let content = combined["content"].as_str().expect("text");
    assert!(
        content.contains("canary%401") && content.contains("# Moved: left out."),
        "{content}"
    );
    assert!(!content.contains("evil.example"), "{content}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pasted_text_comes_back_as_the_values_of_a_record() {
    let (service, _odoo, _home) = Service::with_odoo().await;
    let parse = |text: &str| json!({"database": DATABASE_UUID, "text": text});
    let text = "# Books\nBOOKS_URL=postgresql://reader:x@db.example:5433/books?sslmode=require\nBOOKS_PASSWORD='canary 1'\n";
    let answer = service.post("/v1/parse", &parse(text)).await.json();
    let connection = &answer["connections"][0];
    let expected = json!({
        "name": "Books", "kind": "postgresql", "base_url": "db.example", "port": 5433, "tls_mode": "require",
        "username": "reader", "database_name": "books", "password": "canary 1", "api_key": null,
    });
    for (name, value) in expected.as_object().expect("values") {
        assert_eq!(&connection[name], value, "{name}");
    }
    assert_eq!(answer["variables"][1], json!(["BOOKS_PASSWORD", "canary 1"]));
    check(
        service
            .request(Method::POST, "/v1/parse")
            .json(&parse("postgresql://u:canary@a,b/books")),
        expect!["422 unreadable_text: It names several servers; one URL is one endpoint."],
    )
    .await;
}
