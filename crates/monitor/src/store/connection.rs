//! Connects to the store, with TLS as its address says.

use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime, Timeouts};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::ConfigVerifierExt;
use secrecy::{ExposeSecret, SecretString};
use tokio_postgres::config::SslMode;
use tokio_postgres::{Config, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{Retention, StoreError};

#[derive(Debug, Clone)]
pub struct StoreSettings {
    /// `postgresql://user:password@host/database`; with `sslmode=require` or no mode
    /// at all a certificate is verified, with `disable` there is no TLS.
    pub url: SecretString,
    /// PEM: the only authorities that may have issued its certificate.
    pub authority: Option<String>,
    pub retention: Retention,
}

/// A writer, leases and history; and what a sidecar with many databases asks at once.
const CONNECTIONS: usize = 8;
const CONNECTS_WITHIN: Duration = Duration::from_secs(2);
/// What was sent and not even received for so long goes to nobody any more.
const UNANSWERED: Duration = Duration::from_secs(10);

pub fn pool(settings: &StoreSettings) -> Result<Pool, StoreError> {
    let mut config = Config::from_str(settings.url.expose_secret())
        // The error could repeat a part of the address, and so of the password.
        .map_err(|_| StoreError::BadUrl("it cannot be read".into()))?;
    if config.get_hosts().is_empty() {
        return Err(StoreError::BadUrl("it names no host".into()));
    }
    config
        .application_name("insightpulse")
        .connect_timeout(CONNECTS_WITHIN)
        .tcp_user_timeout(UNANSWERED)
        .keepalives_idle(Duration::from_secs(30));
    let recycling = ManagerConfig {
        // A connection that was given up in the middle of a question may never answer again.
        recycling_method: RecyclingMethod::Verified,
    };
    let manager = match config.get_ssl_mode() {
        SslMode::Disable => Manager::from_config(config, NoTls, recycling),
        _ => {
            let tls = MakeRustlsConnect::new(client_config(settings.authority.as_deref())?);
            Manager::from_config(config, tls, recycling)
        }
    };
    Pool::builder(manager)
        .max_size(CONNECTIONS)
        .runtime(Runtime::Tokio1)
        .timeouts(Timeouts {
            wait: Some(CONNECTS_WITHIN),
            create: Some(CONNECTS_WITHIN),
            recycle: Some(CONNECTS_WITHIN),
        })
        .build()
        .map_err(|error| StoreError::BadUrl(error.to_string()))
}

fn client_config(authority: Option<&str>) -> Result<ClientConfig, StoreError> {
    let bad = |error: &dyn std::fmt::Display| StoreError::BadAuthority(error.to_string());
    let Some(pem) = authority else {
        return ClientConfig::with_platform_verifier().map_err(|error| bad(&error));
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| bad(&error))?;
        roots.add(certificate).map_err(|error| bad(&error))?;
    }
    if roots.is_empty() {
        return Err(bad(&"there is no certificate in it"));
    }
    Ok(ClientConfig::builder()
        .with_root_certificates(Arc::new(roots))
        .with_no_client_auth())
}
