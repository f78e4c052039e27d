//! What becomes of a task whose model cannot be had: it waits and tries again, longer each time, a
//! stated number of times for one reply; then it fails with the whole story. Pure.

use engine::engine::EngineError;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use protocol::report::{Usage, Wait};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest wait of our own.
const LONGEST: Duration = Duration::from_secs(3600);
/// Longest wait a server may ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 3600);
/// How much longer each wait is than the one before.
const GROWTH: u32 = 3;

/// A call that came to nothing, as the journal keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failed {
    /// When.
    pub at: Timestamp,
    /// Why, in a few words.
    pub why: String,
    /// What it cost all the same.
    pub spent: Usage,
    /// Whether the key was refused.
    #[serde(default)]
    pub refused: bool,
}

impl Failed {
    /// The failure of a call.
    pub fn of(error: &EngineError, at: Timestamp) -> Self {
        Self {
            at,
            why: error.passes().unwrap_or_else(|| error.to_string()),
            spent: error.spent().cloned().unwrap_or_default(),
            refused: matches!(error, EngineError::Unauthorized(_)),
        }
    }
}

/// How much a task puts up with.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// How often it waits for one reply.
    pub most: u32,
    /// The first wait.
    pub first: Duration,
    /// When the task must be over.
    pub deadline: Option<Timestamp>,
}

/// What is next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// It rests until then.
    Wait(Wait),
    /// It fails, for this reason.
    GiveUp(String),
}

impl Patience {
    /// What becomes of a task whose call just failed, after those `before` it.
    pub fn next(&self, before: &[Failed], error: &EngineError, now: Timestamp) -> Next {
        let number = u32::try_from(before.len()).unwrap_or(u32::MAX);
        let Some(why) = error.passes() else {
            return Next::GiveUp(error.to_string());
        };
        if number >= self.most {
            return Next::GiveUp(story(before, error, ""));
        }
        let until = now
            .checked_add(self.pause(number, error.asks_to_wait()))
            .unwrap_or(Timestamp::MAX);
        if self.deadline.is_some_and(|deadline| until >= deadline) {
            let late = "; the next try would come after its deadline";
            return Next::GiveUp(story(before, error, late));
        }
        Next::Wait(Wait {
            until,
            why: format!("the model: {why}"),
            number: number + 1,
            most: self.most,
        })
    }

    /// The wait after `waited` earlier ones: what the server asks for, and not less than our own.
    fn pause(&self, waited: u32, asked: Option<Duration>) -> SignedDuration {
        let own = self
            .first
            .saturating_mul(GROWTH.saturating_pow(waited))
            .min(LONGEST.max(self.first));
        let pause = own.max(asked.unwrap_or_default().min(LONGEST_ASKED));
        SignedDuration::try_from(pause).unwrap_or(SignedDuration::MAX)
    }
}

/// The last error, and every try before it.
fn story(before: &[Failed], error: &EngineError, late: &str) -> String {
    if before.is_empty() {
        return format!("{error}{late}");
    }
    let tries: Vec<String> = before
        .iter()
        .map(|one| format!("{} {}", one.at.strftime("%H:%M:%S"), one.why))
        .collect();
    format!(
        "{error}{late}; it was tried before, at (UTC) {}",
        tries.join("; ")
    )
}

/// `waits for the model: overloaded (status 529); tries again at 14:32:00 CET (2 of 5)`.
pub fn sentence(wait: &Wait) -> String {
    let at = wait.until.to_zoned(TimeZone::system());
    format!(
        "waits for {}; tries again at {} ({} of {})",
        wait.why,
        at.strftime("%H:%M:%S %Z"),
        wait.number,
        wait.most
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const PATIENCE: Patience = Patience {
        most: 5,
        first: Duration::from_secs(60),
        deadline: None,
    };

    fn overloaded(status: u16, after: Option<u64>) -> EngineError {
        EngineError::Overloaded {
            status,
            retry_after: after.map(Duration::from_secs),
        }
    }

    fn now() -> Timestamp {
        "2026-11-20T13:00:00Z".parse().unwrap()
    }

    fn failed(times: usize) -> Vec<Failed> {
        vec![Failed::of(&overloaded(529, None), now()); times]
    }

    /// Seconds of each wait until it gives up.
    fn waits(patience: &Patience, error: &EngineError) -> Vec<i64> {
        (0..30)
            .map_while(|n| match patience.next(&failed(n), error, now()) {
                Next::Wait(wait) => Some(wait.until.duration_since(now()).as_secs()),
                Next::GiveUp(_) => None,
            })
            .collect()
    }

    #[test]
    fn waits_grow_are_bounded_and_honour_the_server() {
        let check = |patience: Patience, error: EngineError, expected: &[i64]| {
            assert_eq!(waits(&patience, &error), expected, "{error}");
        };
        let usual = [60, 180, 540, 1620, 3600];
        check(PATIENCE, overloaded(529, None), &usual);
        check(PATIENCE, overloaded(429, Some(20)), &usual);
        check(
            PATIENCE,
            overloaded(429, Some(600)),
            &[600, 600, 600, 1620, 3600],
        );
        check(PATIENCE, overloaded(429, Some(9_000_000)), &[86_400; 5]);
        check(PATIENCE, EngineError::Unreachable("refused".into()), &usual);
        let server = EngineError::Server {
            status: 503,
            message: String::new(),
        };
        check(PATIENCE, server, &usual);
        for lasting in [
            EngineError::Unauthorized(String::new()),
            EngineError::Billing(String::new()),
            EngineError::BadRequest(String::new()),
            EngineError::TooLarge(String::new()),
            EngineError::Garbled(String::new()),
        ] {
            check(PATIENCE, lasting, &[]);
        }
        let at_once = Patience {
            most: 0,
            ..PATIENCE
        };
        check(at_once, overloaded(529, None), &[]);
        // A day is a long wait of one's own, and stays one.
        let slow = Patience {
            first: Duration::from_secs(86_400),
            ..PATIENCE
        };
        check(slow, overloaded(529, None), &[86_400; 5]);
        let soon = Patience {
            deadline: now().checked_add(SignedDuration::from_secs(200)).ok(),
            ..PATIENCE
        };
        check(soon, overloaded(529, None), &[60, 180]);
    }

    #[test]
    fn a_wait_and_the_end_of_patience_are_told_whole() {
        let Next::Wait(wait) = PATIENCE.next(&failed(1), &overloaded(529, None), now()) else {
            panic!("it gives up");
        };
        let said = sentence(&wait);
        assert!(
            said.starts_with("waits for the model: overloaded (status 529); tries again at "),
            "{said}"
        );
        assert!(said.ends_with("(2 of 5)"), "{said}");
        let Next::GiveUp(why) = PATIENCE.next(&failed(5), &overloaded(529, None), now()) else {
            panic!("it waits");
        };
        assert!(why.starts_with("the model's server is overloaded"), "{why}");
        assert_eq!(why.matches("13:00:00 overloaded (status 529)").count(), 5);
    }
}
