//! The PIN that proves a person where agents run as the same user: the kernel cannot tell them apart
//! there. Kept as a scrypt hash in the warden's folder; wrong ones cost time, and more each time.

use config::error::ConfigError;
use config::private_file;
use jiff::{SignedDuration, Timestamp};
use scrypt::{Params, scrypt};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Fewest characters of a PIN.
pub const FEWEST: usize = 6;
/// Most bytes of one.
const MOST: usize = 256;
/// Work of a guess: 32 MB and some hundredths of a second. Unoptimised it would be some ten seconds;
/// how much it was is kept beside the hash.
const LOG_N: u8 = if cfg!(debug_assertions) { 10 } else { 15 };
/// Wrong ones before a pause.
const TRIES: u32 = 3;

/// A PIN as it is kept.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    v: u32,
    log_n: u8,
    salt: [u8; 16],
    hash: [u8; 32],
}

impl std::fmt::Debug for Pin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pin")
    }
}

impl Pin {
    /// Of some characters.
    ///
    /// # Errors
    /// A sentence, where they are no PIN.
    pub fn of(text: &str) -> Result<Self, String> {
        if text.chars().count() < FEWEST || text.len() > MOST {
            return Err(format!("a PIN has {FEWEST} characters or more"));
        }
        let salt: [u8; 16] = rand::random();
        let hash = hashed(text, &salt, LOG_N).ok_or("a PIN cannot be kept here")?;
        Ok(Self {
            v: 1,
            log_n: LOG_N,
            salt,
            hash,
        })
    }

    /// Whether these are its characters.
    pub fn is(&self, text: &str) -> bool {
        let hash = hashed(text, &self.salt, self.log_n);
        // Every byte is looked at, however early one differs.
        hash.is_some_and(|hash| {
            hash.iter()
                .zip(self.hash)
                .fold(0, |all, (a, b)| all | (a ^ b))
                == 0
        })
    }

    /// The one that is kept; `None` where none is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>, ConfigError> {
        let Some(text) = private_file::read(path, 4096)? else {
            return Ok(None);
        };
        serde_json::from_slice(&text)
            .map(Some)
            .map_err(|error| ConfigError::file("use", path, error))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn keep(&self, path: &Path) -> Result<(), ConfigError> {
        let text = serde_json::to_vec(self).unwrap_or_default();
        private_file::write(path, &text)
    }
}

fn hashed(text: &str, salt: &[u8], log_n: u8) -> Option<[u8; 32]> {
    let params = Params::new(log_n.min(20), 8, 1, 32).ok()?;
    let mut hash = [0; 32];
    scrypt(text.as_bytes(), salt, &params, &mut hash).ok()?;
    Some(hash)
}

/// How often a wrong one was tried. Kept in memory: a warden that is started again has cost its killer
/// as much time.
#[derive(Debug, Default)]
pub struct Tries {
    wrong: u32,
    until: Option<Timestamp>,
}

impl Tries {
    /// Whether another one may be tried now.
    ///
    /// # Errors
    /// A sentence, while it may not.
    pub fn may(&self, now: Timestamp) -> Result<(), String> {
        match self.until {
            Some(until) if now < until => {
                let left = (until.as_second() - now.as_second()).max(1);
                Err(format!(
                    "{} wrong PINs were tried: wait {left} s",
                    self.wrong
                ))
            }
            _ => Ok(()),
        }
    }

    /// Notes how a try went.
    pub fn tried(&mut self, right: bool, now: Timestamp) {
        if right {
            *self = Self::default();
            return;
        }
        self.wrong += 1;
        if self.wrong >= TRIES {
            let pause = 30 << (self.wrong - TRIES).min(7);
            self.until = now.checked_add(SignedDuration::from_secs(pause)).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_pin_is_kept_as_a_hash() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pin.json");
        assert_eq!(Pin::read(&path), Ok(None));
        assert!(Pin::of("12345").is_err());
        let pin = Pin::of("over the hill").unwrap();
        pin.keep(&path).unwrap();
        let kept = Pin::read(&path).unwrap().unwrap();
        assert!(kept.is("over the hill") && !kept.is("over the hil"));
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("hill"));
    }

    #[test]
    fn wrong_ones_cost_more_and_more_time() {
        let at = |s: i64| Timestamp::from_second(s).unwrap();
        let mut tries = Tries::default();
        for (second, may) in [
            (0, true),
            (1, true),
            (2, true),
            (3, false),
            (31, false),
            (33, true),
            (34, false),
            (92, false),
            (94, true),
        ] {
            assert_eq!(tries.may(at(second)).is_ok(), may, "{second}");
            if may {
                tries.tried(false, at(second));
            }
        }
        tries.tried(true, at(95));
        assert!(tries.may(at(96)).is_ok());
    }
}
