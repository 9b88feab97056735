//! What Odoo raised, by the name of its exception: the same in every dialect.

use crate::error::Error;

/// The most characters of Odoo's own words that go into an error.
const WORDS_MAX: usize = 300;

/// By the name of Odoo's exception with its module, as `odoo.http.serialize_exception`
/// writes it: `odoo.exceptions.…`, and what its database layer raises for a database
/// that is not there.
///
/// Words that Odoo has for its users are repeated. Those of an exception that nobody foresaw
/// may have anything in them, a value of the call too: of that only the name is.
pub fn classify(name: &str, words: &str, database: &str) -> Error {
    let is_no_model = words.starts_with("Object ") && words.ends_with(" doesn't exist");
    let names_database = words.contains(database);
    let words: String = words
        .chars()
        .filter(|c| !c.is_control())
        .take(WORDS_MAX)
        .collect();
    match name {
        "odoo.exceptions.AccessDenied" | "werkzeug.exceptions.Unauthorized" => Error::AccessDenied,
        "odoo.exceptions.AccessError" => Error::Forbidden(words),
        "odoo.exceptions.UserError" if is_no_model => Error::NoSuchMethod(words),
        // XML-RPC has one name for the last three.
        "odoo.exceptions.ValidationError"
        | "odoo.exceptions.UserError"
        | "odoo.exceptions.RedirectWarning"
        | "odoo.exceptions.LockError" => Error::Invalid(words),
        "odoo.exceptions.MissingError" => Error::Missing(words),
        "werkzeug.exceptions.NotFound" => Error::NoSuchMethod(words),
        "builtins.AttributeError" if words.starts_with("The method '") => Error::NoSuchMethod(words),
        "psycopg2.OperationalError" if words.contains("does not exist") => Error::WrongDatabase,
        "builtins.KeyError" if names_database => Error::WrongDatabase,
        "odoo.modules.registry.RegistryError" => Error::WrongDatabase,
        // What Python's own XML-RPC says of an answer that it cannot write.
        "builtins.TypeError" if words.starts_with("cannot marshal") => Error::AnswerLost,
        "builtins.OverflowError" if words.contains("XML-RPC") => Error::AnswerLost,
        _ => Error::Server(if name.is_empty() {
            "an exception".into()
        } else {
            name.into()
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exception_of_odoo_is_its_own_error() {
        let said = |name: &str| classify(name, "No.", "books");
        assert!(matches!(
            said("odoo.exceptions.AccessDenied"),
            Error::AccessDenied
        ));
        assert!(matches!(said("odoo.exceptions.AccessError"), Error::Forbidden(words) if words == "No."));
        assert!(matches!(
            said("odoo.exceptions.ValidationError"),
            Error::Invalid(_)
        ));
        assert!(matches!(said("odoo.exceptions.UserError"), Error::Invalid(_)));
        assert!(matches!(said("odoo.exceptions.MissingError"), Error::Missing(_)));
        assert!(matches!(said("builtins.AttributeError"), Error::Server(_)));
        assert!(matches!(said("builtins.KeyError"), Error::Server(_)));
        let words = |name: &str, words: &str| classify(name, words, "books");
        let (no_method, no_model) = ("The method 'a.b' does not exist", "Object a.b doesn't exist");
        assert!(matches!(
            words("builtins.AttributeError", no_method),
            Error::NoSuchMethod(_)
        ));
        assert!(matches!(
            words("odoo.exceptions.UserError", no_model),
            Error::NoSuchMethod(_)
        ));
        assert!(matches!(
            words("builtins.KeyError", "'books'"),
            Error::WrongDatabase
        ));
        let none = "cannot marshal None unless allow_none is enabled";
        let lost = words("builtins.TypeError", none);
        assert!(matches!(lost, Error::AnswerLost) && !lost.is_retryable());
    }

    #[test]
    fn what_nobody_foresaw_is_told_by_its_name_alone() {
        let error = classify("builtins.ValueError", "Invalid term 'canary'", "books");
        assert_eq!(
            error.to_string(),
            "Odoo failed with builtins.ValueError; its log says more"
        );
    }

    #[test]
    fn words_are_cut_and_have_no_control_characters() {
        let long = "a\u{1b}\n".repeat(1_000);
        let Error::Invalid(words) = classify("odoo.exceptions.UserError", &long, "books") else {
            panic!("another error")
        };
        assert_eq!(words, "a".repeat(300));
    }
}
