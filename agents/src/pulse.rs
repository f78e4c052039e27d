//! The pulse of a held task: renews the lease, keeps the executors' deadlines within it, and
//! turns what the bus says into a signal for the work.

use crate::boundary::Boundary;
use crate::stop::{Signal, Stop, Watch, raise};
use bus::claim::Delivery;
use bus::connect::Bus;
use bus::error::BusError;
use bus::lease::{Lease, Renewal};
use guard::deadline::Deadline;
use guard::executor::Pulse as ExecutorPulse;
use guard::proxy::words::Pace;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, watch};

/// Pause after a renewal that Redis did not answer.
const PAUSE: Duration = Duration::from_millis(100);

/// What the holder knows of its lease. Cheap to clone; every clone knows the same.
#[derive(Clone)]
pub struct Hold {
    bus: Bus,
    lease: Lease,
    length: Duration,
    known: Arc<Mutex<Known>>,
    /// Whether the team is frozen, as the last renewal said.
    frozen: watch::Sender<bool>,
    /// The same, and until when the lease runs at least, for the proxy of the task.
    pace: watch::Sender<Pace>,
    /// Woken when there is one more executor.
    more: Arc<Notify>,
    told: Watch,
    /// Where its journal is written.
    pub boundary: Boundary,
}

struct Known {
    /// Until when the lease runs at least.
    until: Deadline,
    /// How often it was found to have run out, because this process stood still or Redis was away.
    lapses: u32,
    executors: Vec<ExecutorPulse>,
}

/// How long a sandbox may take to say that it is frozen before it is ended.
const FROST: Duration = Duration::from_millis(400);

