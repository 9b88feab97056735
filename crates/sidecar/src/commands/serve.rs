//! `insightpulse serve`: runs the service until a signal stops it.

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

use crate::settings::{RawSettings, Settings};
use crate::startup::Application;
use crate::telemetry;

pub async fn run(settings: RawSettings) -> anyhow::Result<()> {
    let settings = Settings::validate(settings)?;
    telemetry::init(&settings.log)?;
    let mut terminate = signal(SignalKind::terminate()).context("listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("listen for SIGINT")?;
    let stop = async move {
        tokio::select! {
            _ = terminate.recv() => info!("Stopping on SIGTERM"),
            _ = interrupt.recv() => info!("Stopping on SIGINT"),
        }
    };
    Application::build(settings)?.run_until(stop).await
}
