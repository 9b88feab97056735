//! A certificate authority of the test's own.

use std::env;
use std::fs;
use std::process::Command;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// Nobody knows it, except inside [`with_known_authority`].
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate and its key.
pub struct Certificate {
    chain: Vec<rcgen::Certificate>,
    key: KeyPair,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "InsightPulse's tests");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// Its own certificate, for who is to trust it.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for host names and addresses.
    pub fn issue(&self, names: &[&str]) -> Certificate {
        self.issue_for(names, 2019, 2100)
    }

    /// A certificate that expired in 2020.
    pub fn issue_expired(&self, names: &[&str]) -> Certificate {
        self.issue_for(names, 2019, 2020)
    }

    /// A certificate that nobody has issued but who shows it, and that says of
    /// itself that it is an authority: what `openssl req -x509` makes.
    pub fn self_signed_authority(names: &[&str], from: i32, until: i32) -> Certificate {
        let mut params = params(names, from, until);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Certificate::self_signed(&params)
    }

    /// A certificate whose time begins in 2099.
    pub fn issue_too_early(&self, names: &[&str]) -> Certificate {
        self.issue_for(names, 2099, 2100)
    }

    /// A certificate that nobody has issued but who shows it.
    pub fn self_signed(names: &[&str]) -> Certificate {
        Certificate::self_signed(&params(names, 2019, 2100))
    }

    fn issue_for(&self, names: &[&str], from: i32, until: i32) -> Certificate {
        let params = params(names, from, until);
        let key = KeyPair::generate().expect("a key");
        let own = params.signed_by(&key, &self.0).expect("a certificate");
        Certificate {
            chain: vec![own],
            key,
        }
    }
}

fn params(names: &[&str], from: i32, until: i32) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.not_before = rcgen::date_time_ymd(from, 1, 1);
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    params
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}

impl Certificate {
    fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a key");
        let own = params.self_signed(&key).expect("a certificate");
        Self {
            chain: vec![own],
            key,
        }
    }

    pub fn chain_pem(&self) -> String {
        self.chain.iter().map(rcgen::Certificate::pem).collect()
    }

    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }

    pub fn server_config(&self) -> Arc<ServerConfig> {
        let chain = self
            .chain
            .iter()
            .map(|certificate| CertificateDer::clone(certificate.der()))
            .collect();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(chain, key));
        Arc::new(config.expect("a key that fits its certificate"))
    }
}

const AUTHORITY_FILE: &str = "SSL_CERT_FILE";
const IS_AGAIN: &str = "INSIGHTPULSE_TESTS_RUN_AGAIN";

/// Runs a test in a process whose only known authority is the test's own.
///
/// Which authorities are known is read from the environment, which a running
/// process cannot change for itself: the test runs itself again. `name` is the
/// test's full name.
pub fn with_known_authority(name: &str, test: impl FnOnce(&Authority)) {
    if env::var_os(IS_AGAIN).is_some() {
        let authority = Authority::new();
        let file = env::var_os(AUTHORITY_FILE).expect("set by the first run");
        fs::write(file, authority.pem()).expect("written");
        return test(&authority);
    }
    let directory = tempfile::tempdir().expect("a directory");
    let status = Command::new(env::current_exe().expect("a path"))
        .args(["--exact", name, "--nocapture"])
        .env(AUTHORITY_FILE, directory.path().join("authority.pem"))
        .env_remove("SSL_CERT_DIR")
        .env(IS_AGAIN, "1")
        .output()
        .expect("the test's own program runs");
    let said = String::from_utf8_lossy(&status.stdout);
    assert!(
        status.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&status.stderr)
    );
}
