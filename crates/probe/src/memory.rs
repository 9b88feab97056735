//! What probes remember of earlier ones, and for how long.

use std::sync::Arc;
use std::time::Duration;

use insightpulse_domain::{Failure, Reason};
use secrecy::SecretString;

use crate::remembered::Remembered;
use crate::scram::ScramKeys;

/// It is as secret as what it is made of, and dies with it or after minutes.
pub struct Memory {
    /// PostgreSQL's login costs the client some milliseconds without them.
    pub scram_keys: Remembered<Arc<ScramKeys>>,
    /// A login costs Superset a fifth of a second.
    pub superset_tokens: Remembered<Arc<SecretString>>,
}

const LIFETIME: Duration = Duration::from_secs(10 * 60);

impl Memory {
    pub fn new() -> Result<Self, Failure> {
        let no_random_numbers = |_| {
            Failure::from(Reason::TlsUnusable {
                error: "it has no random numbers".into(),
            })
        };
        Ok(Self {
            scram_keys: Remembered::new(LIFETIME).map_err(no_random_numbers)?,
            superset_tokens: Remembered::new(LIFETIME).map_err(no_random_numbers)?,
        })
    }
}
