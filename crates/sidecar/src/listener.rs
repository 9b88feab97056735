//! Where Odoo reaches the service: a TCP port, with or without TLS, or a Unix socket.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::net::TcpListener;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use rustls::ServerConfig;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::private_file;
use crate::reloading::Reloading;
use crate::settings::{Listen, TlsFiles};

/// Bound, but not yet answering.
pub enum Listener {
    Tcp(TcpListener),
    Tls(TcpListener, Box<ServerConfig>),
    Unix(UnixListener),
}

impl Listener {
    pub fn bind(listen: &Listen) -> anyhow::Result<Self> {
        match listen {
            Listen::Tcp { host, port, tls } => {
                let config = tls.as_ref().map(server_config).transpose()?;
                let listener = TcpListener::bind((host.as_str(), *port))
                    .with_context(|| format!("listen on {host}:{port} (server.host, server.port)"))?;
                Ok(match config {
                    Some(config) => Self::Tls(listener, Box::new(config)),
                    None => Self::Tcp(listener),
                })
            }
            Listen::Unix(path) => bind_socket(path)
                .with_context(|| format!("listen on {} (server.socket)", path.display()))
                .map(Self::Unix),
        }
    }

    /// What Odoo's settings take for an address, as far as it is known here.
    pub fn port(&self) -> anyhow::Result<Option<u16>> {
        match self {
            Self::Tcp(listener) | Self::Tls(listener, _) => {
                Ok(Some(listener.local_addr().context("read the port")?.port()))
            }
            Self::Unix(_) => Ok(None),
        }
    }
}

/// Owner and group alone may connect; what a killed process left is taken over.
fn bind_socket(path: &Path) -> anyhow::Result<UnixListener> {
    match fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => bail!("something else than a socket is there"),
        Ok(_) if UnixStream::connect(path).is_ok() => bail!("another process listens there"),
        Ok(_) => fs::remove_file(path)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error.into()),
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(0o660))?;
    Ok(listener)
}

fn server_config(files: &TlsFiles) -> anyhow::Result<ServerConfig> {
    let (paths, reading) = (vec![files.certificate.clone(), files.key.clone()], files.clone());
    let certificate = Reloading::new("the TLS certificate", paths, move || read_certificate(&reading))?;
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Newest(certificate)));
    Ok(config)
}

/// A connection gets the certificate that lies in the files when it begins.
struct Newest(Reloading<Arc<CertifiedKey>>);

impl ResolvesServerCert for Newest {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.get()))
    }
}

impl std::fmt::Debug for Newest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Newest")
    }
}

/// Certificate and key have to belong together, or those before stay in use:
/// while two files are being replaced, they do not for a moment.
fn read_certificate(files: &TlsFiles) -> anyhow::Result<Arc<CertifiedKey>> {
    let (certificate, key) = (files.certificate.display(), files.key.display());
    let mode = private_file::mode(&files.key).with_context(|| format!("read server.tls_key, {key}"))?;
    if mode & 0o007 != 0 {
        bail!("others may read server.tls_key: run `chmod 640 {key}`, and think of the key as known");
    }
    let chain: Vec<_> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .with_context(|| format!("read server.tls_certificate, {certificate}"))?;
    if chain.is_empty() {
        bail!("read server.tls_certificate, {certificate}: there is no certificate in it");
    }
    let key_der =
        PrivateKeyDer::from_pem_file(&files.key).with_context(|| format!("read server.tls_key, {key}"))?;
    let signing = any_supported_type(&key_der).with_context(|| format!("read server.tls_key, {key}"))?;
    let pair = CertifiedKey::new(chain, signing);
    pair.keys_match()
        .context("server.tls_key is not the key of server.tls_certificate")?;
    Ok(Arc::new(pair))
}
