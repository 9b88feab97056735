//! Builds the service from its settings, and runs it until it is stopped.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use anyhow::Context;
use insightpulse_monitor::{Outbox, Prober, run_delivery};
use insightpulse_odoo_rpc::Client;
use insightpulse_probe::Egress;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tracing_actix_web::TracingLogger;

use crate::http::{Api, routes};
use crate::keyring_file;
use crate::private_file;
use crate::settings::{ServerSettings, Settings};
use crate::spool::Spool;
use crate::writeback::Writeback;

/// The service, listening but not yet answering.
pub struct Application {
    server: Server,
    port: u16,
    api: Data<Api>,
    outbox: Arc<Outbox>,
    writeback: Writeback,
    spool: Spool,
}

/// Handlers only hand work on; probes run on the runtime that builds the service.
const HTTP_WORKERS: usize = 2;
const CONNECTIONS_MAX: usize = 1024;

/// A client sends its request's head within this time, or is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long requests under way may take after a stop: the longest wait and a bit.
const REQUESTS_GRACE_SECONDS: u64 = 6;

/// How long the last results may take on their way to Odoo.
const DELIVERY_GRACE: Duration = Duration::from_secs(5);

impl Application {
    /// Has to be called on the runtime that probes are to run on.
    pub fn build(settings: Settings) -> anyhow::Result<Self> {
        // Another part of the process, a test, may have chosen already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let keyring = keyring_file::read(&settings.keyring_file)?;
        let net = Egress::new(settings.egress)
            .map_err(anyhow::Error::new)
            .context("prepare probes")?;
        let odoo = Client::new(settings.odoo.account).context("read odoo.url")?;
        check_state_dir(&settings.state_dir);

        let outbox = Arc::new(Outbox::default());
        let spool = Spool::new(&settings.state_dir);
        spool.restore(&outbox);
        let writeback = Writeback::new(odoo);
        let api = Data::new(Api {
            token: settings.server.token.clone(),
            database: settings.odoo.database_uuid,
            keyring: Arc::new(keyring),
            prober: Prober::new(
                Handle::current(),
                Arc::new(net),
                Arc::clone(&outbox),
                settings.probe,
            ),
            odoo: writeback.state(),
        });
        let listener = listen(&settings.server)?;
        let port = listener.local_addr().context("read the port")?.port();
        let served = api.clone();
        let server = HttpServer::new(move || {
            App::new()
                .wrap(TracingLogger::default())
                .configure(routes(served.clone()))
        })
        .workers(HTTP_WORKERS)
        .max_connections(CONNECTIONS_MAX)
        .client_request_timeout(HEAD_TIMEOUT)
        .tcp_nodelay(true)
        .disable_signals()
        .shutdown_timeout(REQUESTS_GRACE_SECONDS)
        .listen(listener)
        .context("listen")?
        .run();
        Ok(Self {
            server,
            port,
            api,
            outbox,
            writeback,
            spool,
        })
    }

    /// The port that it listens on, also where the settings left the choice.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers until `stop`; then finishes requests and probes under way, and
    /// writes back what is left, or keeps it for the next start.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self {
            server,
            port,
            api,
            outbox,
            writeback,
            spool,
        } = self;
        info!(port, "Listening");
        let server_handle = server.handle();
        let delivery_stop = CancellationToken::new();
        let stopping = async {
            stop.await;
            server_handle.stop(true).await;
            api.prober.drain().await;
            delivery_stop.cancel();
        };
        let delivering = async {
            let delivery = run_delivery(&outbox, &writeback, delivery_stop.clone(), DELIVERY_GRACE);
            tokio::select! {
                () = delivery => {}
                never = writeback.watch() => match never {},
            }
        };
        let (served, (), ()) = tokio::join!(server, stopping, delivering);
        spool.save(&outbox);
        info!("Stopped");
        served.context("serve")
    }
}

fn listen(server: &ServerSettings) -> anyhow::Result<TcpListener> {
    let place = format!("{}:{}", server.host, server.port);
    TcpListener::bind((server.host.as_str(), server.port))
        .with_context(|| format!("listen on {place} (server.host, server.port)"))
}

/// A state directory that cannot be written costs what a stop leaves over, and
/// nothing before: it is said, and no reason not to start.
fn check_state_dir(state_dir: &std::path::Path) {
    let written = private_file::make_directory(state_dir)
        .and_then(|()| tempfile::tempfile_in(state_dir).context("write a file there"));
    if let Err(error) = written {
        warn!(
            state_dir = %state_dir.display(),
            error = format!("{error:#}"),
            "The state directory cannot be written: results that Odoo has not taken before a stop will be lost"
        );
    }
}
