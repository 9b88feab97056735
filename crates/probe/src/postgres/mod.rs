//! PostgreSQL's protocol, as far as a probe speaks it: login and one simple query.
//!
//! Written here and not taken from a client library, because a probe has to
//! keep SCRAM's keys for the next login, to time each phase, to hold a hostile
//! server within bounds, and to say which login method it was that failed.
//!
//! <https://www.postgresql.org/docs/current/protocol.html>

mod message;
mod refusal;
mod session;

pub use message::parse;
pub use session::connect;
