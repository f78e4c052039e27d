//! Ctrl-C in each verb that takes long: exit code 130, a sentence that says what goes on, nothing half-done, nothing left
//! running. What a verb waits for is made to take for ever: somebody who never answers, a pipe that nobody writes to.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::Team;

const PATIENCE: Duration = Duration::from_secs(30);

/// Whoever accepts connections and says nothing.
fn deaf() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    (listener, port)
}

fn started(team: &Team, args: &[&str]) -> Child {
    let mut command = team.command(args);
    // Its input stays open and says nothing.
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts")
}

/// Whether a process listens for Ctrl-C by now: before that it would simply end.
fn listens(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    caught.is_some_and(|bits| bits & (1 << (Signal::SIGINT as u64 - 1)) != 0)
}

/// Ctrl-C once it works on what it is asked; 130 and the sentence are what comes.
#[track_caller]
fn let_go(mut child: Child, works: impl Fn() -> bool, says: &str) {
    let pid = child.id();
    let working = wait_until(PATIENCE, || {
        !processes::alive(pid) || (listens(pid) && works())
    });
    assert!(working, "it never began");
    // Whoever waits for its end would close its input.
    let _open = child.stdin.take();
    processes::send(pid, Signal::SIGINT);
    let output = child.wait_with_output().expect("it ends");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{output:#?}");
    assert!(said.contains(says), "`{says}` is not in: {said}");
}

fn pipe(team: &Team, name: &str) -> String {
    let path = team.scratch("pipes").join(name);
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    path.display().to_string()
}

#[test]
fn what_only_looks_or_asks_is_let_go_at_once() {
    let (listener, port) = deaf();
    let asked = || {
        listener.set_nonblocking(true).expect("it may be looked at");
        listener.accept().is_ok()
    };
    let team = Team::new(AI_INFRA);
    let always = || true;
    let keep = started(&team, &["secret", "set", "github-pat"]);
    let_go(keep, always, "interrupted: nothing was kept");
    let kept = team.ai(&["secret", "list", "--json"]).expect(0).stdout;
    assert!(!kept.contains("github-pat"), "{kept}");
    let playbook = pipe(&team, "playbook.yaml");
    let_go(
        started(&team, &["playbook", "check", &playbook]),
        always,
        "interrupted: nothing was changed",
    );
    // A model that never answers holds up whoever tries its key.
    let key = team
        .command(&["doctor"])
        .env("ANTHROPIC_API_KEY", "sk-story")
        .env("ANTHROPIC_BASE_URL", format!("http://127.0.0.1:{port}"))
        .env("AI_INFRA__ENGINE__NAME", "anthropic")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let_go(key, asked, "interrupted: nothing was changed");
    // A Redis that never answers holds up a start.
    let address = format!("redis://127.0.0.1:{port}");
    let up = team
        .command(&["up", "--no-tmux"])
        .env("REDIS_URL", &address)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let_go(
        up,
        asked,
        "interrupted: the team goes on starting; ai-infra status says how it is",
    );
    team.down();
}

#[test]
fn what_the_team_was_asked_to_do_goes_on() {
    let team = Team::new(AI_INFRA);
    team.up();
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "TODO: one\n").expect("a file");
    assert_eq!(team.run(&work, "what is unfinished here?").0, 0);
    let always = || true;
    let_go(
        started(&team, &["logs", "--follow"]),
        always,
        "interrupted: nothing was changed",
    );
    let_go(
        started(&team, &["chat"]),
        always,
        "interrupted: tasks go on without this terminal",
    );
    // Nobody answers while the supervisor stands still.
    let supervisor = team.pid("supervisor");
    processes::send(supervisor, Signal::SIGSTOP);
    for (args, says) in [
        (&["status"][..], "nothing was changed"),
        (
            &["task", "show", "t1"],
            "tasks go on without this terminal; see ai-infra task list",
        ),
        (
            &["memory", "reindex"],
            "what the team was asked to do goes on; see ai-infra memory stats",
        ),
    ] {
        let_go(started(&team, args), always, says);
    }
    processes::send(supervisor, Signal::SIGCONT);
    team.ai(&["task", "show", "t1"]).expect(0);
    // A daemon that was asked ends the team, whoever waits for it.
    let agent = team.pid("code");
    processes::send(agent, Signal::SIGSTOP);
    let going = || !processes::alive(supervisor);
    let_go(
        started(&team, &["down"]),
        going,
        "interrupted: the team goes on stopping; see ai-infra status",
    );
    let home = team.home();
    let gone = wait_until(Duration::from_secs(60), || {
        processes::of_home(&home).is_empty()
    });
    assert!(gone, "left behind: {:#?}", processes::of_home(&home));
    team.down();
}

