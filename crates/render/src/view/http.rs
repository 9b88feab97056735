//! A web address, as one signs in there.

use std::ops::Deref;

use insightpulse_domain::{HttpTarget, Kind, Service, SignIn};

use super::Base;
use crate::encode;
use crate::filters::fit;
use crate::text::Text;
use crate::unwritable::Unwritable;

pub(crate) struct Http<'a> {
    base: Base<'a>,
    target: &'a HttpTarget,
    /// It never has credentials in it: they would end in logs and histories.
    url: String,
}

impl<'a> Deref for Http<'a> {
    type Target = Base<'a>;

    fn deref(&self) -> &Base<'a> {
        &self.base
    }
}

/// How a request says who it is.
pub(crate) enum Credentials<'a> {
    None,
    /// A header and its value.
    Header(String, String),
    Basic(Text<'a>, Option<Text<'a>>),
}

impl<'a> Http<'a> {
    pub(super) fn new(base: Base<'a>, target: &'a HttpTarget) -> Self {
        Self {
            base,
            target,
            url: target.url(),
        }
    }

    pub fn url(&self) -> Text<'_> {
        Text::new("address", self.url.as_str())
    }

    pub fn user(&self) -> Option<Text<'a>> {
        self.target
            .user
            .as_deref()
            .map(|user| Text::new("user name", user))
    }

    pub fn user_or(&self, other: &'static str) -> Text<'a> {
        self.user().unwrap_or(Text::new("user name", other))
    }

    pub fn port(&self) -> u16 {
        self.target.port.get()
    }

    pub fn compose_variable(&self) -> String {
        format!("{}_URL", self.prefix)
    }

    /// As the probe signs in: see `probe::kinds::api`.
    pub fn credentials(&self) -> Result<Credentials<'a>, Unwritable> {
        let (sign_in, key_header) = match &self.endpoint.service {
            Service::Api(api) => (api.sign_in, api.key_header.as_str()),
            _ => (None, ""),
        };
        let bearer = |key: &Text<'_>| {
            Ok(Credentials::Header(
                "Authorization".into(),
                format!("Bearer {}", in_header(key)?),
            ))
        };
        let basic = || match self.user() {
            Some(user) => Credentials::Basic(user, self.password.clone()),
            None => Credentials::None,
        };
        match (sign_in, &self.api_key) {
            (Some(SignIn::None), _) => Ok(Credentials::None),
            (Some(SignIn::Basic), _) => Ok(basic()),
            (Some(SignIn::Header), Some(key)) => Ok(Credentials::Header(
                key_header.to_owned(),
                in_header(key)?.to_owned(),
            )),
            (Some(SignIn::Bearer) | None, Some(key)) => bearer(key),
            (Some(SignIn::Bearer | SignIn::Header), None) => Ok(Credentials::None),
            (None, None) if self.kind() == Kind::Mcp => Ok(Credentials::None),
            (None, None) => Ok(basic()),
        }
    }
}

/// A key as it stands in a header's line.
pub(super) fn in_header<'t>(key: &'t Text<'_>) -> Result<&'t str, Unwritable> {
    fit(key, encode::header(key.raw()))
}
