//! MongoDB's protocol, as far as a probe speaks it: login and commands.
//!
//! <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>

mod bson;
mod session;

pub use session::{connect, document};

/// For who fuzzes it: everything that is made of a server's bytes.
pub fn parse_everything(bytes: &[u8]) {
    if let Some(document) = session::document(bytes) {
        for name in ["ok", "code", "errmsg", "payload", "saslSupportedMechs", "version"] {
            document.get(name);
        }
    }
}