#[test]
fn a_backup_a_restore_and_a_drill_leave_nothing_half_done() {
    let (_listener, port) = deaf();
    let team = Team::new(AI_INFRA);
    let remote = team.scratch("backups");
    let team = team
        .with_env("AI_INFRA__BACKUP__REMOTE", &remote.display().to_string())
        .backs_up_by_hand();
    team.ai(&["up", "--no-tmux"]).expect(0);
    let blobs = team.home().join("blobs");
    // Nothing that could be made smaller: the first packs are full before the end is near.
    let mut numbers = tests::torture::plugs::Numbers::new(1);
    for number in 0..60 {
        let bytes: Vec<u8> = (0..500_000).map(|_| numbers.below(256) as u8).collect();
        std::fs::write(blobs.join(format!("large-{number}")), bytes).expect("a file");
    }
    // A file without an end, as far as this test is concerned: when the packs of the others are seen, it is being read.
    let endless = blobs.join("of-holes");
    let made = std::fs::File::create(&endless).and_then(|file| file.set_len(64 << 30));
    made.expect("a file of holes");
    let packs = || std::fs::read_dir(remote.join("packs")).is_ok_and(|packs| packs.count() > 0);
    let_go(
        started(&team, &["backup", "run", "memory"]),
        packs,
        "interrupted: no snapshot was made; what was sent is not sent again",
    );
    let listed = team.ai(&["backup", "list", "--json"]).expect(0).json();
    assert_eq!(
        listed["snapshots"].as_array().map(Vec::len),
        Some(0),
        "{listed:#}"
    );
    std::fs::remove_file(&endless).expect("it was there");
    team.ai(&["backup", "run", "memory"]).expect(0);
    team.ai(&["backup", "verify"]).expect(0);
    // The place never answers.
    let to = team.scratch("given").join("back");
    let (place, goal) = (
        format!("https://127.0.0.1:{port}/b.git"),
        to.display().to_string(),
    );
    let restore = ["backup", "restore", "--from", &place, "--to", &goal];
    let_go(
        started(&team, &restore),
        || true,
        "interrupted: what was put back is not whole",
    );
    assert!(!to.exists(), "a folder was begun before anything was read");
    let drill = team.home().join("backup/drill");
    let begun = || {
        drill.join("restoring.json").exists()
            || drill.join("run").is_dir()
            || drill.join("blobs").is_dir()
    };
    let_go(
        started(&team, &["backup", "drill"]),
        begun,
        "the drill was cut off: its copy of the home was taken away",
    );
    assert!(!drill.exists(), "the drill left its copy");
    assert!(of(&drill).is_empty(), "{:#?}", of(&drill));
    team.ai(&["backup", "drill"]).expect(0);
    team.down();
}

#[test]
fn a_backup_whose_snapshot_may_be_there_does_not_say_that_none_was_made() {
    let team = Team::new(AI_INFRA);
    let remote = team.scratch("backups");
    let team = team
        .with_env("AI_INFRA__BACKUP__REMOTE", &remote.display().to_string())
        .backs_up_by_hand();
    team.ai(&["up", "--no-tmux"]).expect(0);
    let snapshots = || std::fs::read_dir(remote.join("snapshots")).is_ok_and(|all| all.count() > 0);
    // This one stands still right after it has put its snapshot.
    let child = team
        .command(&["backup", "run", "memory"])
        .env("AI_INFRA_FAULT", "snapshot-first")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let says = "interrupted: a snapshot that was whole by then is kept, see ai-infra backup list";
    let_go(child, snapshots, says);
    team.down();
}

fn of(home: &Path) -> Vec<processes::Seen> {
    processes::of_home(home)
}

#[test]
fn a_measurement_takes_its_team_down() {
    let team = Team::new(AI_INFRA);
    let scratch = team.scratch("bench");
    let child = team
        .command(&["bench", "agent", "--tasks", "500"])
        .env("TMPDIR", &scratch)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it starts");
    let up = || {
        of(&scratch)
            .iter()
            .any(|seen| seen.command.contains("supervisor"))
    };
    let_go(child, up, "cut off");
    let gone = wait_until(PATIENCE, || of(&scratch).is_empty());
    assert!(gone, "left behind: {:#?}", of(&scratch));
}
