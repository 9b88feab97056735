//! What can go wrong between us and Odoo, classified once.

/// Every text is fit for a log and for a user: no traceback, no arguments.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not repeated: there may be a password in it.
    #[error("this is not the address of an Odoo server; one begins with https:// or http://")]
    BadUrl,
    #[error("Odoo cannot be reached: {0}")]
    Unreachable(String),
    #[error("Odoo did not answer in time")]
    Timeout,
    #[error("what answers is not Odoo, or a proxy before it: HTTP {0}")]
    NotOdoo(u16),
    #[error("Odoo's answer is larger than {0} bytes")]
    TooLarge(usize),
    #[error("Odoo has no database of this name, or it does not start")]
    WrongDatabase,
    #[error("Odoo does not accept the login or the API key")]
    AccessDenied,
    #[error("Odoo forbids the call: {0}")]
    Forbidden(String),
    #[error("Odoo refuses the data: {0}")]
    Invalid(String),
    #[error("the record does not exist: {0}")]
    Missing(String),
    #[error("Odoo has no such method: {0}")]
    NoSuchMethod(String),
    /// The name of an exception.
    #[error("Odoo failed with {0}; its log says more")]
    Server(String),
    /// The call was made, so it must not be made again.
    #[error("Odoo did what it was asked, and has no way to write its answer in XML-RPC")]
    AnswerLost,
}

impl Error {
    /// Whether the same call may succeed later with nothing changed by us. A
    /// refused key may be an Odoo that is being restored, so it counts.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Unreachable(_)
            | Error::Timeout
            | Error::NotOdoo(_)
            | Error::WrongDatabase
            | Error::AccessDenied
            | Error::Forbidden(_)
            // The addon may be about to be upgraded.
            | Error::NoSuchMethod(_)
            | Error::Server(_) => true,
            Error::BadUrl | Error::AnswerLost | Error::TooLarge(_) | Error::Invalid(_) | Error::Missing(_) => false,
        }
    }
}
