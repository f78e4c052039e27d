//! How things end: time-outs, cancelled calls, dead and silent holders.

use super::*;
use guard::deadline::Deadline;
use std::time::Instant;

/// Three processes: one in another session, one orphaned, one in the foreground.
fn tree(mark: &str) -> Operation {
    shell(&format!(
        "setsid sleep {mark} & (sleep {mark} &) ; sleep {mark}"
    ))
}

#[tokio::test]
async fn a_time_out_kills_the_whole_tree() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut executor = stage.executor().await;
    let started = Instant::now();
    let outcome = run(&mut executor, tree("98761"), Duration::from_millis(300)).await;
    assert!(started.elapsed() < Duration::from_secs(3));
    assert!(
        outcome.is_error && outcome.data["timed_out"] == true,
        "{}",
        outcome.text
    );
    assert!(processes_with("sleep 98761").is_empty());
    assert_eq!(sh(&mut executor, "echo still here").await, "still here\n");
    executor.stop().await;
}

#[tokio::test]
async fn nothing_outlives_its_call() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut executor = stage.executor().await;
    let outcome = run(&mut executor, shell("sleep 98762 & echo started"), LONG).await;
    assert_eq!(outcome.text, "started\n");
    assert!(outcome.took < Duration::from_secs(5));
    assert!(processes_with("sleep 98762").is_empty());
    executor.stop().await;
}

#[tokio::test]
async fn a_dropped_call_is_killed() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut executor = stage.executor().await;
    let call = tokio::time::timeout(
        Duration::from_millis(300),
        run(&mut executor, tree("98763"), LONG),
    );
    assert!(call.await.is_err());
    assert!(until(|| processes_with("sleep 98763").is_empty()).await);
    assert_eq!(sh(&mut executor, "echo still here").await, "still here\n");
    executor.stop().await;
}

#[tokio::test]
async fn a_dropped_executor_kills_everything() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut executor = stage.executor().await;
    let _ = tokio::time::timeout(
        Duration::from_millis(300),
        run(&mut executor, tree("98764"), LONG),
    )
    .await;
    drop(executor);
    assert!(until(|| processes_with("sleep 98764").is_empty()).await);
    assert!(until(|| processes_with(stage.clone.work.to_str().unwrap()).is_empty()).await);
}

#[tokio::test]
async fn a_silent_holder_is_outlived_by_nothing() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut spec = stage.spec();
    spec.deadline = Deadline::after(Duration::from_millis(600));
    let mut executor = Executor::start(spec).await.unwrap();
    let started = Instant::now();
    let act = Act::of(tree("98765"));
    let Decision::Allow(leave) = judge(&act, &grant(Level::Standard)) else {
        panic!("allowed");
    };
    let error = executor.run(&act, leave, LONG).await.unwrap_err();
    assert!(
        matches!(error, guard::executor::ExecutorError::Gone),
        "{error}"
    );
    assert!(
        started.elapsed() < Duration::from_millis(1600),
        "{:?}",
        started.elapsed()
    );
    executor.ended().await;
    assert!(processes_with("sleep 98765").is_empty());
}

#[tokio::test]
async fn a_pulse_keeps_it_alive_while_it_runs() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut spec = stage.spec();
    spec.deadline = Deadline::after(Duration::from_millis(600));
    let mut executor = Executor::start(spec).await.unwrap();
    let pulse = executor.pulse();
    let beating = tokio::spawn(async move {
        loop {
            pulse.extend(Deadline::after(Duration::from_millis(600)));
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    assert_eq!(sh(&mut executor, "sleep 1.5; echo done").await, "done\n");
    beating.abort();
    executor.stop().await;
}

#[tokio::test]
async fn an_extension_that_lay_in_the_pipe_adds_nothing() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|_| {});
    let mut spec = stage.spec();
    spec.deadline = Deadline::after(Duration::from_millis(900));
    let executor = Executor::start(spec).await.unwrap();
    let taken = Deadline::after(Duration::from_millis(1000));
    // The holder stood still between the renewal and the frame.
    tokio::time::sleep(Duration::from_millis(500)).await;
    executor.extend(taken);
    executor.ended().await;
    let late = Deadline::now();
    assert!(taken <= late, "it took the extension");
    assert!(
        late < taken.plus(Duration::from_millis(350)),
        "it outlived its lease"
    );
}

/// A holder that is killed or stopped, as a process of its own: this very test binary.
fn holder(stage: &Stage, mark: &str) -> std::process::Child {
    Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "stories::ends::be_a_holder",
            "--ignored",
            "--nocapture",
        ])
        .env("HOLDER_STAGE", stage.dir.path())
        .env("HOLDER_MARK", mark)
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap()
}

#[tokio::test]
#[ignore = "run by the stories below as a process of its own"]
async fn be_a_holder() {
    let dir = PathBuf::from(std::env::var("HOLDER_STAGE").unwrap());
    let clone = clone::make(&dir.join("shop"), &dir.join("t1"), SERVICE).unwrap();
    let spec = SandboxSpec {
        exe: exe(),
        kind: Kind::Workspace {
            work: clone.work,
            snapshots: clone.snapshots,
            writable: true,
            read_only: vec![],
            fixed: vec![],
            cache: None,
        },
        owner: clone.owner,
        toolchains: false,
        home: home(),
        limits: Limits::default(),
        most: protocol::task::Ceiling::HIGHEST,
        deadline: Deadline::after(Duration::from_secs(2)),
        proxy: None,
        only: None,
        trace: None,
    };
    let mut executor = Executor::start(spec).await.unwrap();
    let pulse = executor.pulse();
    tokio::spawn(async move {
        loop {
            pulse.extend(Deadline::after(Duration::from_secs(2)));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let mark = std::env::var("HOLDER_MARK").unwrap();
    run(&mut executor, tree(&mark), LONG).await;
}

async fn holder_meets(signal: nix::sys::signal::Signal, mark: &str, most: Duration) {
    let stage = Stage::new(|_| {});
    let mut child = holder(&stage, mark);
    let pid = nix::unistd::Pid::from_raw(child.id() as i32);
    let words = format!("sleep {mark}");
    let began = until(|| processes_with(&words).len() >= 3).await;
    let started = Instant::now();
    nix::sys::signal::kill(pid, signal).unwrap();
    let ended = until(|| processes_with(&words).is_empty()).await;
    let took = started.elapsed();
    let _ = child.kill();
    let _ = child.wait();
    assert!(began && ended, "began {began}, ended {ended}");
    assert!(took < most, "{took:?}");
}

#[tokio::test]
async fn a_killed_holder_takes_everything_with_it() {
    if can_sandbox() {
        holder_meets(
            nix::sys::signal::Signal::SIGKILL,
            "98766",
            Duration::from_secs(1),
        )
        .await;
    }
}

#[tokio::test]
async fn a_stopped_holder_keeps_nothing_alive() {
    if can_sandbox() {
        holder_meets(
            nix::sys::signal::Signal::SIGSTOP,
            "98767",
            Duration::from_secs(3),
        )
        .await;
    }
}
