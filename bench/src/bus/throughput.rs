//! How many a second: publishing, and whole lives of tasks (submit with dedupe, claim, four journal
//! entries, finish with a result), one call an operation or several in one call.

use super::words::{STEPS, answer, claim, entry, work};
use super::{BenchError, LEASE, Scene, fail};
use bus::claim::{Delivery, Inbox};
use bus::connect::Bus;
use bus::journal::Recording;
use bus::publish::Submission;
use protocol::envelope::Envelope;
use protocol::ids::Role;
use protocol::task::Class;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Instant;
use tokio::task::LocalSet;

/// Publishers or workers in flight.
pub(super) const IN_FLIGHT: usize = 64;
/// Tasks of one call where calls carry several.
const BATCH: usize = 64;
/// Workers whose calls carry several tasks.
const BATCH_WORKERS: usize = 4;

/// Tasks a second over one connection with 64 calls in flight.
pub(super) async fn publish(scene: &Scene, tasks: usize) -> Result<f64, BenchError> {
    let started = Instant::now();
    produce(&scene.bus, &scene.role, tasks).await?;
    Ok(tasks as f64 / started.elapsed().as_secs_f64())
}

async fn produce(bus: &Bus, role: &Role, tasks: usize) -> Result<(), BenchError> {
    let left = Rc::new(Cell::new(tasks));
    let local = LocalSet::new();
    let mut writers = Vec::new();
    for _ in 0..IN_FLIGHT {
        let (bus, role, left) = (bus.clone(), role.clone(), Rc::clone(&left));
        writers.push(local.spawn_local(async move {
            while take(&left, 1) > 0 {
                let envelope = work(bus.team());
                bus.submit(&envelope, &role, None, Class::Normal).await?;
            }
            Ok::<_, bus::error::BusError>(())
        }));
    }
    local.await;
    for writer in writers {
        writer.await.map_err(fail)?.map_err(fail)?;
    }
    Ok(())
}

/// Takes up to `most` from what is left.
fn take(left: &Cell<usize>, most: usize) -> usize {
    let taken = most.min(left.get());
    left.set(left.get() - taken);
    taken
}

/// Tasks a second, 64 in a call, two calls in flight.
pub(super) async fn publish_many(scene: &Scene, tasks: usize) -> Result<f64, BenchError> {
    let started = Instant::now();
    produce_many(&scene.bus, &scene.role, tasks).await?;
    Ok(tasks as f64 / started.elapsed().as_secs_f64())
}

async fn produce_many(bus: &Bus, role: &Role, tasks: usize) -> Result<(), BenchError> {
    let left = Cell::new(tasks);
    let one = async || {
        loop {
            let count = take(&left, BATCH);
            if count == 0 {
                return Ok::<_, BenchError>(());
            }
            let envelopes: Vec<Envelope> = (0..count).map(|_| work(bus.team())).collect();
            let tasks: Vec<Submission> = envelopes
                .iter()
                .map(|envelope| Submission {
                    envelope,
                    role,
                    host: None,
                    class: Class::Normal,
                    due: None,
                })
                .collect();
            for said in bus.submit_many(&tasks).await.map_err(fail)? {
                said.map_err(fail)?;
            }
        }
    };
    tokio::try_join!(one(), one()).map(drop)
}

/// Whose connection the workers' commands take.
#[derive(Debug, Clone, Copy)]
pub(super) enum Lines {
    /// All the same one, as tasks of one process do.
    One,
    /// Each its own, as processes do.
    Each,
}

/// The journal entries of a life, by step.
pub(super) type Steps = &'static [&'static str];

/// Whole lives a second: 64 publishers and 64 workers at once, every operation a call of its own.
pub(super) async fn lives(
    scene: &Scene,
    tasks: usize,
    lines: Lines,
    steps: Steps,
) -> Result<f64, BenchError> {
    let left = Countdown::from(tasks);
    let local = LocalSet::new();
    let mut workers = Vec::new();
    for n in 0..IN_FLIGHT {
        let (bus, mut inbox) = worker(scene, n, lines).await?;
        let left = left.clone();
        workers.push(local.spawn_local(async move {
            while left.some() {
                if let Some(delivery) = inbox.next().await.map_err(fail)? {
                    live(&bus, &delivery, steps).await?;
                    left.finished(1);
                }
            }
            Ok::<_, BenchError>(())
        }));
    }
    run(scene, tasks, local, workers, &left, false).await
}

