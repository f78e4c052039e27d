//! What other task queues do on a Redis of the same kind with a message of the same size: their
//! whole lives of tasks whose handler does nothing. They run where `bench/peers/install.sh` put
//! them, below the folder the measurement is started in.

use super::redis::Redis;
use super::throughput::IN_FLIGHT;
use super::{BenchError, fail};
use crate::table::Row;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

const BULLMQ: &str = include_str!("../../peers/bullmq.cjs");
const CELERY: &str = include_str!("../../peers/celery_peer.py");

/// Rows beside the yardstick, and a sentence for each peer that is not there.
pub(super) fn rows(tasks: usize) -> Result<(Vec<Row>, Vec<String>), BenchError> {
    let folder = std::env::current_dir()
        .map_err(fail)?
        .join("target/bench-peers");
    let (mut rows, mut notes) = (Vec::new(), Vec::new());
    let modules = folder.join("node_modules");
    if modules.join("bullmq").exists() {
        for (batch, how) in [
            (1, "one call an operation, 64 workers"),
            (IN_FLIGHT, "64 a call"),
        ] {
            keep(bullmq(&modules, tasks, batch, how), &mut rows, &mut notes);
        }
    } else {
        notes.push(missing("BullMQ"));
    }
    let python = folder.join("venv/bin/python");
    if python.exists() {
        keep(celery(&python, tasks.div_ceil(10)), &mut rows, &mut notes);
    } else {
        notes.push(missing("Celery"));
    }
    Ok((rows, notes))
}

/// A peer that fails takes nothing from the others.
fn keep(measured: Result<Row, BenchError>, rows: &mut Vec<Row>, notes: &mut Vec<String>) {
    match measured {
        Ok(row) => rows.push(row),
        Err(error) => notes.push(error.to_string()),
    }
}

fn missing(peer: &str) -> String {
    format!("{peer} is not installed: bench/peers/install.sh")
}

fn bullmq(modules: &Path, tasks: usize, batch: usize, how: &str) -> Result<Row, BenchError> {
    let (redis, folder) = scene()?;
    let script = folder.path().join("bullmq.cjs");
    std::fs::write(&script, BULLMQ).map_err(fail)?;
    let mut run = Command::new("node");
    run.arg(script).arg(redis.socket());
    run.args([tasks, batch, IN_FLIGHT].map(|n| n.to_string()));
    run.env("NODE_PATH", modules);
    measure(&redis, "BullMQ", how, run)
}

fn celery(python: &Path, tasks: usize) -> Result<Row, BenchError> {
    let (redis, folder) = scene()?;
    std::fs::write(folder.path().join("celery_peer.py"), CELERY).map_err(fail)?;
    let mut run = Command::new(python);
    run.args(["celery_peer.py".to_owned(), tasks.to_string()])
        .current_dir(folder.path())
        .env("BENCH_SOCKET", redis.socket());
    measure(&redis, "Celery", "its default worker", run)
}

fn scene() -> Result<(Redis, tempfile::TempDir), BenchError> {
    Ok((Redis::start()?, tempfile::tempdir().map_err(fail)?))
}

/// Runs a peer to its end, with the yardstick right before and right after.
fn measure(redis: &Redis, peer: &str, how: &str, mut run: Command) -> Result<Row, BenchError> {
    let before = redis.reference()?;
    let output = run
        .stdin(Stdio::null())
        .output()
        .map_err(|e| fail(format!("{peer} does not start: {e}")))?;
    let said: Value = serde_json::from_slice(&output.stdout).map_err(|_| {
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        let last = error.lines().last().unwrap_or_default();
        fail(format!("{peer} ended without a figure: {last}"))
    })?;
    let version = said["version"].as_str().unwrap_or_default();
    let rate = said["end_to_end"].as_f64().unwrap_or_default();
    let reference = (before + redis.reference()?) / 2.0;
    let name = format!("{peer} {version}, whole lives, {how}");
    Ok(Row::new(&name, rate, "1/s").beside(reference))
}
