//! A whole team with a long queue: how fast it takes requests, what that weighs, what it costs while
//! nothing is done, and how soon a person is answered. The agent that the tasks are for is paused. Where its
//! ledger lies on a server, another team with its ledger in a file takes requests in the same run.

use crate::memory_use::{cpu_time, pss_mb};
use crate::numbers::percentile;
use crate::table::{Report, Row};
use crate::team::{BenchError, Team, fail};
use config::home::Home;
use protocol::control::{Request, Submit, Verb};
use protocol::ids::RequestId;
use serde_json::Value;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// People who ask at the same time.
const CLIENTS: usize = 8;
/// How long the team is watched; its outbox compares everything with Redis every 30 s.
const WATCHED: Duration = Duration::from_secs(35);
/// How often each command is timed.
const SAMPLES: usize = 20;
/// Whose memory and processor time are of interest.
const PROCESSES: [&str; 4] = ["supervisor", "redis", "qa", "code"];

/// Most requests that the team beside takes.
const BESIDE: usize = 5_000;
/// How many requests come one after the other.
const ALONE: usize = 100;

/// Fills the queue of a new team of `exe` with `tasks` tasks and looks. `server` are the variables that put its ledger
/// on a server; none where it lies in a file.
pub fn run(exe: &Path, tasks: usize, server: &[String]) -> Result<Report, BenchError> {
    let in_file = match server {
        [] => None,
        named => Some(in_a_file(exe, tasks.min(BESIDE), named)?),
    };
    let team = Team::new(exe)?;
    prepare(&team, tasks)?;
    let work = tempfile::tempdir().map_err(fail)?;
    let empty = answers(&team)?;
    let weights = weigh(&team)?;
    let rate = submit(&team, work.path(), tasks)?;
    let taken = Row::new("requests taken, 8 at a time", rate, "1/s");
    let mut rows = vec![match in_file {
        Some(in_file) => taken.beside(in_file),
        None => taken,
    }];
    let alone = one_after_the_other(&team, work.path())?;
    rows.push(Row::new("one request after the other, p50", alone, "ms"));
    let processes = pids(&team)?;
    let times = || processes.each_ref().map(|(_, pid)| cpu_time(*pid));
    let before = times();
    std::thread::sleep(WATCHED);
    let after = times();
    for (at, (name, _)) in processes.iter().enumerate() {
        let took = after[at].zip(before[at]).map(|(to, from)| to - from);
        let share = 100.0 * took.unwrap_or_default().as_secs_f64() / WATCHED.as_secs_f64();
        rows.push(Row::new(
            &format!("{name} with {tasks} queued, processor"),
            share,
            "%",
        ));
    }
    for (now, then) in weigh(&team)?.into_iter().zip(weights) {
        let name = format!("{} with {tasks} queued, memory (PSS)", now.0);
        rows.push(Row::new(&name, now.1, "MB").beside(then.1));
    }
    for (now, then) in answers(&team)?.into_iter().zip(empty) {
        let name = format!("{} with {tasks} queued", now.0);
        rows.push(Row::new(&name, now.1, "ms").beside(then.1));
    }
    let began = Instant::now();
    team.ai(&["restart"])?;
    let took = began.elapsed().as_secs_f64() * 1e3;
    rows.push(Row::new(
        &format!("restart to ready with {tasks} queued"),
        took,
        "ms",
    ));
    let mut notes = vec!["`beside` is the same team before, with nothing queued.".to_owned()];
    if in_file.is_some() {
        let note = "beside the requests taken is another team, whose ledger is a file (SQLite).";
        notes.push(note.to_owned());
    }
    Ok(Report::new(rows).with_notes(notes))
}

/// Starts the team, with room for `tasks` tasks and one more, and pauses the agent they are for.
fn prepare(team: &Team<'_>, tasks: usize) -> Result<(), BenchError> {
    let folder = team.home().join("config");
    std::fs::create_dir_all(&folder).map_err(fail)?;
    let settings = format!(
        "team:\n  queue_limit: {}\nredis:\n  maxmemory_mb: 4096\n",
        tasks + 1000
    );
    std::fs::write(folder.join("ai-infra.yaml"), settings).map_err(fail)?;
    team.ai(&["up", "--no-tmux"])?;
    team.ai(&["agents", "pause", "qa"])?;
    Ok(())
}

/// How many requests a second a team with its ledger in a file takes.
fn in_a_file(exe: &Path, tasks: usize, server: &[String]) -> Result<f64, BenchError> {
    let team = Team::new(exe)?.without(server);
    prepare(&team, tasks)?;
    let work = tempfile::tempdir().map_err(fail)?;
    submit(&team, work.path(), tasks)
}

