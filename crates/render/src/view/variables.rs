//! An endpoint as variables of an environment.

use super::{Base, View};
use crate::text::Text;
use crate::unwritable::Unwritable;

pub(crate) struct Variable<'v> {
    /// What follows the prefix: `URL`.
    pub name: &'static str,
    pub value: Text<'v>,
}

impl<'a> View<'a> {
    /// As the seed has them; what is not set has no line.
    pub fn variables(&self) -> Vec<Variable<'_>> {
        let (url, user) = match self {
            View::Database(it) => (it.uri(), Some(it.user().clone())),
            View::Http(it) => (it.url(), it.user()),
        };
        given([("URL", Some(url)), ("USER", user)])
            .chain(self.secrets())
            .collect()
    }

    /// What may be read by everybody: an address without its password.
    pub fn plain_variables(&self) -> Vec<Variable<'_>> {
        match self {
            View::Database(it) => given([
                ("HOST", Some(it.lookup())),
                ("PORT", Some(Text::new("port", it.port.to_string()))),
                ("DATABASE", it.opened_database()),
                ("USER", Some(it.user().clone())),
                ("SSLMODE", Some(Text::new("TLS mode", it.sslmode()))),
            ])
            .collect(),
            View::Http(it) => given([("URL", Some(it.url())), ("USER", it.user())]).collect(),
        }
    }

    /// What is a secret, or has one in it.
    pub fn secret_variables(&self) -> Result<Vec<Variable<'_>>, Unwritable> {
        let url = match self {
            View::Database(it) => Some(it.uri()),
            View::Http(_) => None,
        };
        let variables: Vec<_> = given([("URL", url)]).chain(self.secrets()).collect();
        if variables.is_empty() {
            return Err(Unwritable::Missing(
                "No password and no key is stored, so there is no Secret to write.",
            ));
        }
        Ok(variables)
    }

    fn secrets(&self) -> impl Iterator<Item = Variable<'a>> + use<'a> {
        let Base {
            password, api_key, ..
        } = self.base();
        given([("PASSWORD", password.clone()), ("API_KEY", api_key.clone())])
    }
}

fn given<'v, const N: usize>(
    pairs: [(&'static str, Option<Text<'v>>); N],
) -> impl Iterator<Item = Variable<'v>> {
    pairs
        .into_iter()
        .filter_map(|(name, value)| Some(Variable { name, value: value? }))
}
