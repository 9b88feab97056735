//! What stands in the place of an endpoint's secrets.

use secrecy::{ExposeSecret, SecretString};

/// The brackets are illegal there in a URI, so no tool takes these for a secret.
const PASSWORD: &str = "[YOUR-PASSWORD]";
const API_KEY: &str = "[YOUR-API-KEY]";

/// An endpoint's secrets, as a document has them.
#[derive(Debug, Clone)]
pub enum Secrets {
    /// For everybody: what a reader fills in.
    Placeholders,
    /// For who may see them. `None` is not set, and is left out of a document.
    Revealed {
        password: Option<SecretString>,
        api_key: Option<SecretString>,
    },
}

/// Why a document cannot say what it should; never with the secret in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unwritable {
    #[error(
        "The {0} has a NUL character in it, which neither a connection string nor an environment variable can have."
    )]
    Nul(&'static str),
    #[error(
        "The {0} has such quotes, backslashes or dollar signs in it that the readers of .env files differ on what \
         it is. Take it from the connection string, or change it."
    )]
    Ambiguous(&'static str),
}

impl Secrets {
    pub(crate) fn password(&self) -> Result<Option<&str>, Unwritable> {
        match self {
            Secrets::Placeholders => Ok(Some(PASSWORD)),
            Secrets::Revealed { password, .. } => text("password", password),
        }
    }

    pub(crate) fn api_key(&self) -> Result<Option<&str>, Unwritable> {
        match self {
            Secrets::Placeholders => Ok(Some(API_KEY)),
            Secrets::Revealed { api_key, .. } => text("API key", api_key),
        }
    }

    pub(crate) fn are_placeholders(&self) -> bool {
        matches!(self, Secrets::Placeholders)
    }
}

fn text<'a>(name: &'static str, secret: &'a Option<SecretString>) -> Result<Option<&'a str>, Unwritable> {
    let text = secret.as_ref().map(|secret| secret.expose_secret());
    match text {
        Some(text) if text.contains('\0') => Err(Unwritable::Nul(name)),
        text => Ok(text),
    }
}
