//! What Odoo raised, by the name of its exception: the same in every dialect.

use crate::error::Error;

/// The most characters of Odoo's own words that go into an error.
const WORDS_MAX: usize = 300;

/// By the name of Odoo's exception with its module, as `odoo.http.serialize_exception`
/// writes it: `odoo.exceptions.…`, and what its database layer raises for a database
/// that is not there.
pub fn classify(name: &str, words: &str) -> Error {
    let words: String = words
        .chars()
        .filter(|c| !c.is_control())
        .take(WORDS_MAX)
        .collect();
    match name {
        "odoo.exceptions.AccessDenied" | "werkzeug.exceptions.Unauthorized" => Error::AccessDenied,
        "odoo.exceptions.AccessError" => Error::Forbidden(words),
        "odoo.exceptions.ValidationError" | "odoo.exceptions.UserError" => Error::Invalid(words),
        "odoo.exceptions.MissingError" => Error::Missing(words),
        "builtins.AttributeError" | "werkzeug.exceptions.NotFound" => Error::NoSuchMethod(words),
        "psycopg2.OperationalError" if words.contains("does not exist") => Error::WrongDatabase,
        "builtins.KeyError" | "odoo.modules.registry.RegistryError" => Error::WrongDatabase,
        _ => Error::Server(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_exception_of_odoo_is_its_own_error() {
        let said = |name: &str| classify(name, "No.");
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
        assert!(matches!(said("builtins.AttributeError"), Error::NoSuchMethod(_)));
        assert!(matches!(said("builtins.ValueError"), Error::Server(_)));
    }

    #[test]
    fn words_are_cut_and_have_no_control_characters() {
        let Error::Server(words) = classify("builtins.ValueError", &"a\u{1b}\n".repeat(1_000)) else {
            panic!("another error")
        };
        assert_eq!(words, "a".repeat(300));
    }
}
