//! Makes the same calls of a real Odoo in one dialect, and prints what comes back as JSON.
//!
//! `ODOO_URL`, `ODOO_DATABASE`, `ODOO_LOGIN`, `ODOO_API_KEY` and `ODOO_PROTOCOL` say where and
//! how; `ODOO_WEAK_LOGIN` and `ODOO_WEAK_API_KEY` are those of a user without rights.

use std::env;

use insightpulse_odoo_rpc::{Account, Call, Client, Error};
use serde_json::{Map, Value, json};

const PARTNER: &str = "res.partner";

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set"))
}

fn account() -> Account {
    Account {
        url: variable("ODOO_URL"),
        database: variable("ODOO_DATABASE"),
        login: variable("ODOO_LOGIN"),
        api_key: variable("ODOO_API_KEY").into(),
    }
}

fn client(account: Account) -> Client {
    let protocol = variable("ODOO_PROTOCOL").parse().expect("a protocol");
    Client::new(account, protocol).expect("an address")
}

/// What a caller branches on, and no more: the words differ with the reader's language.
fn told(answer: Result<Value, Error>) -> Value {
    let name = match answer {
        Ok(value) => return json!({"ok": value}),
        Err(Error::BadUrl) => "bad_url",
        Err(Error::Unreachable(_)) => "unreachable",
        Err(Error::Timeout) => "timeout",
        Err(Error::NotOdoo(_)) => "not_odoo",
        Err(Error::TooLarge(_)) => "too_large",
        Err(Error::WrongDatabase) => "wrong_database",
        Err(Error::AccessDenied) => "access_denied",
        Err(Error::Forbidden(_)) => "forbidden",
        Err(Error::Invalid(_)) => "invalid",
        Err(Error::Missing(_)) => "missing",
        Err(Error::NoSuchMethod(_)) => "no_such_method",
        Err(Error::Server(_)) => "server",
        Err(Error::AnswerLost) => "answer_lost",
    };
    json!({"error": name})
}

#[tokio::main]
async fn main() {
    rustls::crypto::ring::default_provider()
        .install_default()
        .expect("nobody has chosen before");
    let odoo = client(account());
    let mut said = Map::new();
    let mut say = |name: &str, answer: Result<Value, Error>| {
        said.insert(name.into(), told(answer));
    };

    // Values, there and back.
    let values = json!({
        "name": " Söphie < & > \"quoted\" \r\n 🎈 ", "comment": false, "color": 11,
        "active": true, "partner_latitude": 14.5995, "email": "",
    });
    let created = odoo
        .call(Call::new(PARTNER, "create").arg("vals_list", json!([values])))
        .await;
    let id = created
        .as_ref()
        .ok()
        .and_then(|ids| ids[0].as_i64())
        .unwrap_or_else(|| panic!("no record was made: {created:?}"));
    let fields = json!([
        "name",
        "color",
        "active",
        "partner_latitude",
        "email",
        "child_ids",
        "parent_id"
    ]);
    say(
        "read",
        odoo.call(Call::new(PARTNER, "read").ids([id]).arg("fields", fields))
            .await
            .map(|mut rows| {
                rows[0].as_object_mut().expect("a record").remove("id");
                rows
            }),
    );
    say(
        "search_read",
        odoo.call(
            Call::new(PARTNER, "search_read")
                .arg("domain", json!([["id", "=", id], ["active", "=", true]]))
                .arg("fields", json!(["color"]))
                .arg("limit", 1),
        )
        .await
        .map(|rows| rows[0]["color"].clone()),
    );
    say(
        "nothing",
        odoo.call(Call::new(PARTNER, "search").arg("domain", json!([["id", "=", 0]])))
            .await,
    );
    say(
        "context",
        odoo.call(
            Call::new(PARTNER, "search_count")
                .arg(
                    "domain",
                    json!([["id", "=", id], ["active", "in", [true, false]]]),
                )
                .context(json!({"active_test": false})),
        )
        .await,
    );
    let parameter = json!({"key": "conformance", "value": "9007199254740993"});
    say(
        "write",
        odoo.call(
            Call::new(PARTNER, "write")
                .ids([id])
                .arg("vals", json!({"color": 7})),
        )
        .await,
    );
    say("check", odoo.check().await.map(|()| json!(true)));

    // Faults.
    say(
        "validation",
        odoo.call(
            Call::new(PARTNER, "write")
                .ids([id])
                .arg("vals", json!({"parent_id": id})),
        )
        .await,
    );
    say(
        "missing",
        odoo.call(
            Call::new(PARTNER, "write")
                .ids([99_999_999])
                .arg("vals", json!({"color": 7})),
        )
        .await,
    );
    say(
        "no_such_method",
        odoo.call(Call::new(PARTNER, "no_such_method").ids([id])).await,
    );
    say(
        "no_such_model",
        odoo.call(Call::new("no.such.model", "search")).await,
    );
    say(
        "create_one",
        odoo.call(Call::new(PARTNER, "create").arg("vals_list", json!({"name": "One"})))
            .await
            .map(|ids| json!(ids.as_array().map(Vec::len))),
    );
    say(
        "private_method",
        odoo.call(
            Call::new(PARTNER, "_write")
                .ids([id])
                .arg("vals", json!({"color": 7})),
        )
        .await,
    );
    say(
        "server",
        odoo.call(Call::new(PARTNER, "search").arg("domain", json!([["no_such_field", "=", 1]])))
            .await,
    );
    let weak = client(Account {
        login: variable("ODOO_WEAK_LOGIN"),
        api_key: variable("ODOO_WEAK_API_KEY").into(),
        ..account()
    });
    say(
        "forbidden",
        weak.call(Call::new("ir.config_parameter", "create").arg("vals_list", json!([parameter])))
            .await,
    );
    let stranger = client(Account {
        api_key: "0123456789012345678901234567890123456789".to_owned().into(),
        ..account()
    });
    say(
        "wrong_key",
        stranger
            .call(Call::new(PARTNER, "search").arg("domain", json!([])))
            .await,
    );
    say("wrong_key_check", stranger.check().await.map(|()| json!(true)));
    let lost = client(Account {
        database: "no_such_database".into(),
        ..account()
    });
    say(
        "wrong_database",
        lost.call(Call::new(PARTNER, "search").arg("domain", json!([])))
            .await,
    );
    let proxied = client(Account {
        url: variable("ODOO_PROXY_URL"),
        ..account()
    });
    say(
        "proxy",
        proxied
            .call(Call::new(PARTNER, "search").arg("domain", json!([])))
            .await,
    );
    let nobody = client(Account {
        url: "http://127.0.0.1:1".into(),
        ..account()
    });
    say(
        "nobody",
        nobody
            .call(Call::new(PARTNER, "search").arg("domain", json!([])))
            .await,
    );
    println!("{}", Value::Object(said));
}