impl Hold {
    /// Nothing is known until the first renewal: between the claim and now this process may have
    /// stood still.
    pub fn new(bus: &Bus, delivery: &Delivery, length: Duration, told: Watch) -> Self {
        Self {
            bus: bus.clone(),
            lease: delivery.lease.clone(),
            length,
            frozen: watch::Sender::new(false),
            pace: watch::Sender::new(Pace {
                frozen: false,
                until: Deadline::now(),
            }),
            more: Arc::new(Notify::new()),
            told,
            boundary: Boundary::of(bus.faults(), delivery),
            known: Arc::new(Mutex::new(Known {
                until: Deadline::now(),
                lapses: 0,
                executors: Vec::new(),
            })),
        }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which guarantees its bus leaves out.
    pub fn faults(&self) -> protocol::fault::Faults {
        self.bus.faults()
    }

    /// Keeps one more executor alive with the lease.
    pub fn add(&self, executor: ExecutorPulse) {
        let mut known = self.known();
        // The lease may have been renewed since it was told its deadline.
        executor.extend(known.until);
        known.executors.push(executor);
        drop(known);
        self.more.notify_one();
    }

    /// How long the lease runs at least.
    pub fn left(&self) -> Duration {
        self.known().until.left()
    }

    /// Whether it ran out since there were `before` lapses: then executors died by their deadline
    /// and not by what they did.
    pub fn lapsed_since(&self, before: u32) -> bool {
        self.left().is_zero() || self.known().lapses != before
    }

    /// How often the lease was found to have run out.
    pub fn lapses(&self) -> u32 {
        self.known().lapses
    }

    /// Renews now. A lease that ran out and that nobody took runs again.
    ///
    /// # Errors
    /// When the bus does not answer.
    pub async fn renew(&self) -> Result<Renewal, BusError> {
        let asked = Deadline::now();
        let renewal = self.bus.renew(&self.lease).await?;
        if let Renewal::Held { frozen, .. } = renewal {
            self.frozen
                .send_if_modified(|was| std::mem::replace(was, frozen) != frozen);
            let until = asked.plus(self.length);
            let mut known = self.known();
            if known.until < asked {
                known.lapses += 1;
            }
            known.until = known.until.max(until);
            self.pace.send_replace(Pace {
                frozen,
                until: known.until,
            });
            known.executors.iter().for_each(|one| one.extend(until));
        }
        Ok(renewal)
    }

    /// Until when what is outside of sandboxes may go on, from now on.
    pub fn pace(&self) -> watch::Receiver<Pace> {
        self.pace.subscribe()
    }

    /// Waits until the team is not frozen, or this process is told to go.
    async fn thawed(&self) -> Result<(), Stop> {
        let (mut frozen, mut told) = (self.frozen.subscribe(), self.told.clone());
        tokio::select! {
            _ = frozen.wait_for(|frozen| !frozen) => Ok(()),
            _ = told.wait_for(|signal| *signal == Signal::Yield) => Err(Stop::Yield),
        }
    }

    /// Stops in place what runs while the team is frozen. A sandbox that does not obey is ended, and
    /// what ran in it is recovered by its class after the thaw. Runs until it is dropped.
    pub async fn freeze(self, say: impl Fn(bool)) {
        let mut frozen = self.frozen.subscribe();
        let mut said = false;
        loop {
            let now = *frozen.borrow_and_update();
            if now != said {
                said = now;
                say(now);
            }
            let executors = self.known().executors.clone();
            for one in executors {
                if !one.freeze(now, FROST).await {
                    tracing::error!(frozen = now, "a sandbox does not obey and is ended");
                    self.known().lapses += 1;
                    one.end();
                }
            }
            tokio::select! {
                _ = frozen.changed() => {}
                () = self.more.notified() => {}
            }
        }
    }

    /// Until when the lease surely runs, renewed first where that is little, once the team is not
    /// frozen. Asked right before anything touches the world.
    pub async fn surely(&self) -> Result<Deadline, Stop> {
        loop {
            self.thawed().await?;
            let left = self.left();
            if left > self.length / 3 {
                return Ok(self.known().until);
            }
            match self.renew().await {
                Ok(Renewal::Held { .. }) => {}
                Ok(Renewal::Lost) => return Err(Stop::Lost),
                Err(_) if !left.is_zero() => tokio::time::sleep(PAUSE).await,
                Err(_) => return Err(Stop::Lost),
            }
        }
    }

    /// Whether the task is held still, asked of the bus.
    pub async fn still(&self) -> Result<(), Stop> {
        match self.renew().await? {
            Renewal::Held { .. } => Ok(()),
            Renewal::Lost => Err(Stop::Lost),
        }
    }

    /// The same, asked again and again while Redis does not answer and the lease runs.
    ///
    /// # Errors
    /// [`Stop::Lost`] where it is not held any more, or nobody can say.
    pub async fn heard(&self) -> Result<(), Stop> {
        match self.insist(|| self.renew()).await? {
            Renewal::Held { .. } => Ok(()),
            Renewal::Lost => Err(Stop::Lost),
        }
    }

    /// Says something to the bus, again and again while Redis does not answer and the lease runs,
    /// or for one lease while it has no room. What is said must be fine to say twice.
    pub async fn insist<T, F>(&self, mut say: impl FnMut() -> F) -> Result<T, Stop>
    where
        F: Future<Output = Result<T, BusError>>,
    {
        let began = Instant::now();
        loop {
            match say().await {
                Err(error) if error.is_unreachable() && !self.left().is_zero() => {
                    tokio::time::sleep(PAUSE).await;
                }
                // The lease is renewed meanwhile; after that the task is given back, untouched.
                Err(BusError::Full) if began.elapsed() < self.length => {
                    tokio::time::sleep(PAUSE).await;
                }
                said => return Ok(said?),
            }
        }
    }

    /// Lets the task go, so that the next holder has it at once. Tried until Redis answers, because a
    /// lease that ran out counts as a crash and a link that was down is none; a process that
    /// is leaving tries for as long as the lease could run.
    pub async fn give_back(&self, leaving: &AtomicBool) {
        let began = Instant::now();
        while !leaving.load(Ordering::Relaxed) || began.elapsed() < self.length {
            match self.bus.give_back(&self.lease).await {
                Err(error) if error.is_unreachable() => tokio::time::sleep(PAUSE).await,
                _ => return,
            }
        }
    }
}

/// Renews until the task is over (the future is dropped), lost or cancelled; `look` makes it look
/// at once. A renewal that does not come back within the lease counts as lost: the executor is
/// then dead by its own deadline.
pub async fn keep(hold: Hold, look: Arc<Notify>, tell: watch::Sender<Signal>) {
    let third = hold.length / 3;
    let mut pause = third;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = look.notified() => {}
        }
        let asked = Instant::now();
        pause = third;
        match tokio::time::timeout(third, hold.renew()).await {
            Ok(Ok(Renewal::Held {
                cancel: false,
                pause: true,
                ..
            })) => raise(&tell, Signal::Pause),
            Ok(Ok(Renewal::Held { cancel: false, .. })) => {}
            Ok(Ok(Renewal::Held { cancel: true, .. })) => raise(&tell, Signal::Cancel),
            Ok(Ok(Renewal::Lost)) => return raise(&tell, Signal::Lost),
            // A process that stood still for a while asks once more before it gives up.
            Ok(Err(_)) | Err(_) if hold.left().is_zero() && asked.elapsed() < 2 * third => {
                return raise(&tell, Signal::Lost);
            }
            Ok(Err(_)) | Err(_) => pause = PAUSE.min(third),
        }
    }
}
