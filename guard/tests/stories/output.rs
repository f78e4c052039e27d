//! What programs print comes back bounded and whole where it can be; start-up is quick.

use super::*;
use std::time::Instant;

#[tokio::test]
async fn binary_output_survives() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut executor = stage.executor().await;
    let outcome = run(
        &mut executor,
        shell(r"printf 'a\0\377\376b'; printf 'x\033[31m' >&2; exit 3"),
        LONG,
    )
    .await;
    assert_eq!(outcome.data["stdout"], "a\0\u{fffd}\u{fffd}b");
    assert_eq!(outcome.data["stderr"], "x\u{1b}[31m");
    assert_eq!((outcome.is_error, &outcome.data["exit"]), (true, &3.into()));
    assert!(outcome.text.ends_with("exit 3"), "{}", outcome.text);
    executor.stop().await;
}

#[tokio::test]
async fn a_flood_is_cut_in_the_middle() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut executor = stage.executor().await;
    let outcome = run(
        &mut executor,
        shell("echo first; head -c 104857600 /dev/zero | tr '\\0' x; echo last"),
        LONG,
    )
    .await;
    let stdout = outcome.data["stdout"].as_str().unwrap();
    assert!(stdout.starts_with("first\nxxx") && stdout.ends_with("xlast\n"));
    assert!(stdout.contains("bytes cut …"));
    assert!(
        stdout.len() < protocol::limits::OUTPUT_BYTES + 100,
        "{}",
        stdout.len()
    );
    assert_eq!(outcome.data["truncated"], true);
    executor.stop().await;
}

#[tokio::test]
async fn limits_hold() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut spec = stage.spec();
    spec.limits = Limits {
        memory_mb: 256,
        processes: 60,
        file_mb: 2,
        open_files: 64,
        ..spec.limits
    };
    let mut executor = Executor::start(spec).await.unwrap();
    let said = sh(
        &mut executor,
        "ulimit -c; ulimit -n; head -c 3000000 /dev/zero > big || echo TOO BIG; stat -c %s big",
    )
    .await;
    assert!(
        said.starts_with("0\n64\n") && said.contains("2097152"),
        "{said}"
    );
    let said = sh(
        &mut executor,
        "for i in $(seq 200); do sleep 5 & done 2>&1; echo over",
    )
    .await;
    assert!(
        said.contains("Resource temporarily unavailable") || said.contains("retry"),
        "{said}"
    );
    let said = sh(
        &mut executor,
        "head -c 600000000 /dev/zero | tail -n1 | wc -c",
    )
    .await;
    assert!(!said.starts_with("600000000"), "{said}");
    assert_eq!(sh(&mut executor, "echo fine").await, "fine\n");
    executor.stop().await;
}

#[tokio::test]
async fn start_up_is_quick() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut best = [LONG; 3];
    for _ in 0..5 {
        let started = Instant::now();
        let mut executor = stage.executor().await;
        best[0] = best[0].min(started.elapsed());
        let started = Instant::now();
        run(&mut executor, shell("true"), LONG).await;
        best[1] = best[1].min(started.elapsed());
        let started = Instant::now();
        executor.snapshot().await.unwrap();
        best[2] = best[2].min(started.elapsed());
        executor.stop().await;
    }
    println!(
        "best of five: start {:?}, a call of `true` {:?}, a snapshot {:?}",
        best[0], best[1], best[2]
    );
    assert!(best[0] < Duration::from_secs(2), "{best:?}");
}