/// How long one request takes to be kept while no other comes, in milliseconds.
fn one_after_the_other(team: &Team<'_>, work: &Path) -> Result<f64, BenchError> {
    let socket = Home::at(team.home()).supervisor_sock();
    let mut times = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let began = Instant::now();
        hand_in(&socket, work.to_owned())?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
    }
    Ok(percentile(&mut times, 0.5))
}

/// Hands `tasks` requests in, as `run --no-wait` does; how many a second were kept.
fn submit(team: &Team<'_>, work: &Path, tasks: usize) -> Result<f64, BenchError> {
    let socket = Home::at(team.home()).supervisor_sock();
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    let one = || -> Result<(), BenchError> {
        while next.fetch_add(1, Ordering::Relaxed) < tasks {
            hand_in(&socket, work.to_owned())?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(one)).collect();
        clients.into_iter().try_for_each(|client| {
            let ended = client.join();
            ended.map_err(|_| fail("a client broke"))?
        })
    })?;
    Ok(tasks as f64 / started.elapsed().as_secs_f64())
}

fn hand_in(socket: &Path, workspace: PathBuf) -> Result<(), BenchError> {
    let submit = Submit {
        workspace: Some(workspace),
        ..request()?
    };
    let line = serde_json::to_string(&Request::new(Verb::Submit(Box::new(submit))));
    let mut stream = UnixStream::connect(socket).map_err(fail)?;
    writeln!(stream, "{}", line.map_err(fail)?).map_err(fail)?;
    let mut said = String::new();
    for line in BufReader::new(stream).lines() {
        said = line.map_err(fail)?;
        if said.contains("\"accepted\"") {
            return Ok(());
        }
    }
    Err(fail(format!("a request was not taken: {said}")))
}

/// The request, as a line of the control socket would leave everything else out. It names its
/// playbook: how words are understood is not what is measured.
fn request() -> Result<Submit, BenchError> {
    let text = serde_json::json!({
        "request": "what is unfinished here?",
        "request_id": RequestId::new(),
        "playbook": ["unfinished-marks", {}],
    });
    serde_json::from_value(text).map_err(fail)
}

/// Each process of interest with its number.
fn pids(team: &Team<'_>) -> Result<[(&'static str, u32); 4], BenchError> {
    let status = team.json(&["status", "--json"])?;
    let pid = |name: &str| {
        let all = status["processes"].as_array();
        all.and_then(|all| all.iter().find(|process| process["name"] == name))
            .and_then(|process| process["pid"].as_u64())
            .unwrap_or_default() as u32
    };
    Ok(PROCESSES.map(|name| (name, pid(name))))
}

fn weigh(team: &Team<'_>) -> Result<Vec<(&'static str, f64)>, BenchError> {
    let pids = pids(team)?;
    let weights = pids.map(|(name, pid)| (name, pss_mb(pid).unwrap_or_default()));
    Ok(weights.to_vec())
}

/// How long commands take, the start of their process included.
fn answers(team: &Team<'_>) -> Result<Vec<(&'static str, f64)>, BenchError> {
    let timed = |args: &[&str], share: f64| -> Result<f64, BenchError> {
        let mut times = Vec::new();
        for _ in 0..SAMPLES {
            let started = Instant::now();
            team.ai(args)?;
            times.push(started.elapsed().as_secs_f64() * 1e3);
        }
        Ok(percentile(&mut times, share))
    };
    let host = "how are disk and memory of this host?";
    let mut waits = Vec::new();
    for _ in 0..5 {
        let ran = team.json(&["run", host, "--priority", "8", "--json"])?;
        let short = ran["short_id"].as_str().unwrap_or_default().to_owned();
        let page = team.json(&["task", "show", &short, "--json"])?;
        waits.push(wait(&page["task"])?);
    }
    Ok(vec![
        ("status, p50", timed(&["status"], 0.5)?),
        ("status, worst of 20", timed(&["status"], 1.0)?),
        ("task list, p50", timed(&["task", "list"], 0.5)?),
        (
            "another agent's task, submit to first phase, p50",
            percentile(&mut waits, 0.5),
        ),
    ])
}

/// From acceptance to the first phase, in milliseconds.
fn wait(page: &Value) -> Result<f64, BenchError> {
    let at = |value: &Value| -> Result<f64, BenchError> {
        let text = value.as_str().ok_or_else(|| fail("a time is missing"))?;
        let at: jiff::Timestamp = text.parse().map_err(fail)?;
        Ok(at.as_microsecond() as f64 / 1e3)
    };
    Ok(at(&page["document"]["phases"][0]["started"])? - at(&page["task"]["accepted"])?)
}
