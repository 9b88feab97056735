//! Odoo's XML-RPC: the same services as JSON-RPC's, in XML.
//!
//! Spoken to is `/xmlrpc/<service>`, not `/xmlrpc/2/<service>`: that one writes a
//! number in place of the exception's name, the same for a record that is missing
//! and for data that is not valid.

use serde_json::Value;
use url::Url;

use crate::client::at;
use crate::error::Error;
use crate::fault::classify;
use crate::http::send;
use crate::xml::{self, Response};

/// Calls a method of one of the services `common` and `object`.
pub async fn call(
    http: &reqwest::Client,
    server: &Url,
    service: &str,
    method: &str,
    database: &str,
    arguments: Value,
) -> Result<Value, Error> {
    let arguments = match arguments {
        Value::Array(arguments) => arguments,
        other => vec![other],
    };
    let request = http
        .post(at(server, &format!("/xmlrpc/{service}")))
        .header("Content-Type", "text/xml")
        .body(xml::request(method, &arguments)?);
    let answer = send(request).await?;
    let status = answer.status.as_u16();
    match xml::response(&answer.success()?).map_err(|_| Error::NotOdoo(status))? {
        Response::Value(value) => Ok(value),
        Response::Fault { code, text } => Err(fault(&code, &text, database)),
    }
}

/// Of `odoo.addons.rpc.controllers.xmlrpc`: what a user is told has its exception's name in
/// the code, what nobody foresaw its traceback in the text, of which the last line counts.
fn fault(code: &str, text: &str, database: &str) -> Error {
    if code == "AccessDenied" {
        return classify("odoo.exceptions.AccessDenied", text, database);
    }
    if let Some(warning) = code.strip_prefix("warning -- ") {
        let (name, words) = warning.split_once("\n\n").unwrap_or((warning, ""));
        let name = match name.trim() {
            "Warning" => "UserError",
            name => name,
        };
        return classify(&format!("odoo.exceptions.{name}"), words, database);
    }
    let raised = text
        .lines()
        .rev()
        // What follows the name's line, such as PostgreSQL's details, is part of its words.
        .find_map(exception)
        .unwrap_or_default();
    classify(&raised, code, database)
}

/// The name of an exception from the line of a traceback that has it, with its module.
fn exception(line: &str) -> Option<String> {
    let name = line.split_once(':').map_or(line, |(name, _)| name);
    let is_name = !name.is_empty()
        && name.split('.').all(|part| {
            part.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
                && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        });
    let last = name.rsplit('.').next().unwrap_or_default();
    // PostgreSQL's own `DETAIL:` is none.
    let is_class =
        last.starts_with(|c: char| c.is_ascii_uppercase()) && last.contains(|c: char| c.is_ascii_lowercase());
    if !is_name || !is_class {
        return None;
    }
    Some(match name.contains('.') {
        true => name.to_owned(),
        false => format!("builtins.{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_user_is_told_has_its_name_in_the_code() {
        let said = |name: &str| fault(&format!("warning -- {name}\n\nNo."), "", "x");
        assert!(matches!(said("AccessError"), Error::Forbidden(words) if words == "No."));
        assert!(matches!(said("MissingError"), Error::Missing(words) if words == "No."));
        assert!(matches!(said("UserError"), Error::Invalid(words) if words == "No."));
        assert!(matches!(said("Warning"), Error::Invalid(_)));
        assert!(matches!(
            fault("AccessDenied", "Access Denied", "x"),
            Error::AccessDenied
        ));
    }

    #[test]
    fn what_nobody_foresaw_has_its_name_in_the_last_line_of_its_traceback() {
        let traceback =
            "Traceback (most recent call last):\n  File \"odoo/http.py\", line 1, in x\n    secret = 7\n";
        let raised =
            |line: &str, code: &str| fault(code, &format!("{traceback}{line}\nDETAIL:  more of it\n"), "x");
        assert!(matches!(
            raised("AttributeError: The method 'a.b' does not exist", "The method 'a.b' does not exist"),
            Error::NoSuchMethod(words) if words == "The method 'a.b' does not exist"
        ));
        let missing = "connection to server failed: FATAL:  database \"x\" does not exist";
        assert!(matches!(
            raised(&format!("psycopg2.OperationalError: {missing}\n"), missing),
            Error::WrongDatabase
        ));
        let error = raised("ValueError: no", "no");
        assert!(matches!(&error, Error::Server(name) if name == "builtins.ValueError"));
        assert!(!format!("{error:?}").contains("secret"));
    }
}
