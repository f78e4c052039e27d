//! How long the inside lives: a deadline the holder keeps moving, watched by a thread of its own
//! so that a stopped holder, a full pipe or a long scan cannot hold it up.

use super::frost::Frost;
use nix::sys::sysinfo::sysinfo;
use protocol::fault::Faults;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest sleep between two looks; a deadline is noticed at most this late.
const LOOK: Duration = Duration::from_millis(100);
/// Longest a holder may extend by.
const MOST: Duration = Duration::from_secs(24 * 3600);

/// Deadline and cancellations; cheap to clone.
#[derive(Clone)]
pub(super) struct Lifeline {
    deadline: Arc<Mutex<Deadline>>,
    /// Number of the newest cancelled question; they are asked in rising order.
    cancelled: Arc<AtomicU64>,
    /// Whether everything inside is stopped.
    pub(super) frost: Frost,
    faults: Faults,
}

#[derive(Clone, Copy)]
struct Deadline {
    /// On the clock that stands still while the machine sleeps; exact.
    at: Instant,
    /// Seconds since boot, sleep included, one more for its rounding.
    uptime: u64,
}

impl Deadline {
    fn after(ms: u64) -> Deadline {
        let span = Duration::from_millis(ms).min(MOST);
        Deadline {
            at: Instant::now() + span,
            uptime: uptime().saturating_add(span.as_secs()).saturating_add(2),
        }
    }

    fn passed(&self) -> bool {
        Instant::now() >= self.at || uptime() >= self.uptime
    }
}

/// Seconds since boot, counting time asleep; 0 where the kernel does not say.
fn uptime() -> u64 {
    sysinfo().map_or(0, |info| info.uptime().as_secs())
}

impl Lifeline {
    /// Starts the watch. When the deadline passes the process exits, and everything inside with it.
    pub(super) fn start(ms: u64, faults: Faults) -> Lifeline {
        let lifeline = Lifeline {
            deadline: Arc::new(Mutex::new(Deadline::after(ms))),
            cancelled: Arc::new(AtomicU64::new(0)),
            frost: Frost::default(),
            faults,
        };
        let watched = lifeline.clone();
        let watching = std::thread::Builder::new()
            .name("deadline".to_owned())
            .spawn(move || watched.watch());
        if watching.is_err() {
            std::process::exit(1);
        }
        lifeline
    }

    fn watch(&self) {
        loop {
            let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
            if deadline.passed() {
                self.linger();
                std::process::exit(i32::from(protocol::exit::DEADLINE));
            }
            let left = deadline.at.saturating_duration_since(Instant::now());
            std::thread::sleep(left.clamp(Duration::from_millis(1), LOOK));
        }
    }

    /// Returns at once, so that the caller ends the process; with the fault on, never.
    pub(super) fn linger(&self) {
        while self.faults.orphaned_child() {
            std::thread::park();
        }
    }

    pub(super) fn extend(&self, ms: u64) {
        *self.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Deadline::after(ms);
    }

    pub(super) fn cancel(&self, id: u64) {
        self.cancelled.fetch_max(id, Ordering::Relaxed);
    }

    /// Whether nobody waits for this question any more.
    pub(super) fn is_cancelled(&self, id: u64) -> bool {
        self.cancelled.load(Ordering::Relaxed) >= id
    }
}
