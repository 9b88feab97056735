//! The one-time code that an administrator carries from the sidecar to Odoo.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::digest::Digest;
use crate::private_file;

/// Long enough to walk over to Odoo, short enough to forget.
pub const LIFETIME: Duration = Duration::from_secs(10 * 60);

/// Crockford's base 32, which has no letter that looks like a digit.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// 50 bits: with five attempts a minute, a code that lives for ten minutes is
/// guessed once in 2^44 tries.
const LENGTH: usize = 10;

/// Odoo runs a request again, after a serialization failure, within seconds.
pub const REPEATED: Duration = Duration::from_secs(60);

/// The code that is valid now, of which the file has only the digest.
pub struct PairingCode {
    path: PathBuf,
    used: Mutex<Option<Used>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit {
    /// Another database whose secrets the new one may take over.
    pub carry_over_from: Option<Uuid>,
}

/// Wrong, used or expired: whoever guesses learns nothing from the difference.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused;

/// What is kept of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Tells it from the next one without a look at either.
    pub id: Uuid,
    digest: Digest,
    expires_at: Timestamp,
    carry_over_from: Option<Uuid>,
}

/// A code that was used up, and by which request.
#[derive(Clone)]
pub struct Used {
    digest: Digest,
    pub request: String,
    at: Instant,
    permit: Permit,
}

impl PairingCode {
    pub fn new(state_dir: &Path) -> Self {
        Self {
            path: state_dir.join("pairing-code.json"),
            used: Mutex::new(None),
        }
    }

    /// Makes a code; the one before is void.
    pub fn issue(&self, carry_over_from: Option<Uuid>, now: Timestamp) -> anyhow::Result<SecretString> {
        let mut random = Zeroizing::new([0; LENGTH]);
        getrandom::fill(random.as_mut()).context("make a code")?;
        let code: Zeroizing<String> = Zeroizing::new(
            random
                .iter()
                .map(|byte| char::from(ALPHABET[usize::from(byte & 31)]))
                .collect(),
        );
        let stored = Stored {
            id: Uuid::now_v7(),
            digest: Digest::of(code.as_bytes()),
            expires_at: now.checked_add(LIFETIME).context("tell the time")?,
            carry_over_from,
        };
        private_file::write(
            &self.path,
            &serde_json::to_vec(&stored).context("encode the code")?,
        )?;
        let (first, second) = code.split_at(LENGTH / 2);
        Ok(SecretString::from(format!("{first}-{second}")))
    }

    /// Uses the code up. The same request may come again for a minute.
    pub fn redeem(&self, code: &str, request: &str, now: Timestamp) -> Result<Permit, Refused> {
        let mut used = self.used();
        if let Some(used) = &*used
            && used.digest == digest_of(code)
        {
            let is_the_same = used.request == request && used.at.elapsed() < REPEATED;
            return is_the_same.then_some(used.permit).ok_or(Refused);
        }
        let permit = self
            .stored()
            .and_then(|stored| stored.permit(code, now))
            .ok_or(Refused)?;
        // Who removes the file has the code; another process comes too late.
        fs::remove_file(&self.path).map_err(|_| Refused)?;
        *used = Some(Used::now(code, request, permit));
        Ok(permit)
    }

    /// Remembers that this request has used a code up that is kept elsewhere.
    pub fn remember(&self, code: &str, request: &str, permit: Permit) {
        *self.used() = Some(Used::now(code, request, permit));
    }

    /// Whether another request has used this code up here, whatever is said of it elsewhere.
    pub fn is_used_up(&self, code: &str, request: &str) -> bool {
        let used = self.used();
        used.as_ref()
            .is_some_and(|used| used.digest == digest_of(code) && used.request != request)
    }

    /// What was used up here of late. Where the code is kept elsewhere, that may not be known, or somebody
    /// may have undone it.
    pub fn lately_used(&self) -> Option<Used> {
        let used = self.used();
        used.as_ref().filter(|used| used.at.elapsed() < LIFETIME).cloned()
    }

    fn used(&self) -> MutexGuard<'_, Option<Used>> {
        self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in the file, for whoever keeps it elsewhere.
    pub fn stored(&self) -> Option<Stored> {
        let bytes = fs::read(&self.path).ok()?;
        serde_json::from_slice(&bytes).ok()
    }

