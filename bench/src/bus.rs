//! The bus beside redis-benchmark, on one Redis in one minute: publish, a whole task life, one
//! hop to an idle agent, and how soon a dead holder's task is claimed again.

use crate::numbers::percentile;
use crate::table::{Report, Row};
use bus::claim::{Delivery, Inbox};
use bus::connect::{Bus, BusAddress};
use jiff::Timestamp;
use protocol::envelope::{Envelope, MessageType, micros};
use protocol::ids::{Epoch, Role, TaskId, TeamName};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::task::Class;
use serde_json::json;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Bytes of one message's context, as in the reference measurements.
const CONTEXT_BYTES: usize = 300;
/// Publishers in flight on one connection.
const IN_FLIGHT: usize = 64;
/// The lease of the recovery row.
const LEASE: Duration = Duration::from_secs(1);

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[error("bench bus: {0}")]
pub struct BenchError(String);

fn fail(error: impl std::fmt::Display) -> BenchError {
    BenchError(error.to_string())
}

/// A redis-server of its own, with the durability of a team's.
struct Redis {
    child: Child,
    folder: TempDir,
}

impl Redis {
    fn start() -> Result<Self, BenchError> {
        let folder = tempfile::tempdir().map_err(fail)?;
        let child = Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--save",
                "",
                "--appendonly",
                "yes",
                "--appendfsync",
                "always",
            ])
            .arg("--unixsocket")
            .arg(folder.path().join("redis.sock"))
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| fail(format!("redis-server does not start: {e}")))?;
        let redis = Self { child, folder };
        let started = Instant::now();
        while !redis.socket().exists() {
            if started.elapsed() > Duration::from_secs(5) {
                return Err(fail("redis-server did not come up within 5 s"));
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(redis)
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// redis-benchmark's XADD of 600 bytes, pipeline 64, one client: requests a second.
    fn reference(&self) -> Result<f64, BenchError> {
        let output = Command::new("redis-benchmark")
            .arg("-s")
            .arg(self.socket())
            .args([
                "-q", "-c", "1", "-P", "64", "-n", "50000", "XADD", "ref", "*", "f",
            ])
            .arg("x".repeat(600))
            .output()
            .map_err(|e| fail(format!("redis-benchmark does not start: {e}")))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.split("requests per second")
            .next()
            .and_then(|head| head.split_whitespace().next_back())
            .and_then(|number| number.parse().ok())
            .ok_or_else(|| fail(format!("redis-benchmark said: {text}")))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn names() -> Result<(TeamName, Role), BenchError> {
    Ok((
        "bench".parse().map_err(fail)?,
        "code".parse().map_err(fail)?,
    ))
}

fn work(team: &TeamName) -> Envelope {
    let mut envelope = Envelope::new(team, MessageType::Task, "supervisor", "code");
    envelope.payload.task_id = Some(TaskId::new());
    envelope.payload.action = "run".to_owned();
    envelope.payload.context = json!({"text": "x".repeat(CONTEXT_BYTES)});
    envelope
}

/// Measures with `tasks` messages a row.
pub async fn run(tasks: usize) -> Result<Report, BenchError> {
    let redis = Redis::start()?;
    let (team, role) = names()?;
    let address = BusAddress {
        url: format!("redis+unix://{}", redis.socket().display()),
        username: None,
        password: None,
        ca: None,
    };
    let bus = Bus::connect(&address, &team, LEASE).await.map_err(fail)?;
    let reference = redis.reference()?;
    let mut rows = vec![Row::new(
        "redis-benchmark XADD 600 B, P=64, c=1",
        reference,
        "1/s",
    )];
    rows.push(publish(&bus, &role, tasks).await?.beside(reference));
    let mut inbox = Inbox::open(&bus, &role, "bench", "code@bench")
        .await
        .map_err(fail)?;
    rows.push(lives(&bus, &mut inbox, tasks).await?.beside(reference));
    let ping = ping(&bus).await?;
    rows.push(Row::new("PING, p50", ping, "µs"));
    rows.push(hop(&bus, &role, inbox).await?.beside(ping));
    rows.push(recovery(&bus, &role).await?);
    Ok(Report::new(rows))
}

async fn publish(bus: &Bus, role: &Role, tasks: usize) -> Result<Row, BenchError> {
    let started = Instant::now();
    let mut writers = Vec::new();
    for share in 0..IN_FLIGHT {
        let (bus, role) = (bus.clone(), role.clone());
        let count = tasks / IN_FLIGHT + usize::from(share < tasks % IN_FLIGHT);
        writers.push(tokio::spawn(async move {
            for _ in 0..count {
                bus.submit(&work(bus.team()), &role, None, Class::Normal)
                    .await?;
            }
            Ok::<_, bus::error::BusError>(())
        }));
    }
    for writer in writers {
        writer.await.map_err(fail)?.map_err(fail)?;
    }
    let rate = tasks as f64 / started.elapsed().as_secs_f64();
    Ok(Row::new("publish with dedupe, 64 in flight", rate, "1/s"))
}

/// Claim, four journal entries, finish; one after the other.
async fn lives(bus: &Bus, inbox: &mut Inbox, tasks: usize) -> Result<Row, BenchError> {
    let started = Instant::now();
    for _ in 0..tasks {
        let delivery = claim(inbox).await?;
        for step in ["a", "b", "c", "d"] {
            let entry = entry(step, delivery.lease.epoch);
            bus.journal_append(&delivery.lease, &entry)
                .await
                .map_err(fail)?;
        }
        bus.finish(&delivery.lease, &answer(&delivery))
            .await
            .map_err(fail)?;
    }
    let rate = tasks as f64 / started.elapsed().as_secs_f64();
    Ok(Row::new(
        "claim, 4 journal entries, finish, one at a time",
        rate,
        "1/s",
    ))
}

async fn claim(inbox: &mut Inbox) -> Result<Delivery, BenchError> {
    for _ in 0..20 {
        if let Some(delivery) = inbox.next().await.map_err(fail)? {
            return Ok(delivery);
        }
    }
    Err(fail("no task was handed out"))
}

fn answer(delivery: &Delivery) -> Envelope {
    let mut envelope = Envelope::new(
        &delivery.envelope.team,
        MessageType::Result,
        &delivery.lease.instance,
        "supervisor",
    );
    envelope.payload.task_id = Some(delivery.lease.task);
    envelope.epoch = Some(delivery.lease.epoch);
    envelope
}

fn entry(step: &str, epoch: Epoch) -> JournalEntry {
    JournalEntry {
        v: JOURNAL_VERSION,
        epoch,
        at: micros(Timestamp::now()),
        step: step.to_owned(),
        kind: EntryKind::Result,
        body: json!({"text": "x".repeat(CONTEXT_BYTES)}),
    }
}

async fn ping(bus: &Bus) -> Result<f64, BenchError> {
    let mut sample = Vec::new();
    for _ in 0..500 {
        let started = Instant::now();
        bus.ping().await.map_err(fail)?;
        sample.push(started.elapsed().as_secs_f64() * 1e6);
    }
    Ok(percentile(&mut sample, 0.5))
}

/// Submit to claim, by an agent that waits.
async fn hop(bus: &Bus, role: &Role, mut inbox: Inbox) -> Result<Row, BenchError> {
    const HOPS: usize = 200;
    let (told, mut claimed) = tokio::sync::mpsc::channel(1);
    let worker_bus = bus.clone();
    let worker = tokio::spawn(async move {
        for _ in 0..HOPS {
            let delivery = claim(&mut inbox).await?;
            let at = Instant::now();
            worker_bus
                .finish(&delivery.lease, &answer(&delivery))
                .await
                .map_err(fail)?;
            told.send(at).await.map_err(fail)?;
        }
        Ok::<_, BenchError>(())
    });
    let mut sample = Vec::new();
    for _ in 0..HOPS {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let started = Instant::now();
        bus.submit(&work(bus.team()), role, None, Class::Normal)
            .await
            .map_err(fail)?;
        let at = claimed
            .recv()
            .await
            .ok_or_else(|| fail("the worker stopped"))?;
        sample.push(at.saturating_duration_since(started).as_secs_f64() * 1e6);
    }
    worker.await.map_err(fail)??;
    Ok(Row::new(
        "submit to claim by an idle agent, p50",
        percentile(&mut sample, 0.5),
        "µs",
    ))
}

/// A holder that never comes back: from its claim to the next one's, less the lease.
async fn recovery(bus: &Bus, role: &Role) -> Result<Row, BenchError> {
    let mut dead = Inbox::open(bus, role, "bench", "code@dead")
        .await
        .map_err(fail)?;
    bus.submit(&work(bus.team()), role, None, Class::Normal)
        .await
        .map_err(fail)?;
    claim(&mut dead).await?;
    let held = Instant::now();
    drop(dead);
    let mut next = Inbox::open(bus, role, "bench", "code@next")
        .await
        .map_err(fail)?;
    claim(&mut next).await?;
    let late = held.elapsed().saturating_sub(LEASE).as_secs_f64() * 1e3;
    Ok(Row::new(
        "dead holder: claimed again after its lease, late by",
        late,
        "ms",
    ))
}
