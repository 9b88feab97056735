//! TLS as libpq's modes mean it, and what its errors mean to a user.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use insightpulse_domain::{Facts, Failure, Host, Reason, TlsMode};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
};
use rustls_platform_verifier::Verifier;
use secrecy::{ExposeSecret, SecretString};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::bounded::{Bounded, Unwanted};
use crate::certificate::Certificate;

/// The client configurations, built once: reading the system's roots costs milliseconds.
pub struct Tls {
    provider: Arc<CryptoProvider>,
    verify_full: Arc<ClientConfig>,
    verify_ca: Arc<ClientConfig>,
    no_verify: Arc<ClientConfig>,
    /// Whom the machine knows.
    known: Arc<Verifier>,
}

/// Whom one endpoint trusts, and who it is, beside what its TLS mode says.
#[derive(Clone, Copy, Default)]
pub struct Identity<'a> {
    /// PEM: these authorities, and not those that the machine knows.
    pub authority: Option<&'a str>,
    /// But those as well.
    pub machine_too: bool,
    /// PEM.
    pub certificate: Option<&'a str>,
    /// PEM.
    pub key: Option<&'a SecretString>,
}

/// What is known of an encrypted connection.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// What the server showed.
    pub certificate: Option<Certificate>,
    /// `TLSv1.3`
    version: String,
}

/// More authorities than a file of them has that somebody made on purpose.
const AUTHORITIES_MAX: usize = 200;

impl Tls {
    pub fn new() -> Result<Self, Failure> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let known = Arc::new(Verifier::new(Arc::clone(&provider)).map_err(unusable)?);
        let config = |trusted, any_name| build(&provider, trusted, any_name, None);
        Ok(Self {
            verify_full: config(Trusted::Known(Arc::clone(&known)), false)?,
            verify_ca: config(Trusted::Known(Arc::clone(&known)), true)?,
            no_verify: config(Trusted::Anybody, true)?,
            known,
            provider,
        })
    }

    /// What a mode verifies; `None` is no TLS. libpq's `prefer` and `require`
    /// verify nothing, but `require` with an authority of its own is
    /// `verify-ca`:
    /// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>
    pub fn config(
        &self,
        mode: TlsMode,
        identity: Identity<'_>,
    ) -> Result<Option<Arc<ClientConfig>>, Failure> {
        let mode = match mode {
            TlsMode::Disable => return Ok(None),
            TlsMode::Require if identity.authority.is_some() => TlsMode::VerifyCa,
            mode => mode,
        };
        if identity.authority.is_none() && identity.certificate.is_none() {
            let config = match mode {
                TlsMode::VerifyFull => &self.verify_full,
                TlsMode::VerifyCa => &self.verify_ca,
                _ => &self.no_verify,
            };
            return Ok(Some(Arc::clone(config)));
        }
        let trusted = match (mode, identity.authority) {
            (TlsMode::VerifyFull | TlsMode::VerifyCa, Some(pem)) => {
                let own = self.own_authority(pem)?;
                match identity.machine_too {
                    true => Trusted::OwnOrKnown(own, Arc::clone(&self.known)),
                    false => Trusted::Own(own),
                }
            }
            (TlsMode::VerifyFull | TlsMode::VerifyCa, None) => Trusted::Known(Arc::clone(&self.known)),
            _ => Trusted::Anybody,
        };
        let client = identity
            .certificate
            .map(|certificate| client_certificate(certificate, identity.key))
            .transpose()?;
        build(&self.provider, trusted, mode != TlsMode::VerifyFull, client).map(Some)
    }

    fn own_authority(&self, pem: &str) -> Result<OwnAuthority, Failure> {
        let invalid = || Failure::from(Reason::AuthorityInvalid {});
        let certificates = certificates(pem).ok_or_else(invalid)?;
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|_| invalid())?;
        }
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider))
                .build()
                .map_err(|_| invalid())?;
        Ok(OwnAuthority {
            verifier,
            certificates,
        })
    }
}

fn build(
    provider: &Arc<CryptoProvider>,
    trusted: Trusted,
    any_name: bool,
    client: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> Result<Arc<ClientConfig>, Failure> {
    let verifier = Arc::new(Verify {
        trusted,
        any_name,
        algorithms: provider.signature_verification_algorithms,
    });
    let builder = ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .dangerous()
        .with_custom_certificate_verifier(verifier);
    let config = match client {
        None => builder.with_no_client_auth(),
        Some((chain, key)) => builder
            .with_client_auth_cert(chain, key)
            .map_err(|_| Failure::from(Reason::ClientCertificateInvalid {}))?,
    };
    Ok(Arc::new(config))
}

fn client_certificate(
    pem: &str,
    key: Option<&SecretString>,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Failure> {
    let key = key.ok_or(Reason::ClientKeyMissing {})?;
    let key = PrivateKeyDer::from_pem_slice(key.expose_secret().as_bytes());
    match (certificates(pem), key) {
        (Some(chain), Ok(key)) => Ok((chain, key)),
        _ => Err(Reason::ClientCertificateInvalid {}.into()),
    }
}

/// `None` where there is none, or something that is none.
fn certificates(pem: &str) -> Option<Vec<CertificateDer<'static>>> {
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes())
        .take(AUTHORITIES_MAX)
        .collect();
    read.ok().filter(|certificates| !certificates.is_empty())
}

fn unusable(error: rustls::Error) -> Failure {
    Reason::TlsUnusable {
        error: error.to_string(),
    }
    .into()
}

