//! A team that is frozen, crashes, or is of another version.

use super::{ask, finds, said};
use crate::AI_INFRA;
use nix::sys::signal::Signal;
use std::io::{Read, Write};
use std::time::Duration;
use tests::processes::{send, wait_until};
use tests::team::Team;

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
