//! How long the inside lives: a deadline the holder keeps moving, watched by a thread of its own
//! so that a stopped holder, a full pipe or a long scan cannot hold it up.

use super::frost::Frost;
use crate::deadline::Deadline;
use protocol::fault::Faults;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

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

impl Lifeline {
    /// Starts the watch. When the deadline passes the process exits, and everything inside with it.
    pub(super) fn start(deadline: Deadline, faults: Faults) -> Lifeline {
        let lifeline = Lifeline {
            deadline: Arc::new(Mutex::new(deadline.min(Deadline::after(MOST)))),
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
            std::thread::sleep(deadline.left().clamp(Duration::from_millis(1), LOOK));
        }
    }

    /// Returns at once, so that the caller ends the process; with the fault on, never.
    pub(super) fn linger(&self) {
        while self.faults.orphaned_child() {
            std::thread::park();
        }
    }

    /// Moves the deadline; one that came late moves nothing back.
    pub(super) fn extend(&self, until: Deadline) {
        let mut deadline = self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        *deadline = until.min(Deadline::after(MOST)).max(*deadline);
    }

    pub(super) fn cancel(&self, id: u64) {
        self.cancelled.fetch_max(id, Ordering::Relaxed);
    }

    /// Whether nobody waits for this question any more.
    pub(super) fn is_cancelled(&self, id: u64) -> bool {
        self.cancelled.load(Ordering::Relaxed) >= id
    }
}
