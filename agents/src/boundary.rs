//! The boundaries of a journal: right before and right after each of a holder's writes. A test may
//! have the process die at one of them; nothing else looks at them.

use bus::claim::Delivery;
use nix::sys::signal::{Signal, raise};
use protocol::fault::{Faults, Side};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the writes of one held task; every clone counts the same.
#[derive(Debug, Clone, Default)]
pub struct Boundary {
    faults: Faults,
    task: u64,
    attempt: u64,
    writes: Arc<AtomicU64>,
}

impl Boundary {
    /// Of a task that was just claimed.
    pub fn of(faults: Faults, delivery: &Delivery) -> Self {
        let short = delivery.envelope.payload.context["short_id"].as_str();
        let number = short.and_then(|short| short.trim_start_matches('t').parse().ok());
        Self {
            faults,
            task: number.unwrap_or(0),
            attempt: delivery.attempt,
            writes: Arc::default(),
        }
    }

    /// The next write is about to be made.
    pub fn before(&self) {
        let write = self.writes.fetch_add(1, Ordering::Relaxed) + 1;
        self.die(write, Side::Before);
    }

    /// It was made.
    pub fn after(&self) {
        self.die(self.writes.load(Ordering::Relaxed), Side::After);
    }

    fn die(&self, write: u64, side: Side) {
        if self.faults.dies_at(self.task, self.attempt, write, side) {
            // As if somebody else had killed it: no destructor runs, nothing is told.
            let _dead = raise(Signal::SIGKILL);
        }
    }
}
