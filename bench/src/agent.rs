//! A whole team in a home of its own: time to ready, submit to first phase, what a task costs
//! beyond its tools, what a line of the record costs, memory and processor time of the idle team.

use crate::memory_use::{cpu_time, named, pss_mb};
use crate::numbers::percentile;
use crate::table::{Report, Row};
use crate::team::{BenchError, Team, fail};
use guard::launcher::name_of;
use jiff::Timestamp;
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long the idle team is watched.
const IDLE: Duration = Duration::from_secs(20);

/// Runs `tasks` small tasks on a new team of `exe`.
pub fn run(exe: &Path, tasks: usize) -> Result<Report, BenchError> {
    let team = Team::new(exe)?;
    let started = Instant::now();
    team.ai(&["up", "--no-tmux"])?;
    let mut rows = vec![Row::new(
        "up to ready",
        started.elapsed().as_secs_f64() * 1e3,
        "ms",
    )];
    let work = tempfile::tempdir().map_err(fail)?;
    std::fs::write(work.path().join("README.md"), "a small folder\n").map_err(fail)?;
    rows.extend(task_rows(&team, work.path(), tasks)?);
    rows.extend(crate::record::rows(team.home())?);
    rows.extend(idle_rows(&team)?);
    Ok(Report::new(rows))
}

fn task_rows(team: &Team<'_>, work: &Path, tasks: usize) -> Result<Vec<Row>, BenchError> {
    let folder = work.display().to_string();
    let (mut first, mut overhead, mut whole) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..tasks {
        let ran = team.json(&[
            "run",
            "what is unfinished here?",
            "--workspace",
            &folder,
            "--json",
        ])?;
        let short = ran["short_id"].as_str().unwrap_or_default().to_owned();
        let page = team.json(&["task", "show", &short, "--json"])?;
        let accepted = time(&page["task"]["task"]["accepted"])?;
        let phases = page["task"]["document"]["phases"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let begun = time(&phases.first().map_or(Value::Null, |p| p["started"].clone()))?;
        let ended = time(&phases.last().map_or(Value::Null, |p| p["ended"].clone()))?;
        let tools: f64 = page["task"]["calls"]
            .as_array()
            .map(|calls| calls.iter().filter_map(|c| c["took_ms"].as_f64()).sum())
            .unwrap_or_default();
        first.push((begun - accepted) * 1e3);
        whole.push((ended - accepted) * 1e3);
        overhead.push((ended - accepted) * 1e3 - tools);
    }
    Ok(vec![
        Row::new(
            "submit to first phase, p50",
            percentile(&mut first, 0.5),
            "ms",
        ),
        Row::new(
            "submit to first phase, p99",
            percentile(&mut first, 0.99),
            "ms",
        ),
        Row::new(
            "seven-phase task, whole, p50",
            percentile(&mut whole, 0.5),
            "ms",
        ),
        Row::new(
            "seven-phase task beyond its tools, p50",
            percentile(&mut overhead, 0.5),
            "ms",
        ),
        Row::new(
            "seven-phase task beyond its tools, p99",
            percentile(&mut overhead, 0.99),
            "ms",
        ),
    ])
}

fn time(value: &Value) -> Result<f64, BenchError> {
    let text = value.as_str().ok_or_else(|| fail("a time is missing"))?;
    let at: Timestamp = text.parse().map_err(fail)?;
    Ok(at.as_microsecond() as f64 / 1e6)
}

fn idle_rows(team: &Team<'_>) -> Result<Vec<Row>, BenchError> {
    let status = team.json(&["status", "--json"])?;
    let processes: Vec<(String, u32)> = status["processes"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|p| Some((p["name"].as_str()?.to_owned(), p["pid"].as_u64()? as u32)))
        .collect();
    let before: Vec<_> = processes.iter().map(|(_, pid)| cpu_time(*pid)).collect();
    std::thread::sleep(IDLE);
    let mut rows = Vec::new();
    for ((name, pid), before) in processes.iter().zip(before) {
        let Some((before, after)) = before.zip(cpu_time(*pid)) else {
            continue;
        };
        let share = 100.0 * after.saturating_sub(before).as_secs_f64() / IDLE.as_secs_f64();
        rows.push(Row::new(
            &format!("{name} idle, memory (PSS)"),
            pss_mb(*pid).unwrap_or(0.0),
            "MB",
        ));
        rows.push(Row::new(&format!("{name} idle, processor"), share, "%"));
        if let Some(memory) = named(&name_of(*pid)).and_then(pss_mb) {
            let row = format!("{name}, its launcher idle, memory (PSS)");
            rows.push(Row::new(&row, memory, "MB"));
        }
    }
    Ok(rows)
}
