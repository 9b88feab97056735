//! Who else than Odoo is told what happened.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::report::Report;
use crate::roster::Monitored;

/// What somebody else than Odoo is to be told. It is kept where results are, until it has arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    /// The event's.
    pub id: Uuid,
    /// The endpoint's.
    pub record: Uuid,
    pub since: Timestamp,
    /// What only who made it has to read: sealed, where others may write to the store.
    pub body: String,
}

/// Whoever tells others than Odoo; says so by [`crate::Recorder::told`] when it has.
pub trait Notifier: Send + Sync {
    /// What is to be told of a report; nothing while nobody wants to know.
    fn notices(&self, report: &Report, endpoint: Option<&Monitored>) -> Vec<Notice>;

    /// Tells each, if it is not about to already.
    fn tell(&self, notices: Vec<Notice>);

    /// Leaves those of other endpoints than these to another process.
    fn retain(&self, keep: &dyn Fn(Uuid) -> bool);
}

/// Tells nobody.
impl Notifier for () {
    fn notices(&self, _: &Report, _: Option<&Monitored>) -> Vec<Notice> {
        Vec::new()
    }

    fn tell(&self, _: Vec<Notice>) {}

    fn retain(&self, _: &dyn Fn(Uuid) -> bool) {}
}