/// Agrees on TLS with who is at the other end, by the name in `host`.
pub async fn secure(
    stream: Bounded<TcpStream>,
    config: Arc<ClientConfig>,
    host: &Host,
    place: &str,
) -> Result<(TlsStream<Bounded<TcpStream>>, Encryption), Failure> {
    let name =
        ServerName::try_from(host.to_lookup()).map_err(|_| Reason::NoNameForTls { place: place.into() })?;
    let stream = TlsConnector::from(config)
        .connect(name, stream)
        .await
        .map_err(|error| {
            let place = place.to_owned();
            if find::<Unwanted>(&error).is_some() {
                return another_protocol(&place, "TLS");
            }
            handshake_failure(&place, &error).unwrap_or_else(|| Reason::CutDuringTls { place }.into())
        })?;
    let (_, session) = stream.get_ref();
    let certificate = session
        .peer_certificates()
        .and_then(|chain| Certificate::read(chain.first()?));
    let version = session
        .protocol_version()
        .and_then(|version| version.as_str())
        .unwrap_or("TLS")
        .replace('_', ".");
    let encryption = Encryption { certificate, version };
    Ok((stream, encryption))
}

/// What a probe tells of its connection, which may be encrypted.
pub fn facts(encryption: Option<&Encryption>) -> Facts {
    let certificate = encryption.and_then(|encryption| encryption.certificate.as_ref());
    Facts {
        certificate_expires_at: certificate.map(|certificate| certificate.expires_at),
        tls_version: encryption.map(|encryption| encryption.version.clone()),
        ..Facts::default()
    }
}

pub fn another_protocol(place: &str, protocol: &str) -> Failure {
    Reason::AnotherProtocol {
        place: place.to_owned(),
        protocol: protocol.to_owned(),
    }
    .into()
}

/// What a failed handshake means, where TLS is to blame; `None` where the
/// connection itself broke.
pub fn handshake_failure(place: &str, error: &(dyn StdError + 'static)) -> Option<Failure> {
    use rustls::Error;
    let place = place.to_owned();
    let reason = match find::<Error>(error)? {
        Error::InvalidCertificate(certificate) => certificate_reason(place, certificate),
        Error::InvalidMessage(_) => return Some(another_protocol(&place, "TLS")),
        Error::AlertReceived(AlertDescription::CertificateRequired) => {
            Reason::ClientCertificateWanted { place }
        }
        Error::AlertReceived(
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA,
        ) => Reason::ClientCertificateRefused { place },
        other => Reason::TlsFailed {
            place,
            error: other.to_string(),
        },
    };
    Some(reason.into())
}

fn certificate_reason(place: String, error: &CertificateError) -> Reason {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            Reason::CertificateExpired { place }
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            Reason::CertificateNotYetValid { place }
        }
        CertificateError::Revoked => Reason::CertificateRevoked { place },
        CertificateError::UnknownIssuer => Reason::CertificateUnknownAuthority { place },
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Reason::CertificateOtherName { place }
        }
        // A certificate that is its own authority, and that nobody has vouched for.
        other if is_authority_itself(other) => Reason::CertificateUnknownAuthority { place },
        _ => Reason::CertificateRefused { place },
    }
}

/// The first error of a type in a chain of causes, through `io::Error` too,
/// which hides what it wraps from `source`.
pub fn find<'a, T: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// What a server's certificate is held against: libpq's modes, with whom an endpoint trusts.
#[derive(Debug)]
struct Verify {
    trusted: Trusted,
    /// libpq's `verify-ca`: the chain is verified, the name is not.
    any_name: bool,
    algorithms: WebPkiSupportedAlgorithms,
}

/// Who may have issued it.
#[derive(Debug)]
enum Trusted {
    /// libpq's `prefer` and `require` encrypt without asking who is there.
    Anybody,
    /// Whom the machine knows.
    Known(Arc<Verifier>),
    Own(OwnAuthority),
    OwnOrKnown(OwnAuthority, Arc<Verifier>),
}

/// What one endpoint was given, and nobody else.
#[derive(Debug)]
struct OwnAuthority {
    verifier: Arc<WebPkiServerVerifier>,
    /// A server may show one of these itself: trusted by its own bytes.
    certificates: Vec<CertificateDer<'static>>,
}

impl OwnAuthority {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verified =
            self.verifier
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verified {
            // webpki looks at the times before it asks whether it is an authority's, and at the name afterwards.
            Err(rustls::Error::InvalidCertificate(error))
                if is_authority_itself(&error) && self.certificates.iter().any(|own| own == end_entity) =>
            {
                rustls::client::verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }
}

impl ServerCertVerifier for Verify {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let by_own = |own: &OwnAuthority| {
            own.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let by_known = |known: &Verifier| {
            known.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        let verified = match &self.trusted {
            Trusted::Anybody => Ok(ServerCertVerified::assertion()),
            Trusted::Known(known) => by_known(known),
            Trusted::Own(own) => by_own(own),
            Trusted::OwnOrKnown(own, known) => match by_own(own) {
                Err(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer)) => by_known(known),
                verified => verified,
            },
        };
        match verified {
            // The name is checked last: an error about it means that all else is right.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Whether a certificate is refused for being an authority's own, as most
/// self-signed ones are. rustls passes webpki's error on without a name for it.
fn is_authority_itself(error: &CertificateError) -> bool {
    matches!(error, CertificateError::Other(other) if format!("{other:?}").contains("CaUsedAsEndEntity"))
}
