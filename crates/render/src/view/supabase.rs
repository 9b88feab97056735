//! What the key of a Supabase project's API is good for.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::Database;
use crate::secrets;
use crate::text::Text;
use crate::unwritable::Unwritable;

/// What a key may be given to.
///
/// <https://supabase.com/docs/guides/api/api-keys>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    /// A placeholder, or a key of no known form.
    Unknown,
    Publishable,
    Secret,
    /// A JWT of the older generation, for browsers.
    Anon,
    /// A JWT of the older generation that passes every policy.
    ServiceRole,
}

impl Key {
    fn of(text: &str) -> Self {
        if text.starts_with("sb_publishable_") {
            return Key::Publishable;
        }
        if text.starts_with("sb_secret_") {
            return Key::Secret;
        }
        let claims = text
            .split('.')
            .nth(1)
            .and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
        let claims: Option<serde_json::Value> = claims.and_then(|json| serde_json::from_slice(&json).ok());
        match claims.as_ref().and_then(|claims| claims["role"].as_str()) {
            Some("anon") => Key::Anon,
            Some(_) => Key::ServiceRole,
            None => Key::Unknown,
        }
    }
}

impl<'a> Database<'a> {
    fn key(&self) -> Key {
        self.api_key
            .as_ref()
            .map_or(Key::Unknown, |key| Key::of(key.raw()))
    }

    /// `SUPABASE_SECRET_KEY`: what Supabase calls a key of this form.
    pub fn key_variable(&self) -> &'static str {
        match self.key() {
            Key::Publishable => "SUPABASE_PUBLISHABLE_KEY",
            Key::Secret => "SUPABASE_SECRET_KEY",
            Key::Anon => "SUPABASE_ANON_KEY",
            Key::ServiceRole => "SUPABASE_SERVICE_ROLE_KEY",
            Key::Unknown => "SUPABASE_KEY",
        }
    }

    /// What may be in every browser; a key that passes every policy may not.
    pub fn public_key_variable(&self) -> Result<&'static str, Unwritable> {
        match self.key() {
            Key::Secret | Key::ServiceRole => Err(Unwritable::Missing(
                "The stored key is a secret one, which passes every policy, and what begins with NEXT_PUBLIC_ is in \
                 every browser. Store the project's publishable key to write this file.",
            )),
            Key::Anon => Ok("SUPABASE_ANON_KEY"),
            Key::Publishable | Key::Unknown => Ok("SUPABASE_PUBLISHABLE_KEY"),
        }
    }

    /// A key that this document is of no use without.
    pub fn needed_api_key(&self) -> Result<Text<'a>, Unwritable> {
        let placeholder = self
            .is_hidden
            .then_some(Text::placeholder("API key", secrets::API_KEY));
        self.api_key.clone().or(placeholder).ok_or(Unwritable::Missing(
            "No API key is stored, and this file needs one.",
        ))
    }

    /// The key, if a document may be without it.
    pub fn known_api_key(&self) -> Option<Text<'a>> {
        self.needed_api_key().ok()
    }

    pub fn needed_web_url(&self) -> Result<Text<'_>, Unwritable> {
        self.web_url().ok_or(Unwritable::Missing(
            "The web address of this project is not known, and this file needs it. Type it into the connection.",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_what_it_is_good_for() {
        let jwt = |claims: &str| format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims));
        assert_eq!(Key::of("sb_publishable_x"), Key::Publishable);
        assert_eq!(Key::of("sb_secret_x"), Key::Secret);
        assert_eq!(Key::of(&jwt(r#"{"role":"anon"}"#)), Key::Anon);
        assert_eq!(Key::of(&jwt(r#"{"role":"service_role"}"#)), Key::ServiceRole);
        for odd in ["", "a.b", &jwt("{}"), &jwt("?")] {
            assert_eq!(Key::of(odd), Key::Unknown, "{odd}");
        }
    }
}
