//! Why an endpoint did not answer as it should: classified once, here.

mod reason;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use reason::Reason;

macro_rules! kinds {
    ($( $(#[$doc:meta])* $variant:ident $name:literal $retryable:literal $advice:literal )*) => {
        /// The closed list of reasons. Odoo stores the names; they never change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum FailureKind {
            $( $(#[$doc])* #[serde(rename = $name)] $variant, )*
        }

        impl FailureKind {
            pub const ALL: &[FailureKind] = &[$(FailureKind::$variant),*];

            /// The name that Odoo stores.
            pub fn as_str(self) -> &'static str {
                match self {
                    $( FailureKind::$variant => $name, )*
                }
            }

            /// A sentence that says what to do next. Odoo has it too, to translate.
            pub fn advice(self) -> &'static str {
                match self {
                    $( FailureKind::$variant => $advice, )*
                }
            }

            /// Whether the same probe may succeed later with nothing changed.
            pub fn is_retryable(self) -> bool {
                match self {
                    $( FailureKind::$variant => $retryable, )*
                }
            }
        }
    };
}

// Name on the wire, whether it may pass by itself, and what to do about it.
kinds! {
    /// What was typed cannot be dialled.
    InvalidEndpoint "invalid_endpoint" false "Correct the connection's fields, then test again."
    /// A sealed secret does not open for this destination.
    SecretUnreadable "secret_unreadable" false "Type the password or key again and save."
    /// The egress policy forbids the address.
    EgressDenied "egress_denied" false
        "If this address is meant to be reached, change the egress settings of the sidecar."
    Dns "dns" true
        "Check the spelling of the server's name, and the DNS of the machine that the sidecar runs on."
    Refused "refused" true "Check the port, and that the service is running and listens on this address."
    Unreachable "unreachable" true "Check routing, VPN and firewall between the sidecar and the server."
    /// The name has IPv6 addresses only, and there is no route to them.
    Ipv6Only "ipv6_only" false
        "Use an address that has IPv4, for Supabase that of a pooler, or give the sidecar's machine IPv6."
    Timeout "timeout" true
        "Check for a firewall that drops packets, a wrong address, or an overloaded server."
    /// The server closed the connection in the middle.
    Reset "reset" true
        "Look into the server's own log; a proxy or an access list may have cut the connection."
    Tls "tls" false "Check the TLS mode, and that the server has TLS switched on."
    CertificateExpired "certificate_expired" false "Have the server's certificate renewed."
    Certificate "certificate" false
        "Correct the host name or the TLS mode, store the authority that issued the certificate, or have it replaced."
    /// The one that we show, not the server's.
    ClientCertificate "client_certificate" false
        "Store a client certificate, with its key, that the server's authority has issued for this user."
    /// The server does not accept who we say we are.
    Auth "auth" false "Check the user name, and type the password or key again."
    /// The login method is not spoken here, or would give the password away.
    AuthMethod "auth_method" false
        "Have the server ask for SCRAM, or demand TLS in the TLS mode of this connection."
    /// It does, and lets us do nothing.
    Forbidden "forbidden" false
        "Have this user allowed from the sidecar's address (pg_hba.conf, roles, access lists)."
    DatabaseMissing "database_missing" false "Check the name of the database."
    TooManyConnections "too_many_connections" true
        "Close connections, raise the server's limit, or go through a pooler."
    TooManyRequests "too_many_requests" true "Test less often, or have the server's limit raised."
    /// Something answers, in another protocol.
    NotThisProtocol "not_this_protocol" false "Check the address, the port and the kind of the connection."
    Redirected "redirected" false
        "Type the address that the server redirects to, or list this status as expected."
    /// It answers, and not what the connection says that it should.
    UnexpectedAnswer "unexpected_answer" false
        "Check the path of the address, and what this connection expects as an answer."
    /// It answers that it is not well.
    Unhealthy "unhealthy" true "Look into the server's own log; it may be starting up or shutting down."
    /// A fault of the sidecar's own.
    Internal "internal" true "This is a fault of the sidecar: look into its log."

    // Only of what works, and not well.
    Slow "slow" true "Look at the phases, to see what takes the time; raise the limit if this is normal."
    CertificateExpiring "certificate_expiring" false "Have the server's certificate renewed before it expires."
    ConnectionsHigh "connections_high" true
        "Close connections that nobody uses, raise the server's limit, or go through a pooler."
    /// A server that is not said to be a replica.
    InRecovery "in_recovery" false
        "If it is meant to be a replica, say so in the connection; if not, find out where its primary is."
    ReplicaLag "replica_lag" true "Look at the replica's load, its disk, and the network to its primary."
}

/// A part of an endpoint that has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    Database,
    Rest,
    Auth,
    Web,
}

