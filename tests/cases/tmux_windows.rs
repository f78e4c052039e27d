//! The session: eight windows in their order, agents inside them, nothing of another session
//! touched, everything back after the tmux server was killed.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use std::process::Command;
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::team::Team;

fn tmux(team: &Team, args: &[&str]) -> String {
    let socket = team.home().join("run/tmux.sock");
    let output = Command::new("tmux")
        .arg("-S")
        .arg(socket)
        .args(args)
        .output()
        .expect("tmux runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn windows(team: &Team) -> String {
    let format = "#{window_index}:#{window_name}";
    tmux(
        team,
        &["list-windows", "-t", "ai-infrastructure", "-F", format],
    )
    .replace('\n', " ")
}

const ALL: &str = "0:supervisor 1:code 2:data 3:infra 4:research 5:qa 6:monitor 7:logs";

#[test]
fn eight_windows_that_come_back() {
    let team = Team::new(AI_INFRA);
    let up = team.ai(&["up"]).expect(0);
    assert!(up.stdout.contains("attach"), "{up:#?}");
    assert_eq!(windows(&team), ALL);
    let shown = wait_until(Duration::from_secs(3), || {
        tmux(&team, &["capture-pane", "-p", "-t", "ai-infrastructure:1"]).contains("code")
    });
    assert!(shown, "the code window is empty");
    let pane = tmux(
        &team,
        &[
            "list-panes",
            "-t",
            "ai-infrastructure:1",
            "-F",
            "#{pane_pid}",
        ],
    );
    assert_eq!(pane.parse::<u32>().ok(), Some(team.pid("code")));
    processes::send(team.pid("code"), Signal::SIGKILL);
    let back = wait_until(Duration::from_secs(5), || {
        let now = tmux(
            &team,
            &[
                "list-panes",
                "-t",
                "ai-infrastructure:1",
                "-F",
                "#{pane_pid} #{pane_dead}",
            ],
        );
        now.ends_with(" 0") && !now.starts_with(&pane)
    });
    assert!(back, "the code window did not come back");
    // Whoever looks at another window is left there.
    let looked_at = tmux(
        &team,
        &[
            "list-windows",
            "-t",
            "ai-infrastructure",
            "-f",
            "#{window_active}",
            "-F",
            "#{window_index}",
        ],
    );
    assert_eq!(looked_at, "0");
    let server = tmux(&team, &["display-message", "-p", "#{pid}"]);
    processes::send(server.parse().expect("a pid"), Signal::SIGKILL);
    let back = wait_until(Duration::from_secs(10), || {
        windows(&team) == ALL && team.status()["state"] == "up"
    });
    assert!(back, "{} {:#}", windows(&team), team.status());
    team.down();
    assert_eq!(tmux(&team, &["list-sessions"]), "");
}
