//! Why an endpoint did not answer as it should: classified once, here.

use serde::{Deserialize, Serialize};

/// The closed list of reasons. Odoo stores the names; they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureKind {
    /// What was typed cannot be dialled.
    InvalidEndpoint,
    /// A sealed secret does not open for this destination.
    SecretUnreadable,
    /// The egress policy forbids the address.
    EgressDenied,
    Dns,
    Refused,
    Unreachable,
    Timeout,
    /// The server closed the connection in the middle.
    Reset,
    Tls,
    Certificate,
    /// The server does not accept who we say we are.
    Auth,
    /// It does, and lets us do nothing.
    Forbidden,
    DatabaseMissing,
    TooManyConnections,
    /// Something answers, in another protocol.
    NotThisProtocol,
    /// It answers that it is not well.
    Unhealthy,
    /// A fault of the sidecar's own.
    Internal,
}

/// A probe's failure: the kind, and a sentence that says what was tried and
/// what happened.
///
/// The sentence holds no secret, and a server's words only as
/// [`server_text`] leaves them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Failure {
    kind: FailureKind,
    message: String,
}

impl Failure {
    /// A message that is longer than a user would read is cut, whoever made it.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let mut message = message.into();
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_MAX) {
            message.truncate(end);
            message.push('…');
        }
        Self { kind, message }
    }

    pub fn kind(&self) -> FailureKind {
        self.kind
    }

    pub fn message(&self) -> &str {
        &self.message
    }

    /// A sentence that says what to do next.
    pub fn advice(&self) -> &'static str {
        self.kind.advice()
    }

    /// Whether the same probe may succeed later with nothing changed.
    pub fn is_retryable(&self) -> bool {
        use FailureKind::*;
        match self.kind {
            Dns | Refused | Unreachable | Timeout | Reset | TooManyConnections | Unhealthy | Internal => true,
            InvalidEndpoint | SecretUnreadable | EgressDenied | Tls | Certificate | Auth | Forbidden
            | DatabaseMissing | NotThisProtocol => false,
        }
    }
}

impl FailureKind {
    pub const ALL: [FailureKind; 17] = [
        FailureKind::InvalidEndpoint,
        FailureKind::SecretUnreadable,
        FailureKind::EgressDenied,
        FailureKind::Dns,
        FailureKind::Refused,
        FailureKind::Unreachable,
        FailureKind::Timeout,
        FailureKind::Reset,
        FailureKind::Tls,
        FailureKind::Certificate,
        FailureKind::Auth,
        FailureKind::Forbidden,
        FailureKind::DatabaseMissing,
        FailureKind::TooManyConnections,
        FailureKind::NotThisProtocol,
        FailureKind::Unhealthy,
        FailureKind::Internal,
    ];

    /// The name that Odoo stores.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::InvalidEndpoint => "invalid_endpoint",
            FailureKind::SecretUnreadable => "secret_unreadable",
            FailureKind::EgressDenied => "egress_denied",
            FailureKind::Dns => "dns",
            FailureKind::Refused => "refused",
            FailureKind::Unreachable => "unreachable",
            FailureKind::Timeout => "timeout",
            FailureKind::Reset => "reset",
            FailureKind::Tls => "tls",
            FailureKind::Certificate => "certificate",
            FailureKind::Auth => "auth",
            FailureKind::Forbidden => "forbidden",
            FailureKind::DatabaseMissing => "database_missing",
            FailureKind::TooManyConnections => "too_many_connections",
            FailureKind::NotThisProtocol => "not_this_protocol",
            FailureKind::Unhealthy => "unhealthy",
            FailureKind::Internal => "internal",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            FailureKind::InvalidEndpoint => "Correct the connection's fields, then test again.",
            FailureKind::SecretUnreadable => "Type the password or key again and save.",
            FailureKind::EgressDenied => {
                "If this address is meant to be reached, change the egress settings of the sidecar."
            }
            FailureKind::Dns => {
                "Check the spelling of the server's name, and the DNS of the machine that the sidecar runs on."
            }
            FailureKind::Refused => {
                "Check the port, and that the service is running and listens on this address."
            }
            FailureKind::Unreachable => "Check routing, VPN and firewall between the sidecar and the server.",
            FailureKind::Timeout => {
                "Check for a firewall that drops packets, a wrong address, or an overloaded server."
            }
            FailureKind::Reset => {
                "Look into the server's own log; a proxy or an access list may have cut the connection."
            }
            FailureKind::Tls => "Check the TLS mode, and that the server has TLS switched on.",
            FailureKind::Certificate => {
                "Renew or replace the server's certificate, or correct the host name or the TLS mode."
            }
            FailureKind::Auth => "Check the user name, and type the password or key again.",
            FailureKind::Forbidden => {
                "Have this user allowed from the sidecar's address (pg_hba.conf, roles, access lists)."
            }
            FailureKind::DatabaseMissing => "Check the name of the database.",
            FailureKind::TooManyConnections => {
                "Close connections, raise the server's limit, or go through a pooler."
            }
            FailureKind::NotThisProtocol => "Check the port and the kind of the connection.",
            FailureKind::Unhealthy => {
                "Look into the server's own log; it may be starting up or shutting down."
            }
            FailureKind::Internal => "This is a fault of the sidecar: look into its log.",
        }
    }
}

/// The most characters of a failure's message.
const MESSAGE_MAX: usize = 1_000;

/// The most characters of a server's words that reach a user.
const SERVER_TEXT_MAX: usize = 200;

/// Shorter ones would cost every word that they are part of.
const SECRET_MIN: usize = 4;

/// A server's words, made harmless: control and direction characters gone, cut
/// to 200 characters.
pub fn server_text(text: &str) -> String {
    server_text_without(text, [])
}

/// [`server_text`], less the secrets that the server was sent and may say back.
pub fn server_text_without<'a>(text: &str, secrets: impl IntoIterator<Item = &'a str>) -> String {
    // A secret between invisible characters shows once those are gone.
    let mut clean = cleaned(text);
    for secret in secrets {
        let secret = cleaned(secret);
        if secret.chars().count() >= SECRET_MIN {
            clean = clean.replace(&secret, "•••");
        }
    }
    if let Some((end, _)) = clean.char_indices().nth(SERVER_TEXT_MAX) {
        clean.truncate(end);
        clean.push('…');
    }
    clean.trim().to_owned()
}

fn cleaned(text: &str) -> String {
    text.chars()
        .filter_map(|character| match character {
            '\n' | '\r' | '\t' => Some(' '),
            // Bidirectional controls reorder what stands around them.
            '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            '\u{200b}'..='\u{200d}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => None,
            other if other.is_control() => None,
            other => Some(other),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_on_the_wire_is_the_one_that_serde_reads() {
        for kind in FailureKind::ALL {
            let read: FailureKind = toml::Value::String(kind.as_str().to_owned())
                .try_into()
                .expect("serde knows the kind");
            assert_eq!(read, kind);
        }
    }

    #[test]
    fn a_message_is_bounded_whoever_made_it() {
        let failure = Failure::new(FailureKind::Internal, "ä".repeat(1_000_000));
        assert_eq!(failure.message().chars().count(), 1_001);
    }

    #[test]
    fn a_servers_words_are_cut_and_cleaned() {
        assert_eq!(server_text("a\u{1b}[31mred\u{7}\nline\u{202e}"), "a[31mred line");
        assert_eq!(server_text(&"x".repeat(100_000)).chars().count(), 201);
    }
}