/// A probe's failure, or what keeps an endpoint that works from being well: the
/// reason, the part of the endpoint that it is about, and what the server said.
///
/// It holds no secret, and a server's words only as [`server_text`] leaves them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", self.message())]
pub struct Failure {
    reason: Box<Reason>,
    part: Option<Part>,
    said: Option<String>,
}

/// A failure as it is told to Odoo, which writes the sentence in its reader's language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    pub reason: String,
    pub values: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<Part>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<String>,
}

impl Failure {
    /// Adds the server's own words: cut, cleaned, and told as the server's.
    ///
    /// `secrets` are taken out: a server that was told one may say it back.
    #[must_use]
    pub fn said<'a>(mut self, words: &str, secrets: impl IntoIterator<Item = &'a str>) -> Self {
        self.said = Some(server_text_without(words, secrets)).filter(|words| !words.is_empty());
        self
    }

    /// Says which part of the endpoint it is about.
    #[must_use]
    pub fn of(mut self, part: Part) -> Self {
        self.part = Some(part);
        self
    }

    pub fn kind(&self) -> FailureKind {
        self.reason.kind()
    }

    pub fn reason(&self) -> &Reason {
        &self.reason
    }

    /// What was tried and what happened, in English.
    pub fn message(&self) -> String {
        let mut message = match self.part {
            Some(part) => format!("{}: {}", part.label(), self.reason.sentence()),
            None => self.reason.sentence(),
        };
        if let Some(said) = &self.said {
            message.push_str(&SAID.replace("{said}", said));
        }
        if let Some((end, _)) = message.char_indices().nth(MESSAGE_MAX) {
            message.truncate(end);
            message.push('…');
        }
        message
    }

    /// A sentence that says what to do next.
    pub fn advice(&self) -> &'static str {
        self.kind().advice()
    }

    /// Whether the same probe may succeed later with nothing changed.
    pub fn is_retryable(&self) -> bool {
        self.kind().is_retryable()
    }

    pub fn explain(&self) -> Explanation {
        Explanation {
            reason: self.reason.name().to_owned(),
            values: self
                .reason
                .values()
                .into_iter()
                .map(|(name, value)| (name, value.chars().take(VALUE_MAX).collect()))
                .collect(),
            part: self.part,
            said: self.said.clone(),
        }
    }
}

impl From<Reason> for Failure {
    fn from(reason: Reason) -> Self {
        Self {
            reason: Box::new(reason),
            part: None,
            said: None,
        }
    }
}

impl Part {
    pub const ALL: [Part; 4] = [Part::Database, Part::Rest, Part::Auth, Part::Web];

    /// What people read before the colon.
    pub fn label(self) -> &'static str {
        match self {
            Part::Database => "Database",
            Part::Rest => "REST",
            Part::Auth => "Auth",
            Part::Web => "Web",
        }
    }
}

/// How a server's words are told, after the sentence.
pub const SAID: &str = " The server said: “{said}”.";

/// The most characters of a failure's message.
const MESSAGE_MAX: usize = 1_000;

/// The most characters of a sentence's value.
const VALUE_MAX: usize = 300;

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
        for &kind in FailureKind::ALL {
            let read: FailureKind = toml::Value::String(kind.as_str().to_owned())
                .try_into()
                .expect("serde knows the kind");
            assert_eq!(read, kind);
        }
    }

    #[test]
    fn a_message_is_bounded_whoever_made_it() {
        let failure = Failure::from(Reason::SecretUnreadable {
            detail: "ä".repeat(1_000_000),
        });
        assert_eq!(failure.message().chars().count(), 1_001);
        assert_eq!(failure.explain().values["detail"].chars().count(), VALUE_MAX);
    }

    #[test]
    fn a_message_names_the_part_and_marks_what_the_server_said() {
        let failure = Failure::from(Reason::KeyRefused { place: "x:1".into() })
            .of(Part::Rest)
            .said("no \u{1b}[31mk-1234 here", ["k-1234"]);
        assert_eq!(
            failure.message(),
            "REST: x:1 refused the key. The server said: “no [31m••• here”."
        );
        assert_eq!(failure.kind(), FailureKind::Auth);
    }

    #[test]
    fn every_reasons_name_is_its_own() {
        let mut names: Vec<_> = Reason::ALL.iter().map(|(name, ..)| name).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), Reason::ALL.len());
    }

    #[test]
    fn a_servers_words_are_cut_and_cleaned() {
        assert_eq!(server_text("a\u{1b}[31mred\u{7}\nline\u{202e}"), "a[31mred line");
        assert_eq!(server_text(&"x".repeat(100_000)).chars().count(), 201);
    }
}
