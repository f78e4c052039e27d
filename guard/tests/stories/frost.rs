//! Frozen: everything inside stands still where it is, its time stands still too, and one that does
//! not obey can be ended.

use super::*;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::time::Instant;
use tokio::time::sleep;

/// Writes a line every 20 ms, from a process of another session too.
const TICKS: &str = "tick() { while :; do echo x >> $1; sleep 0.02; done; }; \
    export -f tick; setsid bash -c 'tick one' & tick two";

fn ticks(stage: &Stage) -> u64 {
    let size = |name: &str| std::fs::metadata(stage.clone.work.join(name)).map_or(0, |m| m.len());
    size("one") + size("two")
}

#[tokio::test]
async fn what_runs_stands_still_and_its_time_too() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut executor = stage.executor().await;
    let pulse = executor.pulse();
    let limit = Duration::from_millis(1200);
    let began = Instant::now();
    let watch = async {
        sleep(Duration::from_millis(400)).await;
        assert!(pulse.freeze(true, Duration::from_secs(1)).await);
        let frozen = Instant::now();
        let seen = ticks(&stage);
        assert!(seen > 0, "nothing ticked");
        sleep(Duration::from_millis(1500)).await;
        assert_eq!(ticks(&stage), seen, "something went on");
        assert!(pulse.freeze(true, Duration::from_secs(1)).await, "again");
        assert!(pulse.freeze(false, Duration::from_secs(1)).await);
        let stood = frozen.elapsed();
        sleep(Duration::from_millis(200)).await;
        assert!(ticks(&stage) > seen, "it did not go on");
        stood
    };
    let (outcome, stood) = tokio::join!(run(&mut executor, shell(TICKS), limit), watch);
    assert_eq!(outcome.data["timed_out"], true, "{}", outcome.text);
    let took = began.elapsed();
    assert!(took >= limit + stood, "frozen time was counted: {took:?}");
    assert!(took < limit + stood + Duration::from_secs(1), "{took:?}");
    assert_eq!(sh(&mut executor, "echo still here").await, "still here\n");
    executor.stop().await;
}

#[tokio::test]
async fn nothing_begins_while_frozen() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut executor = stage.executor().await;
    let pulse = executor.pulse();
    assert!(pulse.freeze(true, Duration::from_secs(1)).await);
    let write = Operation::Write {
        path: "note".to_owned(),
        content: "x".to_owned(),
    };
    let note = stage.clone.work.join("note");
    let watch = async {
        sleep(Duration::from_millis(300)).await;
        assert!(!note.exists(), "an effect while frozen");
        assert!(pulse.freeze(false, Duration::from_secs(1)).await);
    };
    let (outcome, ()) = tokio::join!(run(&mut executor, write, LONG), watch);
    assert!(!outcome.is_error && note.exists(), "{}", outcome.text);
    executor.stop().await;
}

#[tokio::test]
async fn one_that_does_not_obey_is_seen_and_ended() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut executor = stage.executor().await;
    let pulse = executor.pulse();
    let call = async {
        let act = Act::of(shell("sleep 98771"));
        let Decision::Allow(leave) = judge(&act, &grant(Level::Standard)) else {
            panic!("not allowed");
        };
        executor.run(&act, leave, LONG).await
    };
    let watch = async {
        assert!(until(|| !processes_with("sleep 98771").is_empty()).await);
        // The runner itself is stopped, so that it hears nothing.
        for pid in parents_of("sleep 98771") {
            kill(Pid::from_raw(pid), Signal::SIGSTOP).unwrap();
            assert!(until(|| stands(pid)).await);
        }
        assert!(!pulse.freeze(true, Duration::from_millis(200)).await);
        pulse.end();
    };
    let (ended, ()) = tokio::join!(call, watch);
    assert!(ended.is_err(), "{ended:?}");
    assert!(until(|| processes_with("sleep 98771").is_empty()).await);
}

/// Whether every thread of a process is stopped.
fn stands(pid: i32) -> bool {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    threads.flatten().all(|thread| {
        let stat = std::fs::read_to_string(thread.path().join("stat")).unwrap_or_default();
        stat.rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('T'))
    })
}

/// Who started the processes with these words, and is none of them.
fn parents_of(words: &str) -> Vec<i32> {
    let those = processes_with(words);
    those
        .iter()
        .filter_map(|pid| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("PPid:"))?;
            line.trim().parse().ok()
        })
        .filter(|pid| !those.contains(pid))
        .collect()
}
