//! A value of an endpoint, which gets into a document through an encoder only.

use std::borrow::Cow;

/// Has no `Display` and no `Debug` on purpose: a template that names it without
/// the encoder of its place does not compile.
///
/// ```compile_fail
/// use insightpulse_render::Text;
///
/// #[derive(askama::Template)]
/// #[template(source = "password={{ password }}", ext = "txt", escape = "none")]
/// struct Raw<'a> {
///     password: Text<'a>,
/// }
/// ```
#[derive(Clone)]
pub struct Text<'a> {
    text: Cow<'a, str>,
    what: &'static str,
    is_placeholder: bool,
}

impl<'a> Text<'a> {
    /// `what` is what people call it, in an error: "user name".
    pub(crate) fn new(what: &'static str, text: impl Into<Cow<'a, str>>) -> Self {
        Self {
            text: text.into(),
            what,
            is_placeholder: false,
        }
    }

    /// What stands for a secret: its brackets are kept where they are what a tool refuses.
    pub(crate) fn placeholder(what: &'static str, text: &'a str) -> Self {
        Self {
            is_placeholder: true,
            ..Self::new(what, text)
        }
    }

    /// For encoders alone.
    pub(crate) fn raw(&self) -> &str {
        &self.text
    }

    pub(crate) fn what(&self) -> &'static str {
        self.what
    }

    pub(crate) fn is_placeholder(&self) -> bool {
        self.is_placeholder
    }
}

/// So that an encoder takes a text and a reference to one.
impl<'a> AsRef<Text<'a>> for Text<'a> {
    fn as_ref(&self) -> &Text<'a> {
        self
    }
}
