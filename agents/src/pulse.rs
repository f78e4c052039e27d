//! The pulse of a held task: renews the lease, keeps the executor's deadline within it, and
//! turns what the bus says into a signal for the work.

use crate::stop::Signal;
use bus::connect::Bus;
use bus::lease::Lease;
use bus::lease::Renewal;
use guard::executor::Pulse as ExecutorPulse;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Where the work puts the handle of its running executors.
#[derive(Clone, Default)]
pub struct Executors(Arc<Mutex<Vec<ExecutorPulse>>>);

impl Executors {
    /// Keeps one more executor alive with the lease.
    pub fn add(&self, pulse: ExecutorPulse) {
        if let Ok(mut all) = self.0.lock() {
            all.push(pulse);
        }
    }

    fn extend(&self, by: Duration) {
        if let Ok(all) = self.0.lock() {
            all.iter().for_each(|pulse| pulse.extend(by));
        }
    }
}

/// Renews until the task is over (the future is dropped), lost or cancelled. A renewal that does
/// not come back within the lease counts as lost: the executor is then dead by its own deadline.
pub async fn keep(
    bus: Bus,
    lease: Lease,
    length: Duration,
    executors: Executors,
    tell: watch::Sender<Signal>,
) {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(length / 3).await;
        let asked = Instant::now();
        match tokio::time::timeout(length / 3, bus.renew(&lease)).await {
            Ok(Ok(Renewal::Held { cancel })) => {
                renewed = asked;
                executors.extend(length.saturating_sub(asked.elapsed()));
                if cancel {
                    tell.send_replace(Signal::Cancel);
                }
            }
            Ok(Ok(Renewal::Lost)) => {
                tell.send_replace(Signal::Lost);
                return;
            }
            Ok(Err(_)) | Err(_) => {
                if renewed.elapsed() >= length {
                    tell.send_replace(Signal::Lost);
                    return;
                }
            }
        }
    }
}
