//! What a server's error means.

use insightpulse_domain::{Failure, Reason, server_text};

use super::message::ServerError;
use crate::database::About;

/// By the error's SQLSTATE where there is one for it, else by what poolers say,
/// which have one code for everything.
///
/// <https://www.postgresql.org/docs/current/errcodes-appendix.html>
pub fn refusal(about: &About<'_>, error: &ServerError<'_>) -> Failure {
    let words = String::from_utf8_lossy(error.message);
    let (target, password) = (about.target, about.password);
    let (place, user) = (about.place.clone(), about.user());
    let database = server_text(target.database.as_deref().unwrap_or(&target.user));
    let reason = match error.code {
        "28P01" if password.is_none() => Reason::PasswordMissing { place, user },
        "28P01" => Reason::PasswordRefused { place, user },
        // Of a certificate that is missing, or that names another user.
        "28000" if words.contains("certificate") => match target.client_certificate {
            None => Reason::ClientCertificateWanted { place },
            Some(_) => Reason::ClientCertificateRefused { place },
        },
        "28000" => Reason::UserNotLetIn { place, user },
        "3D000" => Reason::DatabaseUnknown { place, database },
        "42501" => Reason::DatabaseForbidden {
            place,
            user,
            database,
        },
        "53300" => Reason::NoConnectionFree { place },
        "57P03" => Reason::Starting { place },
        "57P01" | "57P02" => Reason::ShuttingDown { place },
        _ => by_words(place, user, database, &words),
    };
    let said = match error.code {
        "" => words.into_owned(),
        code => format!("{code}: {words}"),
    };
    Failure::from(reason).said(&said, password)
}

/// What PgBouncer and Supavisor say with no code of their own: they are the
/// only ones known to, and their words are part of no translation.
fn by_words(place: String, user: String, database: String, words: &str) -> Reason {
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    if says(&["no such database"]) || (words.starts_with("database \"") && words.ends_with("does not exist"))
    {
        Reason::DatabaseUnknown { place, database }
    } else if says(&["no such user", "Tenant or user not found"]) {
        Reason::UserUnknown { place, user }
    } else if says(&[
        "password authentication failed",
        "SASL authentication failed",
        "auth failed",
    ]) {
        Reason::PasswordRefused { place, user }
    } else if says(&[
        "no more connections allowed",
        "Max client connections reached",
        "max clients reached",
    ]) {
        Reason::NoConnectionFree { place }
    } else if says(&[
        "server login failed",
        "server conn crashed",
        "query_wait_timeout",
        "cannot connect to server",
    ]) {
        Reason::PoolerWithoutServer { place }
    } else {
        Reason::ServerError { place }
    }
}