/// The same with calls that carry several: up to 64 tasks each, a journal call all entries of each of
/// its tasks.
pub(super) async fn lives_many(
    scene: &Scene,
    tasks: usize,
    steps: Steps,
) -> Result<f64, BenchError> {
    let left = Countdown::from(tasks);
    let local = LocalSet::new();
    let mut workers = Vec::new();
    for n in 0..BATCH_WORKERS {
        let (bus, mut inbox) = worker(scene, n, Lines::Each).await?;
        let left = left.clone();
        workers.push(local.spawn_local(async move {
            while left.some() {
                let deliveries = inbox.next_many(BATCH).await.map_err(fail)?;
                live_many(&bus, &deliveries, steps).await?;
                left.finished(deliveries.len());
            }
            Ok::<_, BenchError>(())
        }));
    }
    run(scene, tasks, local, workers, &left, true).await
}

/// Tasks that have not ended yet, and the moment the last one did: a worker that waits for more by
/// then returns up to a second later, which is nobody's work.
#[derive(Clone)]
struct Countdown(Rc<(Cell<usize>, Cell<Option<Instant>>)>);

impl Countdown {
    fn from(tasks: usize) -> Self {
        Self(Rc::new((Cell::new(tasks), Cell::new(None))))
    }

    fn some(&self) -> bool {
        self.0.0.get() > 0
    }

    fn finished(&self, tasks: usize) {
        take(&self.0.0, tasks);
        if !self.some() && self.0.1.get().is_none() {
            self.0.1.set(Some(Instant::now()));
        }
    }

    fn ended(&self) -> Option<Instant> {
        self.0.1.get()
    }
}

type Worker = tokio::task::JoinHandle<Result<(), BenchError>>;

/// Publishes while the workers work, until the last task has ended.
async fn run(
    scene: &Scene,
    tasks: usize,
    local: LocalSet,
    workers: Vec<Worker>,
    left: &Countdown,
    many: bool,
) -> Result<f64, BenchError> {
    let started = Instant::now();
    let all = async {
        if many {
            produce_many(&scene.bus, &scene.role, tasks).await
        } else {
            produce(&scene.bus, &scene.role, tasks).await
        }
    };
    let ((), published) = tokio::join!(local, all);
    published?;
    for worker in workers {
        worker.await.map_err(fail)??;
    }
    let ended = left.ended().unwrap_or_else(Instant::now);
    Ok(tasks as f64 / ended.duration_since(started).as_secs_f64())
}

async fn worker(scene: &Scene, n: usize, lines: Lines) -> Result<(Bus, Inbox), BenchError> {
    let bus = match lines {
        Lines::One => scene.bus.clone(),
        Lines::Each => {
            let connected = Bus::connect(&scene.redis.address(), scene.bus.team(), LEASE).await;
            connected.map_err(fail)?
        }
    };
    let name = format!("code@{n}");
    let inbox = Inbox::open(&bus, &scene.role, "bench", &name).await;
    Ok((bus, inbox.map_err(fail)?))
}

async fn live(bus: &Bus, delivery: &Delivery, steps: Steps) -> Result<(), BenchError> {
    for step in steps {
        let entry = entry(step, delivery.lease.epoch);
        let appended = bus.journal_append(&delivery.lease, &entry).await;
        appended.map_err(fail)?;
    }
    let ended = bus.finish(&delivery.lease, &answer(delivery)).await;
    ended.map_err(fail)
}

async fn live_many(bus: &Bus, deliveries: &[Delivery], steps: Steps) -> Result<(), BenchError> {
    let of = |delivery: &Delivery| -> Vec<_> {
        let entry = |step: &&str| entry(step, delivery.lease.epoch);
        steps.iter().map(entry).collect()
    };
    let entries: Vec<Vec<_>> = deliveries.iter().map(of).collect();
    let written: Vec<Recording> = deliveries
        .iter()
        .zip(&entries)
        .map(|(delivery, entries)| Recording {
            lease: &delivery.lease,
            entries,
            told: &[],
        })
        .collect();
    let written: &[_] = if steps.is_empty() { &[] } else { &written };
    for recorded in bus.record_many(written).await.map_err(fail)? {
        recorded.map_err(fail)?;
    }
    let answers: Vec<Envelope> = deliveries.iter().map(answer).collect();
    let ends: Vec<_> = deliveries
        .iter()
        .map(|delivery| &delivery.lease)
        .zip(&answers)
        .collect();
    for ended in bus.finish_many(&ends).await.map_err(fail)? {
        ended.map_err(fail)?;
    }
    Ok(())
}

/// Lives a second of one worker that does one thing after the other; the tasks wait already.
pub(super) async fn one_at_a_time(scene: &Scene, tasks: usize) -> Result<f64, BenchError> {
    produce_many(&scene.bus, &scene.role, tasks).await?;
    let (bus, mut inbox) = worker(scene, 0, Lines::Each).await?;
    let started = Instant::now();
    for _ in 0..tasks {
        let delivery = claim(&mut inbox).await?;
        live(&bus, &delivery, &STEPS).await?;
    }
    Ok(tasks as f64 / started.elapsed().as_secs_f64())
}
