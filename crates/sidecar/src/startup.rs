//! Builds the service from its settings, and runs it until it is stopped.

use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::Data;
use actix_web::{App, HttpServer};
use anyhow::Context;
use insightpulse_monitor::{Replica, Store};
use insightpulse_probe::Egress;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use tracing_actix_web::TracingLogger;

use crate::http::{Api, Attempts, count, routes};
use crate::keyring_source::LiveKeyring;
use crate::listener::Listener;
use crate::metrics::Metrics;
use crate::pairing_code::PairingCode;
use crate::pairings::Pairings;
use crate::private_file;
use crate::settings::Settings;
use crate::sharing::Sharing;
use crate::tenants::{TenantSetup, Tenants};

/// The service, listening but not yet answering.
pub struct Application {
    server: Server,
    port: Option<u16>,
    api: Data<Api>,
    store: Option<Arc<Store>>,
}

/// Handlers only hand work on; probes run on the runtime that builds the service.
const HTTP_WORKERS: usize = 2;
const CONNECTIONS_MAX: usize = 1024;

/// A client sends its request's head within this time, or is cut off.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);

/// How long requests under way may take after a stop: the longest wait and a bit.
const REQUESTS_GRACE_SECONDS: u64 = 6;

/// Wrong tokens and wrong codes in a minute: from one address, and from all.
const STRANGERS_PER_MINUTE: (u32, u32) = (60, 600);
const PAIRINGS_PER_MINUTE: (u32, u32) = (5, 30);

impl Application {
    /// Has to be called on the runtime that probes are to run on.
    pub fn build(settings: Settings) -> anyhow::Result<Self> {
        // Another part of the process, a test, may have chosen already.
        rustls::crypto::ring::default_provider().install_default().ok();
        let state_dir = settings.state.directory.clone();
        let keyring = Arc::new(LiveKeyring::new(&settings.state.keyring)?);
        let net = Egress::new(settings.egress)
            .map_err(anyhow::Error::new)
            .context("prepare probes")?;
        check_state_dir(&state_dir);
        let listener = Listener::bind(&settings.server.listen)?;
        let port = listener.port()?;

        let store = settings.store.as_ref().map(Store::new).transpose()?.map(Arc::new);
        let metrics = Arc::new(Metrics::new());
        let pairings = Pairings::new(&state_dir);
        let sharing = Arc::new(Sharing::new(
            store.clone(),
            Arc::clone(&keyring),
            pairings.clone(),
            PairingCode::new(&state_dir),
        ));
        let tenants = Tenants::new(TenantSetup {
            runtime: Handle::current(),
            pairings,
            sharing: Arc::clone(&sharing),
            keyring: Arc::clone(&keyring),
            net: Arc::new(net),
            protocol: settings.state.protocol,
            limits: settings.probe,
            store: store.clone(),
            requests_per_second: settings.server.requests_per_second,
            metrics: Arc::clone(&metrics),
            state_dir: state_dir.clone(),
        })?;
        let api = Data::new(Api {
            tenants,
            keyring,
            sharing,
            pairing_attempts: Attempts::per_minute(PAIRINGS_PER_MINUTE.0, PAIRINGS_PER_MINUTE.1),
            strangers: Attempts::per_minute(STRANGERS_PER_MINUTE.0, STRANGERS_PER_MINUTE.1),
            metrics,
            metrics_token: settings.server.metrics_token,
        });
        let server = serve(listener, api.clone())?;
        Ok(Self {
            server,
            port,
            api,
            store,
        })
    }

    /// The port that it listens on, also where the settings left the choice;
    /// `None` on a Unix socket.
    pub fn port(&self) -> Option<u16> {
        self.port
    }

    /// Answers until `stop`; then finishes requests and probes under way, and
    /// writes back what is left, or keeps it for the next start.
    pub async fn run_until(self, stop: impl Future<Output = ()>) -> anyhow::Result<()> {
        let Self {
            server,
            port,
            api,
            store,
        } = self;
        info!(port, databases = api.tenants.all().len(), "Listening");
        let server_handle = server.handle();
        let sharing = CancellationToken::new();
        let stopping = async {
            tokio::select! {
                () = stop => {}
                () = api.tenants.follow() => {}
            }
            server_handle.stop(true).await;
            api.tenants.stop().await;
            sharing.cancel();
        };
        let sharing_with_others = async {
            if let Some(store) = &store {
                let replica = Replica::new(Arc::clone(store));
                tokio::join!(
                    replica.run(|| api.tenants.members(), sharing.clone()),
                    sharing.run_until_cancelled(store.run_maintenance()),
                    sharing.run_until_cancelled(api.sharing.run()),
                );
                Replica::release(store).await;
            }
        };
        let (served, (), ()) = tokio::join!(server, stopping, sharing_with_others);
        info!("Stopped");
        served.context("serve")
    }
}

fn serve(listener: Listener, api: Data<Api>) -> anyhow::Result<Server> {
    let server = HttpServer::new(move || {
        App::new()
            .wrap(from_fn(count))
            .wrap(TracingLogger::default())
            .configure(routes(api.clone()))
    })
    .workers(HTTP_WORKERS)
    .max_connections(CONNECTIONS_MAX)
    .client_request_timeout(HEAD_TIMEOUT)
    .tcp_nodelay(true)
    .disable_signals()
    .shutdown_timeout(REQUESTS_GRACE_SECONDS);
    let server = match listener {
        Listener::Tcp(listener) => server.listen(listener),
        Listener::Tls(listener, config) => server.listen_rustls_0_23(listener, *config),
        Listener::Unix(listener) => server.listen_uds(listener),
    };
    Ok(server.context("listen")?.run())
}

/// A state directory that cannot be written costs pairings and what a stop
/// leaves over: it is said, and no reason not to start.
fn check_state_dir(state_dir: &std::path::Path) {
    let written = private_file::make_directory(state_dir)
        .and_then(|()| tempfile::tempfile_in(state_dir).context("write a file there"));
    if let Err(error) = written {
        warn!(
            state_dir = %state_dir.display(),
            error = format!("{error:#}"),
            "The state directory cannot be written: nothing can be paired, and results that Odoo has not taken \
             before a stop will be lost"
        );
    }
}
