//! What stands in the place of an endpoint's secrets.

use secrecy::{ExposeSecret, SecretString};

use crate::text::Text;
use crate::unwritable::Unwritable;

/// The brackets are illegal there in a URI, so no tool takes these for a secret.
const PASSWORD: &str = "[YOUR-PASSWORD]";
pub(crate) const API_KEY: &str = "[YOUR-API-KEY]";

/// An endpoint's secrets, as a document has them.
#[derive(Debug, Clone)]
pub enum Secrets {
    /// For everybody: what a reader fills in. Which of them is stored is no secret.
    Placeholders { has_password: bool, has_api_key: bool },
    /// For who may see them. `None` is not set, and is left out of a document.
    Revealed {
        password: Option<SecretString>,
        api_key: Option<SecretString>,
    },
}

/// The two secrets, as far as a document has a place for them.
pub(crate) struct Pair<'a> {
    pub password: Option<Text<'a>>,
    pub api_key: Option<Text<'a>>,
}

impl Secrets {
    /// Placeholders, for an endpoint with nothing stored.
    pub const NONE_STORED: Secrets = Secrets::Placeholders {
        has_password: false,
        has_api_key: false,
    };

    /// What can be set and is not has a placeholder if its kind needs it.
    /// `needs` says so of the password and of the key, where nothing is stored.
    pub(crate) fn pair(&self, needs: (bool, bool)) -> Result<Pair<'_>, Unwritable> {
        match self {
            Secrets::Placeholders {
                has_password,
                has_api_key,
            } => {
                let placeholder = |what, text, wanted: bool| wanted.then(|| Text::placeholder(what, text));
                Ok(Pair {
                    password: placeholder("password", PASSWORD, *has_password || needs.0),
                    api_key: placeholder("API key", API_KEY, *has_api_key || needs.1),
                })
            }
            Secrets::Revealed { password, api_key } => Ok(Pair {
                password: text("password", password)?,
                api_key: text("API key", api_key)?,
            }),
        }
    }

    pub(crate) fn are_placeholders(&self) -> bool {
        matches!(self, Secrets::Placeholders { .. })
    }

    pub(crate) fn has_any_stored(&self) -> bool {
        match self {
            Secrets::Placeholders {
                has_password,
                has_api_key,
            } => *has_password || *has_api_key,
            Secrets::Revealed { password, api_key } => password.is_some() || api_key.is_some(),
        }
    }
}

fn text<'a>(what: &'static str, secret: &'a Option<SecretString>) -> Result<Option<Text<'a>>, Unwritable> {
    match secret.as_ref().map(|secret| secret.expose_secret()) {
        Some(text) if text.contains('\0') => Err(Unwritable::Unfit {
            what,
            why: "a NUL character in it, which neither a connection string nor an environment variable can have",
        }),
        Some(text) => Ok(Some(Text::new(what, text))),
        None => Ok(None),
    }
}
