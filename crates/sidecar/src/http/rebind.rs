//! `POST /v1/rebind`: tokens in, tokens out that open for another destination.

use actix_web::web::{self, Data, Json};
use insightpulse_domain::RawEndpoint;
use insightpulse_vault::{Binding, Field, Keyring, OpenError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Api, Caller, Problem, require_database, require_few};

#[derive(Deserialize)]
pub struct Request {
    database: Uuid,
    /// Where the tokens were sealed; this database by default.
    #[serde(default)]
    from_database: Option<Uuid>,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    field: Field,
    token: String,
    from: RawEndpoint,
    to: RawEndpoint,
}

#[derive(Serialize)]
pub struct Response {
    /// In the order of the items.
    results: Vec<Rebound>,
}

#[derive(Serialize)]
struct Rebound {
    token: Option<String>,
    /// Why there is none.
    error: Option<String>,
}

pub async fn rebind(
    api: Data<Api>,
    caller: Caller,
    request: Json<Request>,
) -> Result<Json<Response>, Problem> {
    let Request {
        database,
        from_database,
        items,
    } = request.into_inner();
    require_database(&caller, database)?;
    require_few(items.len())?;
    let from_database = from_database.unwrap_or(database);
    // Databases are apart: what one seals, another gets only by the will of who runs the sidecar.
    if from_database != database && !caller.may_carry_over_from(from_database, Timestamp::now()) {
        return Err(Problem::carry_over_not_permitted(from_database));
    }
    let keyring = api.keyring.get();
    let rebinding = web::block(move || {
        items
            .iter()
            .map(|item| Rebound::of(rebound(&keyring, from_database, database, item)))
            .collect()
    });
    let results = rebinding.await.map_err(|_| Problem::internal())?;
    Ok(Json(Response { results }))
}

fn rebound(keyring: &Keyring, from: Uuid, to: Uuid, item: &Item) -> Result<String, String> {
    let target = Binding::of(to, &item.to, item.field);
    let opened = item
        .token
        .parse()
        .and_then(|token| {
            // What was typed here since belongs here already.
            keyring
                .open(&token, &Binding::of(from, &item.from, item.field))
                .or_else(|error| keyring.open(&token, &target).map_err(|_| error))
        })
        .map_err(|error: OpenError| error.to_string())?;
    keyring
        .seal(&opened, &target)
        .map(|token| token.to_string())
        .map_err(|error| format!("{error}."))
}

impl Rebound {
    fn of(result: Result<String, String>) -> Self {
        match result {
            Ok(token) => Self {
                token: Some(token),
                error: None,
            },
            Err(error) => Self {
                token: None,
                error: Some(error),
            },
        }
    }
}
