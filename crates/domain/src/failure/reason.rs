//! What exactly happened, as a closed list: a sentence for each, and the kind that it belongs to.

use std::collections::BTreeMap;

use super::FailureKind;

/// Each reason has a name that never changes, values, and a sentence with
/// their places. The compiler checks that sentence and values fit. Odoo has the
/// same sentences, to translate: `tests/addon.rs` writes and compares them.
macro_rules! reasons {
    ($(
        $(#[$doc:meta])*
        $kind:ident $variant:ident $name:literal { $($value:ident),* } $sentence:literal
    )*) => {
        /// Why an endpoint did not answer as it should.
        ///
        /// A server's words are in none of them, see [`Failure::said`](super::Failure::said).
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Reason {
            $( $(#[$doc])* $variant { $($value: String),* }, )*
        }

        impl Reason {
            /// Name, kind and sentence of every reason; a value's place is `{value}`.
            pub const ALL: &[(&str, FailureKind, &str)] =
                &[$(($name, FailureKind::$kind, $sentence)),*];

            /// The name that Odoo stores.
            pub fn name(&self) -> &'static str {
                match self {
                    $( Reason::$variant { .. } => $name, )*
                }
            }

            pub fn kind(&self) -> FailureKind {
                match self {
                    $( Reason::$variant { .. } => FailureKind::$kind, )*
                }
            }

            /// The values, for who writes the sentence in another language.
            pub fn values(&self) -> BTreeMap<String, String> {
                match self {
                    $( Reason::$variant { $($value),* } => BTreeMap::from([
                        $( (stringify!($value).to_owned(), $value.clone()) ),*
                    ]), )*
                }
            }

            /// What was tried and what happened, in English.
            pub fn sentence(&self) -> String {
                match self {
                    $( Reason::$variant { $($value),* } => format!($sentence), )*
                }
            }
        }
    };
}

reasons! {
    InvalidEndpoint HostMissing "host_missing" {} "The server is missing."
    InvalidEndpoint HostInvalid "host_invalid" { text } "“{text}” is not a host name or an IP address."
    InvalidEndpoint HostIsUrl "host_is_url" {}
        "The server is written as a URL; this kind wants a host name alone, such as db.example.com."
    InvalidEndpoint PortInHost "port_in_host" { port }
        "The server is written with a port; {port} belongs in the port's own field."
    InvalidEndpoint UrlInvalid "url_invalid" { text }
        "“{text}” is not an address such as https://api.example.com/v1."
    InvalidEndpoint SchemeForbidden "scheme_forbidden" { scheme }
        "The scheme “{scheme}” is not allowed; http and https are."
    InvalidEndpoint CredentialsInAddress "credentials_in_address" {}
        "The address has a user name or a password in it; they belong into their own fields."
    InvalidEndpoint PortInvalid "port_invalid" { port } "{port} is not a port; ports are 1 to 65535."
    InvalidEndpoint UserMissing "user_missing" {} "The user name is missing."
    InvalidEndpoint ControlInUser "control_in_user" {}
        "The user name has a control character in it, such as a line break."
    InvalidEndpoint ControlInDatabase "control_in_database" {}
        "The database name has a control character in it, such as a line break."
    InvalidEndpoint HeaderInvalid "header_invalid" { header }
        "“{header}” is not the name of a header that a key can be sent in, such as X-Api-Key."
    InvalidEndpoint StatusInvalid "status_invalid" { text }
        "“{text}” names no HTTP status; write 200, or 200-299, or 200,204."
    InvalidEndpoint JsonPathInvalid "json_path_invalid" { text }
        "“{text}” is not a path such as $.status or $.checks[0].name."
    InvalidEndpoint AuthorityInvalid "authority_invalid" {}
        "The certificate authority is not one or more certificates in PEM."
    InvalidEndpoint ClientCertificateInvalid "client_certificate_invalid" {}
        "The client certificate and its key are not a certificate and a private key in PEM that belong together."
    InvalidEndpoint ClientKeyMissing "client_key_missing" {}
        "There is a client certificate, and the private key that belongs to it is missing."
    InvalidEndpoint SecretUnsendable "secret_unsendable" {}
        "The stored password or key has a character in it that an HTTP header cannot have, such as a line break."
    InvalidEndpoint PoolerInvalid "pooler_invalid" { text }
        "“{text}” is not the host of one of Supabase's poolers, such as aws-0-eu-west-1.pooler.supabase.com."
    InvalidEndpoint WebAddressMissing "web_address_missing" {}
        "There is an API key, but no web address that it could be tested at: it is not known, and not given."

    SecretUnreadable SecretUnreadable "secret_unreadable" { detail } "{detail}"

    EgressDenied EgressDenied "egress_denied" { place, rule }
        "The sidecar's egress policy forbids {place} (rule: {rule})."

    Dns NameUnknown "name_unknown" { host } "DNS knows no address for {host}."

    Refused ConnectionRefused "connection_refused" { place } "{place} refused the connection."
    Unreachable NoRoute "no_route" { place } "{place} cannot be reached: there is no route to it."
    Ipv6Only Ipv6Only "ipv6_only" { host }
        "{host} has an IPv6 address only, and the sidecar's machine cannot reach IPv6."
    Timeout ConnectTimedOut "connect_timed_out" { place } "{place} did not accept a connection in time."
    Timeout ResolveTimeout "resolve_timeout" { place, seconds } "DNS did not answer for {place} within {seconds} s."
    Timeout ConnectTimeout "connect_timeout" { place, seconds }
        "{place} did not accept a connection within {seconds} s."
    Timeout TlsTimeout "tls_timeout" { place, seconds }
        "{place} accepted the connection, but TLS did not finish within {seconds} s."
    Timeout LoginTimeout "login_timeout" { place, seconds }
        "{place} accepted the connection, but the login did not finish within {seconds} s."
    Timeout AnswerTimeout "answer_timeout" { place, seconds }
        "{place} accepted the connection, but did not answer within {seconds} s."
    Reset CutAtOnce "cut_at_once" { place } "{place} cut the connection at once."
    Reset CutDuringTls "cut_during_tls" { place } "{place} closed the connection while agreeing on TLS."
    Reset CutDuringLogin "cut_during_login" { place } "{place} closed the connection during the login."
    Reset CutBeforeAnswer "cut_before_answer" { place } "{place} closed the connection before it answered."

    Tls TlsNotOffered "tls_not_offered" { place, mode }
        "{place} does not offer TLS, and the TLS mode “{mode}” demands it."
    Tls TlsWanted "tls_wanted" { place } "{place} lets nobody in without TLS."
    Tls TlsFailed "tls_failed" { place, error } "TLS with {place} failed: {error}."
    Tls NoNameForTls "no_name_for_tls" { place } "{place} has no name that TLS can verify."
    /// TLS 1.3 lets a server refuse a client's certificate after the handshake.
    ClientCertificate ClientCertificateRefused "client_certificate_refused" { place }
        "{place} does not accept the client certificate."
    ClientCertificate ClientCertificateWanted "client_certificate_wanted" { place }
        "{place} wants a client certificate, and none is stored."

    CertificateExpired CertificateExpired "certificate_expired" { place } "The certificate of {place} has expired."
    Certificate CertificateNotYetValid "certificate_not_yet_valid" { place }
        "The certificate of {place} is not valid yet."
    Certificate CertificateRevoked "certificate_revoked" { place } "The certificate of {place} was revoked."
    Certificate CertificateUnknownAuthority "certificate_unknown_authority" { place }
        "The certificate of {place} was issued by an authority that is not known here."
    Certificate CertificateOtherName "certificate_other_name" { place }
        "The certificate of {place} is for another host name."
    Certificate CertificateRefused "certificate_refused" { place } "The certificate of {place} is not accepted."

    Auth PasswordMissing "password_missing" { place, user }
        "{place} wants a password for the user “{user}”, and none is stored."
    Auth PasswordRefused "password_refused" { place, user } "{place} refused the password of the user “{user}”."
    DatabaseMissing OdooDatabaseUnknown "odoo_database_unknown" { place, database }
        "{place} answers, and has no Odoo database “{database}”."
    Auth UserUnknown "user_unknown" { place, user } "{place} does not know the user “{user}”."
    Auth PasswordExpired "password_expired" { place, user }
        "{place} lets the user “{user}” do nothing before the password is changed."
    Auth KeyMissing "key_missing" { place } "{place} wants a key, and none is stored."
    Auth KeyRefused "key_refused" { place } "{place} refused the key."
    Auth CredentialsMissing "credentials_missing" { place, status }
        "{place} answered HTTP {status}: it wants a user or a key, and none is stored."
    Auth CredentialsRefused "credentials_refused" { place, status }
        "{place} answered HTTP {status}: it does not accept the user or the key."
    Auth ServerUnproven "server_unproven" { place }
        "{place} could not prove that it knows the password of this user itself."
    AuthMethod MethodUnknown "auth_method_unknown" { place, method }
        "{place} wants the login method “{method}”, which is not spoken here."
    AuthMethod PasswordInClear "password_in_clear" { place }
        "{place} wants the password unencrypted over a connection without TLS; it was not sent."

    Forbidden UserNotLetIn "user_not_let_in" { place, user } "{place} does not let the user “{user}” in."
    Forbidden DatabaseForbidden "database_forbidden" { place, user, database }
        "{place} forbids the user “{user}” to use the database “{database}”."
    Forbidden HttpForbidden "http_forbidden" { place }
        "{place} knows who is asking, and does not allow it (HTTP 403)."

    DatabaseMissing DatabaseUnknown "database_unknown" { place, database } "{place} has no database “{database}”."

    TooManyConnections NoConnectionFree "no_connection_free" { place } "{place} has no connection free."
    TooManyRequests HttpTooMany "http_too_many" { place } "{place} answered that it was asked too often (HTTP 429)."

    NotThisProtocol AnotherProtocol "another_protocol" { place, protocol }
        "{place} answers, but not as {protocol} does."

    Redirected Redirected "redirected" { place, status }
        "{place} answered with a redirect (HTTP {status}), which is not followed."
    Redirected RedirectedTo "redirected_to" { place, status, address }
        "{place} answered with a redirect (HTTP {status}) to {address}, which is not followed."

    UnexpectedAnswer StatusUnexpected "status_unexpected" { place, status, expected }
        "{place} answered HTTP {status}, and {expected} was expected."
    UnexpectedAnswer TextMissing "text_missing" { place, text }
        "{place} answered, and “{text}” is not in the answer."
    UnexpectedAnswer PathMissing "path_missing" { place, path } "{place} answered, and its JSON has nothing at {path}."
    UnexpectedAnswer PathDiffers "path_differs" { place, path, text }
        "{place} answered, and “{text}” is not what its JSON has at {path}."
    UnexpectedAnswer NotJson "not_json" { place } "{place} answered, but not in JSON."
    UnexpectedAnswer TooLarge "too_large" { place, limit } "{place} answered with more than {limit}."
    UnexpectedAnswer Compressed "compressed" { place }
        "{place} compressed its answer, though it was not asked to."

    Unhealthy ServerError "server_error" { place } "{place} answered with an error."
    Unhealthy SessionRefused "session_refused" { place } "{place} refused to begin a session."
    Unhealthy Starting "starting" { place } "{place} takes nobody in now: it is starting up, shutting down, or in recovery."
    Unhealthy ShuttingDown "shutting_down" { place } "{place} is shutting down."
    Unhealthy HttpServerError "http_server_error" { place, status } "{place} answered with HTTP {status}."
    Unhealthy PoolerWithoutServer "pooler_without_server" { place }
        "{place} is a pooler that cannot reach its own database server."
    Unhealthy NotWell "not_well" { place } "{place} answered that it is not well."

    Internal ConnectFailed "connect_failed" { place, error } "Connecting to {place} failed: {error}."
    Internal TlsUnusable "tls_unusable" { error } "TLS cannot be used on this machine: {error}."
    Internal Panicked "panicked" {} "The probe failed in the sidecar itself."

    InRecovery InRecovery "in_recovery" { place } "{place} is a replica: it is in recovery, and takes no writes."
    Slow Slow "slow" { latency, threshold } "It took {latency} ms, and more than {threshold} ms is slow."
    CertificateExpired CertificatePassed "certificate_passed" {}
        "The server's certificate has expired, which the TLS mode of this connection does not look at."
    CertificateExpiring CertificateExpiring "certificate_expiring" { days }
        "The server's certificate expires in {days} days."
    ConnectionsHigh ConnectionsHigh "connections_high" { used, most, percent }
        "{used} of {most} connections are in use, and more than {percent}% is much."
    ReplicaLag ReplicaLag "replica_lag" { seconds, threshold }
        "The replica is {seconds} s behind, and more than {threshold} s is much."
    ReplicaLag ReplicaCut "replica_cut" {}
        "The replica receives nothing from its primary."
}
