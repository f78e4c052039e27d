//! A team's windows as a person sees them: captures of its own tmux server, keys, sizes.

use crate::processes::wait_until;
use crate::team::Team;
use std::process::Command;
use std::time::Duration;

/// Longest wait for a window to show something.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a tmux command on the team's server; gives what it printed.
pub fn tmux(team: &Team, args: &[&str]) -> String {
    let socket = team.home().join("run/tmux.sock");
    let output = Command::new("tmux")
        .arg("-S")
        .arg(socket)
        .args(args)
        .output()
        .expect("tmux runs");
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

fn target(window: u32) -> String {
    format!("ai-infrastructure:{window}")
}

/// What stands in a window now.
pub fn capture(team: &Team, window: u32) -> String {
    tmux(team, &["capture-pane", "-p", "-t", &target(window)])
}

/// Waits until a window shows what is wanted; fails the story with the last capture.
pub fn wait_for(team: &Team, window: u32, what: &str, shows: impl Fn(&str) -> bool) -> String {
    let mut last = String::new();
    let shown = wait_until(PATIENCE, || {
        last = capture(team, window);
        shows(&last)
    });
    assert!(shown, "window {window} does not show {what}:\n{last}");
    last
}

/// Gives a window a size, as a terminal of that size would.
pub fn resize(team: &Team, window: u32, columns: u32, rows: u32) {
    resize_to(team, &target(window), columns, rows);
}

/// The same for a window by any name of it.
pub fn resize_to(team: &Team, target: &str, columns: u32, rows: u32) {
    let (x, y) = (columns.to_string(), rows.to_string());
    tmux(team, &["resize-window", "-t", target, "-x", &x, "-y", &y]);
    // tmux tells the terminal a moment later, and only then can whoever draws know.
    let tty = tmux(
        team,
        &["display-message", "-p", "-t", target, "#{pane_tty}"],
    );
    let told = wait_until(Duration::from_secs(5), || {
        let stty = Command::new("stty")
            .args(["-F", tty.trim(), "size"])
            .output();
        let size = stty.expect("stty runs").stdout;
        String::from_utf8_lossy(&size)
            .trim()
            .ends_with(&format!(" {x}"))
    });
    assert!(told, "{tty} is {columns} wide");
}

/// Presses keys, as tmux names them.
pub fn press(team: &Team, window: u32, keys: &[&str]) {
    let target = target(window);
    let mut args = vec!["send-keys", "-t", &target];
    args.extend(keys);
    tmux(team, &args);
}

/// Types a text, letter for letter.
pub fn type_in(team: &Team, window: u32, text: &str) {
    tmux(team, &["send-keys", "-t", &target(window), "-l", text]);
}
