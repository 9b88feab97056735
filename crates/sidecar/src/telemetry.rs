//! Where log lines go: standard error, as text for people or JSON for machines.

use tracing_subscriber::EnvFilter;

use crate::settings::{LogFormat, LogSettings};

/// The verifier says at ERROR what a probe reports anyway, a refused
/// certificate; the HTTP server tells its every step; tokio-postgres writes what
/// a server sends as a notice.
const MUTED: &str = "rustls_platform_verifier=off,actix_server=warn,tokio_postgres=warn";

pub fn init(settings: &LogSettings) -> anyhow::Result<()> {
    let filter = EnvFilter::builder()
        .parse(format!("{},{MUTED}", settings.filter))
        // Its error repeats itself as its own cause.
        .map_err(|error| anyhow::anyhow!("log.filter “{}” is none: {error}", settings.filter))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match settings.format {
        LogFormat::Text => lines
            .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()))
            .try_init(),
        LogFormat::Json => lines.json().try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("start logging: {error}"))
}
