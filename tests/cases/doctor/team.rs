//! A team that is frozen, crashes, or is of another version.

use super::{ask, doctor, finds, said};
use crate::AI_INFRA;
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::time::Duration;
use tests::processes::{send, wait_until};
use tests::team::Team;

#[test]
fn a_shell_that_says_other_settings_than_the_team_has() {
    let team = Team::new(AI_INFRA).with_env("LANG", "C.UTF-8");
    team.up();
    let mut shell = doctor(&team);
    shell
        .env("REDIS_URL", "redis://ada:hunter2@127.0.0.1:1")
        .env("DATABASE_URL", "postgres://nobody@/none?host=/nowhere");
    let output = shell.output().expect("doctor runs");
    let (code, findings) = said(&output);
    // The team is well, whatever this shell says: nobody of it looks there.
    assert_eq!(code, 0, "{findings:#?}");
    let seen = "redis.url: your shell says redis://127.0.0.1:1 (environment REDIS_URL), the team runs with nothing";
    finds(&output, "shell", "odd", seen, "");
    finds(
        &output,
        "shell",
        "odd",
        "ledger.url: your shell says postgres://nobody@",
        "",
    );
    let last = "redis.username: your shell says ada";
    finds(&output, "shell", "odd", last, "judged is what the team has");
    let all = String::from_utf8_lossy(&output.stdout);
    assert!(!all.contains("hunter2"), "{all}");
    team.down();
    // A team that is down has no settings but the shell's.
    let output = {
        let mut shell = doctor(&team);
        shell.env("REDIS_URL", "redis://127.0.0.1:1");
        shell.output().expect("doctor runs")
    };
    finds(&output, "redis", "bad", "redis://127.0.0.1:1", "");
}

#[test]
fn a_process_that_is_not_given_its_teams_settings_does_not_begin() {
    let team = Team::new(AI_INFRA);
    std::fs::create_dir_all(team.home().join("run")).expect("a folder");
    let socket = team.home().join("run/daemon.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0u8; 512];
            let _read = stream.read(&mut asked);
            let line =
                serde_json::json!({"line": "error", "exit": 2, "message": "not now", "hints": []});
            let _gone = stream.write_all(format!("{line}\n").as_bytes());
        }
    });
    for process in [&["agent", "code"][..], &["supervisor"], &["warden"]] {
        let ran = team.ai(process).expect(5);
        assert!(
            ran.stderr
                .contains("did not hand over the settings of its team (not now)"),
            "{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("ai-infra restart"), "{}", ran.stderr);
    }
    assert!(!team.home().join("ledger.db").exists());
    std::fs::remove_file(&socket).expect("removed");
}

#[test]
fn a_team_that_is_not_itself() {
    let team = Team::new(AI_INFRA);
    team.configure(
        "engine: {name: playbook}\ndaemon: {crash_limit: 2, restart_first_ms: 10, restart_max_ms: 20}\n",
    );
    team.up();
    team.ai(&["freeze"]).expect(0);
    finds(&ask(&team), "team", "odd", "frozen", "ai-infra thaw");
    team.ai(&["thaw"]).expect(0);
    let supervisor = team.pid("supervisor");
    send(supervisor, Signal::SIGSTOP);
    let hung = team.ai(&["status"]).expect(0);
    send(supervisor, Signal::SIGCONT);
    assert!(hung.took < Duration::from_secs(4), "{:?}", hung.took);
    let first = hung.stdout.lines().nth(1).unwrap_or_default().to_owned();
    assert!(
        first.contains("the supervisor does not answer"),
        "{}",
        hung.stdout
    );
    let crashed = wait_until(Duration::from_secs(20), || {
        if let Some(pid) = team.noted_pid("agent-qa") {
            send(pid, Signal::SIGKILL);
        }
        let (_, findings) = said(&ask(&team));
        findings.iter().any(|f| {
            f["seen"]
                .as_str()
                .unwrap_or("")
                .contains("qa died too often")
        })
    });
    assert!(crashed, "{:#}", team.status());
    finds(
        &ask(&team),
        "team",
        "bad",
        "qa died too often",
        "ai-infra restart",
    );
    team.down();
    // A daemon that says it is of another version.
    let socket = team.home().join("run/daemon.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).expect("a socket");
    let home = team.home().display().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut asked = [0u8; 512];
            let _read = stream.read(&mut asked);
            let status = serde_json::json!({"version": 1, "state": "up", "home": home, "team_version": "0.0.9",
                "attach": null, "processes": [], "queued": 0, "running": 0, "waiting": 0, "dead_letters": 0, "problems": []});
            let line = serde_json::json!({"line": "done", "answer": {"answer": "status", "status": status}});
            let _gone = stream.write_all(format!("{line}\n").as_bytes());
        }
    });
    let output = ask(&team);
    finds(
        &output,
        "version",
        "odd",
        "team runs 0.0.9, this program is",
        "ai-infra restart",
    );
    let shown = team.ai(&["status"]).expect(0).stdout;
    assert!(shown.contains("team runs 0.0.9"), "{shown}");
    std::fs::remove_file(&socket).expect("removed");
}
