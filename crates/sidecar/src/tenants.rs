//! The databases that are served: each with its own monitoring, outbox and way back, apart from the others.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use insightpulse_monitor::{
    Keeping, Limits, Member, Monitor, MonitorSetup, Notifier, Outbox, Recorder, Store, run_delivery,
};
use insightpulse_odoo_rpc::Protocol;
use insightpulse_probe::Egress;
use jiff::{SignedDuration, Timestamp};
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::digest::Digest;
use crate::following::{Hints, follow};
use crate::keyring_source::LiveKeyring;
use crate::metrics::Metrics;
use crate::pairings::{Pairing, Pairings};
use crate::reloading::Reloading;
use crate::secrets::open_target;
use crate::sharing::Sharing;
use crate::spool::Spool;
use crate::webhook::Webhook;
use crate::writeback::Writeback;

/// What is served now; follows the pairings' file.
pub struct Tenants {
    setup: TenantSetup,
    pairings: Reloading<Vec<Pairing>>,
    running: Mutex<Running>,
}

/// What every database gets.
pub struct TenantSetup {
    /// Probes and deliveries run here.
    pub runtime: Handle,
    pub state_dir: PathBuf,
    pub pairings: Pairings,
    pub sharing: Arc<Sharing>,
    pub keyring: Arc<LiveKeyring>,
    pub net: Arc<Egress>,
    pub protocol: Protocol,
    pub limits: Limits,
    /// What several sidecars share, if they do.
    pub store: Option<Arc<Store>>,
    pub requests_per_second: NonZeroU32,
    pub metrics: Arc<Metrics>,
}

/// One database that is served.
pub struct Tenant {
    pub database: Uuid,
    pub monitor: Arc<Monitor>,
    /// What Odoo says has changed.
    pub hints: Arc<Hints>,
    pub webhook: Arc<Webhook>,
    /// How often it may ask.
    pub rate: DefaultDirectRateLimiter,
    /// How many of its requests are answered at once.
    pub turns: Semaphore,
    outbox: Arc<Outbox>,
    writeback: Writeback,
    /// Ends the schedule.
    pause: CancellationToken,
    /// Ends the writing down of results, after what is left.
    written: CancellationToken,
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Ends deliveries after a last attempt.
    stop: CancellationToken,
    /// Ends everything at once.
    revoked: CancellationToken,
}

#[derive(Default)]
struct Running {
    /// The pairings that `tenants` were made for.
    pairings: Option<Arc<Vec<Pairing>>>,
    tenants: HashMap<Uuid, (Arc<Tenant>, JoinHandle<()>)>,
    is_stopping: bool,
}

/// Odoo has rarely more workers than this.
const REQUESTS_AT_ONCE: usize = 128;

/// How long the last results may take on their way to Odoo.
const DELIVERY_GRACE: Duration = Duration::from_secs(5);

/// How long probes under way may still take, of all databases together.
const DRAIN_WITHIN: Duration = Duration::from_secs(8);

/// How long a pairing may take over another database's secrets.
const CARRY_OVER: SignedDuration = SignedDuration::from_hours(24);

impl Tenants {
    /// Begins to serve what is paired.
    pub fn new(setup: TenantSetup) -> anyhow::Result<Self> {
        let file = setup.pairings.clone();
        let paths = vec![file.path().to_owned()];
        let pairings = Reloading::new("the pairings", paths, move || file.read())?;
        let tenants = Self {
            setup,
            pairings,
            running: Mutex::default(),
        };
        drop(tenants.synchronized());
        Ok(tenants)
    }

    /// Who shows this token, if anybody who is paired.
    pub fn find(&self, token: &Digest) -> Option<Arc<Tenant>> {
        let running = self.synchronized();
        let mut tenants = running.tenants.values();
        tenants
            .find(|(tenant, _)| tenant.writeback.pairing().token == *token)
            .map(|(tenant, _)| Arc::clone(tenant))
    }

    pub fn store(&self) -> Option<&Arc<Store>> {
        self.setup.store.as_ref()
    }

    pub fn all(&self) -> Vec<Arc<Tenant>> {
        let running = self.synchronized();
        running
            .tenants
            .values()
            .map(|(tenant, _)| Arc::clone(tenant))
            .collect()
    }

    /// Adds a database, or replaces what it was paired by.
    pub fn pair(&self, pairing: Pairing) -> anyhow::Result<()> {
        info!(
            database = %pairing.database,
            database.name = pairing.database_name,
            odoo.url = pairing.odoo_url,
            "Paired a database"
        );
        self.setup.pairings.put(pairing)?;
        drop(self.synchronized());
        Ok(())
    }

