//! A moment on the clock that every process of this machine shares and that runs while the machine
//! sleeps. It is taken before a lease is renewed and travels as it is, so that a frame that lay in a
//! pipe, or a holder that stood still before it sent one, never makes an executor outlive its lease.

use nix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Milliseconds since the machine was started, sleep included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Deadline(u64);

impl Deadline {
    /// This moment. Where the kernel has no such clock every deadline has passed.
    pub fn now() -> Deadline {
        let ms = clock_gettime(ClockId::CLOCK_BOOTTIME).map(|at| {
            let ms = Duration::from(at).as_millis();
            u64::try_from(ms).unwrap_or(u64::MAX)
        });
        Deadline(ms.unwrap_or(u64::MAX))
    }

    /// So long from now.
    pub fn after(span: Duration) -> Deadline {
        Deadline::now().plus(span)
    }

    /// So much later.
    pub fn plus(self, span: Duration) -> Deadline {
        let ms = u64::try_from(span.as_millis()).unwrap_or(u64::MAX);
        Deadline(self.0.saturating_add(ms))
    }

    /// How long until then; nothing when it has passed.
    pub fn left(self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(Deadline::now().0))
    }

    /// Whether it has passed.
    pub fn passed(self) -> bool {
        self.left().is_zero()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_a_moment_not_a_span() {
        let at = Deadline::after(Duration::from_secs(60));
        assert!(!at.passed() && at.left() <= Duration::from_secs(60));
        assert!(Deadline::now().passed());
        assert!(at.plus(Duration::from_secs(1)) > at);
        let text = serde_json::to_string(&at).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Deadline>(&text).ok(), Some(at));
    }
}
