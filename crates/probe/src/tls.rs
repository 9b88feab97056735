//! TLS as libpq's modes mean it, and what its errors mean to a user.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use insightpulse_domain::{Failure, FailureKind, TlsMode};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// The client configurations, built once: reading the system's roots costs milliseconds.
pub struct Tls {
    verify_full: Arc<ClientConfig>,
    verify_ca: Arc<ClientConfig>,
    no_verify: Arc<ClientConfig>,
}

impl Tls {
    pub fn new() -> Result<Self, Failure> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = Arc::new(Verifier::new(Arc::clone(&provider)).map_err(unusable)?);
        let algorithms = provider.signature_verification_algorithms;
        let config = |verifier: Arc<dyn ServerCertVerifier>| -> Result<Arc<ClientConfig>, Failure> {
            Ok(Arc::new(
                ClientConfig::builder_with_provider(Arc::<CryptoProvider>::clone(&provider))
                    .with_safe_default_protocol_versions()
                    .map_err(unusable)?
                    .dangerous()
                    .with_custom_certificate_verifier(verifier)
                    .with_no_client_auth(),
            ))
        };
        Ok(Self {
            verify_full: config(Arc::<Verifier>::clone(&verifier))?,
            verify_ca: config(Arc::new(AnyName(verifier)))?,
            no_verify: config(Arc::new(NoVerify(algorithms)))?,
        })
    }

    /// What a mode verifies. libpq's `prefer` and `require` verify nothing:
    /// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>
    pub fn config(&self, mode: TlsMode) -> Option<&Arc<ClientConfig>> {
        match mode {
            TlsMode::Disable => None,
            TlsMode::Prefer | TlsMode::Require => Some(&self.no_verify),
            TlsMode::VerifyCa => Some(&self.verify_ca),
            TlsMode::VerifyFull => Some(&self.verify_full),
        }
    }
}

fn unusable(error: rustls::Error) -> Failure {
    Failure::new(
        FailureKind::Internal,
        format!("TLS cannot be used on this machine: {error}."),
    )
}

/// What a failed handshake means, where TLS is to blame; `None` where the
/// connection itself broke.
pub fn handshake_failure(place: &str, error: &(dyn StdError + 'static)) -> Option<Failure> {
    use rustls::Error;
    let error = find::<Error>(error)?;
    let failure = match error {
        Error::InvalidCertificate(certificate) => Failure::new(
            FailureKind::Certificate,
            format!("The certificate of {place} {}.", said(certificate)),
        ),
        Error::InvalidMessage(_) => Failure::new(
            FailureKind::NotThisProtocol,
            format!("{place} answers, but not in TLS."),
        ),
        other => Failure::new(FailureKind::Tls, format!("TLS with {place} failed: {other}.")),
    };
    Some(failure)
}

fn said(error: &CertificateError) -> &'static str {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired",
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "is not valid yet",
        CertificateError::Revoked => "was revoked",
        CertificateError::UnknownIssuer => "was issued by an authority that this machine does not know",
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "is for another host name"
        }
        CertificateError::BadSignature => "has a wrong signature",
        _ => "is not accepted",
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

/// Verifies the chain, not the name: libpq's `verify-ca`.
#[derive(Debug)]
struct AnyName(Arc<Verifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is checked last: an error about it means that all else is right.
        match self
            .0
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Encrypts without asking who is there: libpq's `prefer` and `require`.
#[derive(Debug)]
struct NoVerify(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for NoVerify {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
