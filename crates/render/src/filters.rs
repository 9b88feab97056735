//! The names that templates have for the encoders.

use std::fmt::{self, Display, Formatter};

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

/// A text in the spelling of its place, written when the document is, so that no copy of a secret is made for it.
struct Encoded<T, W>(T, W);

impl<'t, T, W> Display for Encoded<T, W>
where
    T: AsRef<Text<'t>>,
    W: Fn(&str, &mut Formatter<'_>) -> fmt::Result,
{
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.1(self.0.as_ref().raw(), f)
    }
}

macro_rules! filters {
    ($( $(#[$doc:meta])* $name:ident = |$text:ident| $encoded:expr; )*) => {$(
        $(#[$doc])*
        #[filter_fn]
        pub fn $name<'t>(text: impl AsRef<Text<'t>>, _: &dyn Values) -> Result<impl Display> {
            let $text = text.as_ref().raw();
            // What has no spelling here is told before anything is written.
            if let Err(unwritable) = fit(text.as_ref(), $encoded) {
                return Err(askama::Error::custom(unwritable));
            }
            Ok(Encoded(text, |$text: &str, f: &mut Formatter<'_>| match $encoded {
                Ok(encoded) => encoded.fmt(f),
                Err::<_, Why>(_) => Err(fmt::Error),
            }))
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
pub fn uri<'t>(text: impl AsRef<Text<'t>>, _: &dyn Values) -> Result<impl Display> {
    let is_placeholder = text.as_ref().is_placeholder();
    Ok(Encoded(
        text,
        move |text: &str, f: &mut Formatter<'_>| match is_placeholder {
            true => f.write_str(text),
            false => encode::uri(text).fmt(f),
        },
    ))
}

/// `NAME=value` in a Compose file.
#[filter_fn]
pub fn compose_entry<'t>(text: impl AsRef<Text<'t>>, _: &dyn Values, name: &str) -> Result<impl Display> {
    let name = name.to_owned();
    Ok(Encoded(text, move |text: &str, f: &mut Formatter<'_>| {
        encode::compose_entry(&name, text).fmt(f)
    }))
}
