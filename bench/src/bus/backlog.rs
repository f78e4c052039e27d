//! A long queue: what it weighs, how soon it can be counted, how soon an urgent task starts beside
//! it, and that no class waits for another to end.

use super::{BenchError, Scene, fail, latency, throughput};
use crate::memory_use::pss_mb;
use crate::table::Row;
use std::time::Instant;

/// Queues `tasks` tasks and looks.
pub(super) async fn rows(tasks: usize) -> Result<Vec<Row>, BenchError> {
    let scene = Scene::new().await?;
    let ours = || pss_mb(std::process::id()).unwrap_or_default();
    let weight = || pss_mb(scene.redis.pid()).unwrap_or_default();
    let (redis, own) = (weight(), ours());
    throughput::publish_many(&scene, tasks).await?;
    let mut rows = vec![
        Row::new(
            &format!("{tasks} tasks queued, memory of Redis a task"),
            (weight() - redis) * 1e6 / tasks as f64,
            "B",
        ),
        Row::new(
            &format!("{tasks} tasks queued, this process grew by (PSS)"),
            ours() - own,
            "MB",
        ),
    ];
    let started = Instant::now();
    scene.bus.queue_lengths().await.map_err(fail)?;
    rows.push(Row::new(
        "counting what waits, all roles and classes",
        started.elapsed().as_secs_f64() * 1e3,
        "ms",
    ));
    rows.extend(latency::urgent(&scene).await?);
    Ok(rows)
}