    /// Forgets a database: nobody gets in by its token from now on.
    pub fn unpair(&self, database: Uuid) -> anyhow::Result<()> {
        self.setup.pairings.remove(database)?;
        drop(self.synchronized());
        Ok(())
    }

    /// Takes in what a database is called now, if that is another name.
    pub fn rename(&self, database: Uuid, name: &str) -> anyhow::Result<()> {
        let is_new = |pairing: &Pairing| pairing.database == database && pairing.database_name != name;
        if !self.pairings.get().iter().any(is_new) {
            return Ok(());
        }
        info!(%database, name, "A database has another name now");
        self.setup.pairings.update(|pairings| {
            for pairing in pairings.iter_mut().filter(|pairing| is_new(pairing)) {
                pairing.database_name = name.to_owned();
            }
        })?;
        drop(self.synchronized());
        Ok(())
    }

    /// Follows the file also while nobody asks; never returns.
    pub async fn follow(&self) {
        loop {
            drop(self.synchronized());
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    /// Finishes probes under way, and writes back what is left, or keeps it for
    /// the next start.
    pub async fn stop(&self) {
        let tenants: Vec<_> = {
            let mut running = self.lock();
            running.is_stopping = true;
            running.tenants.drain().map(|(_, tenant)| tenant).collect()
        };
        for (tenant, _) in &tenants {
            tenant.pause.cancel();
        }
        // No other probe is begun, and those under way end before the last delivery; or else
        // whoever stops us would kill us with all that Odoo was still to be told.
        let until = Instant::now() + DRAIN_WITHIN;
        for (tenant, _) in &tenants {
            tenant.monitor.drain(until - Instant::now()).await;
            tenant.write_all().await;
            tenant.stop.cancel();
        }
        for (tenant, task) in tenants {
            // A panic there is told by the runtime; the results are still here.
            task.await.ok();
            // What is in a store that is there is taken up by whoever comes next.
            let store = self.setup.store.as_ref();
            let is_kept = store.is_some_and(|store| store.is_complete(tenant.database));
            if !tenant.revoked.is_cancelled() && !is_kept {
                self.spool(tenant.database)
                    .save(&tenant.outbox.peek(), &tenant.webhook.waiting());
            }
        }
    }

    /// What is served, after taking in what has changed in the file.
    fn synchronized(&self) -> MutexGuard<'_, Running> {
        let mut running = self.lock();
        let pairings = self.pairings.get();
        let is_new = !running
            .pairings
            .as_ref()
            .is_some_and(|known| Arc::ptr_eq(known, &pairings));
        if is_new && !running.is_stopping {
            self.take_in(&mut running, &pairings);
            running.pairings = Some(pairings);
        }
        running
    }

    fn take_in(&self, running: &mut Running, pairings: &[Pairing]) {
        running.tenants.retain(|database, (tenant, _)| {
            let stays = pairings.iter().any(|pairing| pairing.database == *database);
            if !stays {
                info!(%database, "Unpaired a database");
                tenant.revoked.cancel();
                tenant.written.cancel();
                self.setup.metrics.forget(*database);
                self.spool(*database).discard();
                self.forget_stored(*database);
            }
            stays
        });
        for pairing in pairings {
            match running.tenants.get(&pairing.database) {
                Some((tenant, _)) => tenant.writeback.set_pairing(pairing.clone()),
                None => {
                    let tenant = Arc::new(self.start(pairing.clone()));
                    let task = self.setup.runtime.spawn(Arc::clone(&tenant).run());
                    running.tenants.insert(pairing.database, (tenant, task));
                }
            }
        }
    }

    fn start(&self, pairing: Pairing) -> Tenant {
        let setup = &self.setup;
        let outbox = Arc::new(Outbox::default());
        let database = pairing.database;
        let keyring = Arc::clone(&setup.keyring);
        let written = CancellationToken::new();
        let (mut keeping, mut writing) = (None, None);
        if let Some(store) = &setup.store {
            let (recorder, writer) = Recorder::new(Arc::clone(store), database, Arc::clone(&outbox));
            writing = Some(writer);
            keeping = Some(Keeping {
                store: Arc::clone(store),
                recorder,
            });
        }
        let recorder = keeping.as_ref().map(|keeping| keeping.recorder.clone());
        let webhook = Arc::new(Webhook::new(
            database,
            Arc::clone(&setup.keyring),
            Arc::clone(&setup.net),
            setup.metrics.of(database),
            recorder.clone(),
        ));
        let left = self.spool(database).restore(&outbox, &*webhook);
        let writer = writing.map(|writer| {
            let notifier: Arc<dyn Notifier> = Arc::clone(&webhook) as _;
            setup.runtime.spawn(writer.run(notifier, written.clone()))
        });
        let burst = setup.requests_per_second.saturating_mul(BURST);
        let monitor = Monitor::new(MonitorSetup {
            database,
            runtime: setup.runtime.clone(),
            net: Arc::clone(&setup.net),
            limits: setup.limits,
            outbox: Arc::clone(&outbox),
            keeping,
            observer: Arc::new(setup.metrics.of(database)),
            notifier: Arc::clone(&webhook) as _,
            opens: Arc::new(move |raw| open_target(&keyring.get(), database, raw)),
        });
        monitor.go_on_from(&left);
        if let Some(recorder) = &recorder {
            recorder.left(left, webhook.waiting());
        }
        Tenant {
            database,
            monitor: Arc::new(monitor),
            hints: Arc::default(),
            webhook,
            written,
            writer: Mutex::new(writer),
            rate: RateLimiter::direct(Quota::per_second(setup.requests_per_second).allow_burst(burst)),
            turns: Semaphore::new(REQUESTS_AT_ONCE),
            outbox,
            writeback: Writeback::new(
                pairing,
                setup.pairings.clone(),
                Arc::clone(&setup.sharing),
                Arc::clone(&setup.keyring),
                setup.protocol,
                setup.metrics.of(database),
                recorder,
            ),
            pause: CancellationToken::new(),
            stop: CancellationToken::new(),
            revoked: CancellationToken::new(),
        }
    }

    /// The databases, as those see them who share them.
    pub fn members(&self) -> Vec<Member> {
        let member = |tenant: Arc<Tenant>| {
            let hints = Arc::clone(&tenant.hints);
            Member {
                database: tenant.database,
                monitor: Arc::clone(&tenant.monitor),
                outbox: Arc::clone(&tenant.outbox),
                notifier: Arc::clone(&tenant.webhook) as _,
                on_hint: Arc::new(move || hints.all_changed()),
            }
        };
        self.all().into_iter().map(member).collect()
    }

    fn forget_stored(&self, database: Uuid) {
        if let Some(store) = self.setup.store.clone() {
            self.setup.runtime.spawn(async move {
                if let Err(error) = store.forget(database).await {
                    warn!(%database, %error, "What is stored of a database that was unpaired could not be removed");
                }
            });
        }
    }

    fn spool(&self, database: Uuid) -> Spool {
        Spool::new(&self.setup.state_dir, database)
    }

    fn lock(&self) -> MutexGuard<'_, Running> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A crowd of clicks at closing time is no attack.
const BURST: NonZeroU32 = NonZeroU32::new(4).expect("not zero");

impl Tenant {
    /// Whether Odoo took the last call, and if not, why.
    pub fn odoo_state(&self) -> Result<(), String> {
        self.writeback.state()
    }

    pub fn waiting(&self) -> usize {
        self.outbox.len()
    }

    /// Whether this database may take over the secrets of another one.
    pub fn may_carry_over_from(&self, other: Uuid, now: Timestamp) -> bool {
        let pairing = self.writeback.pairing();
        pairing.carry_over_from == Some(other) && now.duration_since(pairing.paired_at) < CARRY_OVER
    }

    /// Waits until all results are written down, where that is done.
    async fn write_all(&self) {
        self.written.cancel();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer {
            // A panic there is told by the runtime.
            writer.await.ok();
        }
    }

    async fn run(self: Arc<Self>) {
        let delivering = run_delivery(&self.outbox, &self.writeback, self.stop.clone(), DELIVERY_GRACE);
        let monitoring = self.pause.run_until_cancelled(async {
            tokio::join!(
                self.monitor.run(),
                follow(
                    self.database,
                    &self.writeback,
                    &self.monitor,
                    &self.webhook,
                    &self.hints
                ),
                self.webhook.run(|| self.monitor.is_certain()),
            )
        });
        tokio::select! {
            ((), _) = async { tokio::join!(delivering, monitoring) } => {}
            never = self.writeback.watch(|| self.monitor.is_first()) => match never {},
            () = self.revoked.cancelled() => {
                let results = self.outbox.len();
                if results > 0 {
                    warn!(database = %self.database, results, "Results are dropped with their pairing");
                }
                // A probe that ends from now on is of no endpoint that counts.
                self.monitor.keep_only(&HashSet::new());
            }
        }
    }
}
