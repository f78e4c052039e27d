//! The bus beside redis-benchmark and beside its peers, on one Redis in one minute: publish, whole
//! lives of tasks, one hop to an idle agent, a long queue, and how soon a dead holder's task is
//! claimed again.

mod backlog;
mod fairness;
mod latency;
mod peers;
mod redis;
mod throughput;
mod words;

use crate::memory_use::{cpu_time, data_mb, pss_mb};
use crate::table::{Report, Row};
use ::bus::connect::Bus;
use protocol::ids::Role;
use redis::Redis;
use std::time::Duration;
use throughput::Lines;

/// The lease of every claim.
const LEASE: Duration = Duration::from_secs(2);

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
#[error("bench bus: {0}")]
pub struct BenchError(String);

fn fail(error: impl std::fmt::Display) -> BenchError {
    BenchError(error.to_string())
}

/// A Redis and a bus over it.
struct Scene {
    redis: Redis,
    bus: Bus,
    role: Role,
}

impl Scene {
    async fn new() -> Result<Self, BenchError> {
        let redis = Redis::start()?;
        let team = "bench".parse().map_err(fail)?;
        let connected = Bus::connect(&redis.address(), &team, LEASE).await;
        Ok(Self {
            bus: connected.map_err(fail)?.with_queue_limit(10_000_000),
            role: "code".parse().map_err(fail)?,
            redis,
        })
    }

    /// A rate beside the yardstick, taken right before and right after, and the processor time that
    /// Redis and this process (all publishers and workers) took for a task. That second figure
    /// holds also on a machine that is busy with other things.
    async fn beside<F>(&self, name: &str, tasks: usize, rate: F) -> Result<[Row; 3], BenchError>
    where
        F: Future<Output = Result<f64, BenchError>>,
    {
        let before = self.redis.reference()?;
        let times = || [self.redis.pid(), std::process::id()].map(cpu_time);
        let began = times();
        let rate = rate.await?;
        let mut rows = Vec::new();
        for ((from, to), whose) in began.into_iter().zip(times()).zip(["redis", "clients"]) {
            let took = to.zip(from).map(|(to, from)| to.saturating_sub(from));
            let each = took.unwrap_or_default().as_secs_f64() * 1e6 / tasks.max(1) as f64;
            rows.push(Row::new(
                &format!("  {whose}, processor a task"),
                each,
                "µs",
            ));
        }
        let reference = (before + self.redis.reference()?) / 2.0;
        let row = Row::new(name, rate, "1/s").beside(reference);
        let [redis, clients] = <[Row; 2]>::try_from(rows).map_err(|_| fail("two processes"))?;
        Ok([row, redis, clients])
    }
}

/// Measures with `tasks` messages a row.
pub async fn run(tasks: usize) -> Result<Report, BenchError> {
    let scene = Scene::new().await?;
    let mut rows = vec![Row::new(
        "redis-benchmark XADD 600 B, P=64, c=1",
        scene.redis.reference()?,
        "1/s",
    )];
    let rate = throughput::publish(&scene, tasks);
    let name = "publish with dedupe, 64 in flight";
    rows.extend(scene.beside(name, tasks, rate).await?);
    let rate = throughput::publish_many(&scene, tasks);
    let name = "publish with dedupe, 64 a call";
    rows.extend(scene.beside(name, tasks, rate).await?);
    drop(scene);

    for (steps, what) in [
        (&words::STEPS[..], "whole lives"),
        (&[], "lives without a journal, as the peers'"),
    ] {
        let scene = Scene::new().await?;
        let lives = |lines| throughput::lives(&scene, tasks, lines, steps);
        let name = format!("{what}, one call an operation, 64 workers on one connection");
        rows.extend(scene.beside(&name, tasks, lives(Lines::One)).await?);
        let name = format!("{what}, one call an operation, 64 workers on 64 connections");
        rows.extend(scene.beside(&name, tasks, lives(Lines::Each)).await?);
        let rate = throughput::lives_many(&scene, tasks, steps);
        let name = format!("{what}, calls that carry several");
        rows.extend(scene.beside(&name, tasks, rate).await?);
    }

    let scene = Scene::new().await?;
    let few = tasks.div_ceil(10);
    let rate = throughput::one_at_a_time(&scene, few);
    let name = "claim, 4 journal entries, finish, one at a time";
    rows.extend(scene.beside(name, few, rate).await?);
    let ours = std::process::id();
    let name = "64 workers and publishers in one process, memory (PSS)";
    rows.extend(pss_mb(ours).map(|used| Row::new(name, used, "MB")));
    let name = "  of it data, the rest is the program itself";
    rows.extend(data_mb(ours).map(|used| Row::new(name, used, "MB")));
    rows.extend(latency::idle(&scene).await?);
    rows.push(latency::recovery(&scene).await?);
    drop(scene);

    rows.extend(backlog::rows(tasks * 5).await?);
    rows.extend(fairness::rows().await?);
    let (beside, notes) = peers::rows(tasks)?;
    rows.extend(beside);
    Ok(Report::new(rows).with_notes(notes))
}
