//! The names that templates have for the encoders.

use askama::{Result, Values, filter_fn};

use crate::encode::{self, Why};
use crate::text::Text;
use crate::unwritable::Unwritable;

pub(crate) fn fit<T>(
    text: &Text<'_>,
    encoded: std::result::Result<T, Why>,
) -> std::result::Result<T, Unwritable> {
    encoded.map_err(|why| Unwritable::Unfit {
        what: text.what(),
        why,
    })
}

macro_rules! filters {
    ($( $(#[$doc:meta])* $name:ident = |$text:ident| $encoded:expr; )*) => {$(
        $(#[$doc])*
        #[filter_fn]
        pub fn $name<'t>(text: impl AsRef<Text<'t>>, _: &dyn Values) -> Result<String> {
            let text = text.as_ref();
            let $text = text.raw();
            match fit(text, $encoded) {
                Ok(encoded) => Ok(encoded.to_string()),
                Err(unwritable) => Err(askama::Error::custom(unwritable)),
            }
        }
    )*};
}

filters! {
    libpq = |text| Ok(encode::libpq(text));
    pgpass = |text| encode::pgpass(text);
    pg_service = |text| encode::pg_service(text);
    ini = |text| encode::ini(text);
    shell = |text| Ok(encode::shell(text));
    dotenv = |text| encode::dotenv(text);
    quoted = |text| Ok(encode::json(text));
    mcp = |text| encode::mcp(text);
    compose = |text| Ok(encode::compose(text));
    rust = |text| Ok(encode::rust(text));
    php = |text| Ok(encode::php(text));
    dotnet = |text| Ok(encode::dotnet(text));
    comment = |text| Ok(encode::comment(text));
    /// For a text that is the whole document.
    whole = |text| Ok(text);
}

/// A part of a URI. The brackets of a placeholder are no URI's: they are what a tool refuses.
#[filter_fn]
pub fn uri<'t>(text: impl AsRef<Text<'t>>, _: &dyn Values) -> Result<String> {
    let text = text.as_ref();
    Ok(match text.is_placeholder() {
        true => text.raw().to_owned(),
        false => encode::uri(text.raw()).to_string(),
    })
}

/// `NAME=value` in a Compose file.
#[filter_fn]
pub fn compose_entry<'t>(text: impl AsRef<Text<'t>>, _: &dyn Values, name: &str) -> Result<String> {
    Ok(encode::compose_entry(name, text.as_ref().raw()).to_string())
}