    /// It is kept elsewhere now.
    pub fn discard(&self, moved: &Stored) {
        if self.stored().as_ref() == Some(moved) {
            fs::remove_file(&self.path).ok();
        }
    }
}

impl Stored {
    pub fn is_alive(&self, now: Timestamp) -> bool {
        now < self.expires_at
    }

    pub fn is_of(&self, used: &Used) -> bool {
        self.digest == used.digest
    }

    /// What the code allows, if it is this one.
    pub fn permit(&self, code: &str, now: Timestamp) -> Option<Permit> {
        (self.digest == digest_of(code) && self.is_alive(now)).then_some(Permit {
            carry_over_from: self.carry_over_from,
        })
    }
}

impl Used {
    fn now(code: &str, request: &str, permit: Permit) -> Self {
        Self {
            digest: digest_of(code),
            request: request.to_owned(),
            at: Instant::now(),
            permit,
        }
    }
}

fn digest_of(code: &str) -> Digest {
    Digest::of(normal_form(code).as_bytes())
}

/// What people make of a code: blanks, small letters, an O for a zero.
fn normal_form(code: &str) -> Zeroizing<String> {
    let letters = code.chars().filter(|c| c.is_ascii_alphanumeric());
    Zeroizing::new(
        letters
            .take(2 * LENGTH)
            .map(|letter| match letter.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;
    use tempfile::TempDir;

    use super::*;

    fn codes() -> (TempDir, PairingCode) {
        let directory = tempfile::tempdir().expect("a directory");
        let codes = PairingCode::new(directory.path());
        (directory, codes)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).expect("a time")
    }

    fn issued(codes: &PairingCode) -> String {
        let code = codes.issue(None, at(0)).expect("a code");
        code.expose_secret().to_owned()
    }

    #[test]
    fn a_code_is_used_once() {
        let (_directory, codes) = codes();
        let code = issued(&codes);
        assert!(codes.redeem(&code, "r1", at(1)).is_ok());
        assert_eq!(codes.redeem(&code, "r2", at(1)), Err(Refused));
    }

    #[test]
    fn the_same_request_may_come_again() {
        let (_directory, codes) = codes();
        let code = issued(&codes);
        assert_eq!(codes.redeem(&code, "r1", at(1)), codes.redeem(&code, "r1", at(1)));
        assert!(codes.redeem(&code, "r1", at(1)).is_ok());
    }

    #[test]
    fn a_code_dies_after_ten_minutes() {
        let (_directory, codes) = codes();
        let code = issued(&codes);
        assert_eq!(codes.redeem(&code, "r", at(600)), Err(Refused));
        assert!(codes.redeem(&code, "r", at(599)).is_ok());
    }

    #[test]
    fn a_newer_code_voids_the_one_before() {
        let (_directory, codes) = codes();
        let (first, second) = (issued(&codes), issued(&codes));
        assert_eq!(codes.redeem(&first, "r", at(1)), Err(Refused));
        assert!(codes.redeem(&second, "r", at(1)).is_ok());
    }

    #[test]
    fn without_a_code_nothing_is_accepted() {
        let (_directory, codes) = codes();
        for code in ["", "-", "00000-00000"] {
            assert_eq!(codes.redeem(code, "r", at(1)), Err(Refused));
        }
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let (_directory, codes) = codes();
        let code = issued(&codes);
        let sloppy = format!(
            " {} ",
            code.to_lowercase()
                .replace('-', " ")
                .replace('0', "o")
                .replace('1', "l")
        );
        assert!(codes.redeem(&sloppy, "r", at(1)).is_ok());
    }

    #[test]
    fn the_file_has_neither_the_code_nor_more_than_its_owner_as_reader() {
        let (directory, codes) = codes();
        let code = issued(&codes);
        let path = directory.path().join("pairing-code.json");
        let text = fs::read_to_string(&path).expect("there");
        assert!(!text.contains(&code) && !text.contains(&code.replace('-', "")));
        assert_eq!(private_file::mode(&path).expect("there") & 0o777, 0o600);
    }
}
