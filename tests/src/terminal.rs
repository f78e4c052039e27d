//! A person at a terminal: keys go into a real tmux window, and what it shows is read back.

use crate::processes::wait_until;
use crate::team::Team;
use std::process::Command;
use std::time::Duration;

/// Longest wait for a window to show something.
const PATIENCE: Duration = Duration::from_secs(20);

/// Runs a tmux command on the team's own server; gives what it printed.
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

/// One window of a team's session.
pub struct Window<'t> {
    team: &'t Team,
    target: String,
}

impl<'t> Window<'t> {
    /// The window with this number, `columns` by `rows`.
    pub fn of(team: &'t Team, index: u32, columns: u32, rows: u32) -> Self {
        let target = format!("ai-infrastructure:{index}");
        let window = Self { team, target };
        window.resize(columns, rows);
        window
    }

    /// A command for the team's own tmux server.
    pub fn tmux(&self, args: &[&str]) -> String {
        tmux(self.team, args)
    }

    /// Makes it another size, as a terminal of that size would.
    pub fn resize(&self, columns: u32, rows: u32) {
        let (x, y) = (columns.to_string(), rows.to_string());
        let target = &self.target;
        self.tmux(&["resize-window", "-t", target, "-x", &x, "-y", &y]);
        // tmux tells the terminal a moment later, and only then can whoever draws know.
        let tty = self.tmux(&["display-message", "-p", "-t", target, "#{pane_tty}"]);
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

    /// Types characters.
    pub fn types(&self, text: &str) {
        self.tmux(&["send-keys", "-t", &self.target, "-l", "--", text]);
    }

    /// Presses keys by name, such as `Enter`, `Up`, `C-r`.
    pub fn presses(&self, keys: &[&str]) {
        self.tmux(&[&["send-keys", "-t", &self.target][..], keys].concat());
    }

    /// Types a line and hands it in.
    pub fn says(&self, line: &str) {
        self.types(line);
        self.presses(&["Enter"]);
    }

    /// Pastes text as a terminal does that marks pastes.
    pub fn pastes(&self, text: &str) {
        self.tmux(&["set-buffer", "-b", "story", text]);
        self.tmux(&[
            "paste-buffer",
            "-p",
            "-d",
            "-b",
            "story",
            "-t",
            &self.target,
        ]);
    }

    /// What it shows now, without the empty lines at its end.
    pub fn shows(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-t", &self.target])
    }

    /// What it shows and has shown, lines that were folded made whole again.
    pub fn has_shown(&self) -> String {
        self.tmux(&[
            "capture-pane",
            "-p",
            "-J",
            "-S",
            "-5000",
            "-t",
            &self.target,
        ])
    }

    /// The last line that is not empty.
    pub fn last_line(&self) -> String {
        self.shows().lines().last().unwrap_or_default().to_owned()
    }

    /// Waits until it shows this; fails the story when it does not.
    pub fn until(&self, text: &str) {
        self.until_that(text, |shown| shown.contains(text));
    }

    /// Waits until it has shown this, though it may have moved off the top since.
    pub fn until_has_shown(&self, text: &str) {
        let seen = wait_until(PATIENCE, || self.has_shown().contains(text));
        assert!(seen, "never seen: {text}\n---\n{}\n---", self.has_shown());
    }

    /// Waits until what it shows is as wanted, and gives it; fails the story when it never is.
    pub fn until_that(&self, what: &str, is: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let seen = wait_until(PATIENCE, || {
            last = self.shows();
            is(&last)
        });
        assert!(seen, "never seen: {what}\n---\n{}\n---", self.has_shown());
        last
    }
}
