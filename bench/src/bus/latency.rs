//! How soon: from submit to the start on an idle agent beside a PING at the same moment, and an
//! urgent task's start where much waits.

use super::words::{answer, claim, work};
use super::{BenchError, LEASE, Scene, fail};
use crate::numbers::percentile;
use crate::table::Row;
use bus::claim::Inbox;
use bus::connect::Bus;
use protocol::ids::TaskId;
use protocol::task::Class;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Samples of a row.
const SAMPLES: usize = 300;
/// Pause before each sample: on an idle guest the processor sleeps in between, for a PING as for a
/// task, so both are taken at this pace and in turns.
const PACE: Duration = Duration::from_millis(5);

fn micros(since: Instant, at: Instant) -> f64 {
    at.saturating_duration_since(since).as_secs_f64() * 1e6
}

/// PING at full speed, PING at the pace of the tasks, and submit to start on an idle agent.
pub(super) async fn idle(scene: &Scene) -> Result<Vec<Row>, BenchError> {
    let bus = &scene.bus;
    let ping = async || -> Result<f64, BenchError> {
        let started = Instant::now();
        bus.ping().await.map_err(fail)?;
        Ok(micros(started, Instant::now()))
    };
    let mut rushed = Vec::new();
    for _ in 0..SAMPLES {
        rushed.push(ping().await?);
    }
    let connected = Bus::connect(&scene.redis.address(), bus.team(), LEASE).await;
    let agent = connected.map_err(fail)?;
    let opened = Inbox::open(&agent, &scene.role, "bench", "code@idle").await;
    let mut inbox = opened.map_err(fail)?;
    let (told, mut claimed) = mpsc::channel(1);
    let worker = tokio::spawn(async move {
        for _ in 0..SAMPLES {
            let delivery = claim(&mut inbox).await?;
            let at = Instant::now();
            let ended = agent.finish(&delivery.lease, &answer(&delivery)).await;
            ended.map_err(fail)?;
            told.send(at).await.map_err(fail)?;
        }
        Ok::<_, BenchError>(())
    });
    let (mut paced, mut hops) = (Vec::new(), Vec::new());
    for _ in 0..SAMPLES {
        tokio::time::sleep(PACE).await;
        paced.push(ping().await?);
        tokio::time::sleep(PACE).await;
        let started = Instant::now();
        let envelope = work(bus.team());
        let sent = bus.submit(&envelope, &scene.role, None, Class::Normal);
        sent.await.map_err(fail)?;
        let at = claimed.recv().await;
        let at = at.ok_or_else(|| fail("the worker stopped"))?;
        hops.push(micros(started, at));
    }
    worker.await.map_err(fail)??;
    let row =
        |name: &str, sample: &mut Vec<f64>, p: f64| Row::new(name, percentile(sample, p), "µs");
    let (p50, p99) = (percentile(&mut paced, 0.5), percentile(&mut paced, 0.99));
    Ok(vec![
        row("PING back to back, p50", &mut rushed, 0.5),
        row("PING every 5 ms, p50", &mut paced, 0.5),
        row("PING every 5 ms, p99", &mut paced, 0.99),
        row("submit to start on an idle agent, p50", &mut hops, 0.5).beside(p50),
        row("submit to start on an idle agent, p99", &mut hops, 0.99).beside(p99),
    ])
}

/// Submit to start of an urgent task while `scene` has a long queue and one worker that takes task
/// after task without a pause.
pub(super) async fn urgent(scene: &Scene) -> Result<Vec<Row>, BenchError> {
    const URGENT: usize = 100;
    let connected = Bus::connect(&scene.redis.address(), scene.bus.team(), LEASE).await;
    let agent = connected.map_err(fail)?;
    let opened = Inbox::open(&agent, &scene.role, "bench", "code@busy").await;
    let mut inbox = opened.map_err(fail)?;
    let (told, mut claimed) = mpsc::unbounded_channel::<(TaskId, Instant)>();
    let worker = tokio::spawn(async move {
        loop {
            let delivery = claim(&mut inbox).await?;
            let at = Instant::now();
            let ended = agent.finish(&delivery.lease, &answer(&delivery)).await;
            ended.map_err(fail)?;
            if told.send((delivery.lease.task, at)).is_err() {
                return Ok::<_, BenchError>(());
            }
        }
    });
    let mut waits = Vec::new();
    for _ in 0..URGENT {
        tokio::time::sleep(PACE).await;
        let envelope = work(scene.bus.team());
        let started = Instant::now();
        let sent = scene
            .bus
            .submit(&envelope, &scene.role, None, Class::Urgent);
        sent.await.map_err(fail)?;
        loop {
            let ended = claimed.recv().await;
            let (task, at) = ended.ok_or_else(|| fail("the worker stopped"))?;
            if Some(task) == envelope.payload.task_id {
                waits.push(micros(started, at));
                break;
            }
        }
    }
    drop(claimed);
    worker.await.map_err(fail)??;
    let row = |name: &str, p: f64, waits: &mut Vec<f64>| Row::new(name, percentile(waits, p), "µs");
    Ok(vec![
        row(
            "urgent submit to start, long queue, busy agent, p50",
            0.5,
            &mut waits,
        ),
        row(
            "urgent submit to start, long queue, busy agent, p99",
            0.99,
            &mut waits,
        ),
    ])
}

/// A holder that never comes back: from its claim to the next one's, less the lease.
pub(super) async fn recovery(scene: &Scene) -> Result<Row, BenchError> {
    let (bus, role) = (&scene.bus, &scene.role);
    let mut dead = Inbox::open(bus, role, "bench", "code@dead")
        .await
        .map_err(fail)?;
    let sent = bus
        .submit(&work(bus.team()), role, None, Class::Normal)
        .await;
    sent.map_err(fail)?;
    let before = Instant::now();
    claim(&mut dead).await?;
    drop(dead);
    let opened = Inbox::open(bus, role, "bench", "code@next").await;
    let mut next = opened.map_err(fail)?;
    let delivery = claim(&mut next).await?;
    let late = before.elapsed().saturating_sub(LEASE);
    let ended = bus.finish(&delivery.lease, &answer(&delivery)).await;
    ended.map_err(fail)?;
    Ok(Row::new(
        "dead holder: claimed again after its lease, late by",
        late.as_secs_f64() * 1e3,
        "ms",
    ))
}
