//! What stands at the lower edge of a person's terminal while they are attached: a real terminal is attached to the
//! team's session, and its last line is read.

use crate::AI_INFRA;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;
use tests::gate;
use tests::processes::wait_until;
use tests::team::Team;

/// A terminal of its own that is attached to the team; a second tmux server keeps it.
struct Terminal {
    socket: PathBuf,
}

impl Terminal {
    fn attached(team: &Team, columns: u32) -> Self {
        let socket = team.scratch("terminal").join(format!("{columns}.sock"));
        let this = Self { socket };
        let inner = team.home().join("run/tmux.sock");
        let attach = format!(
            "env -u TMUX tmux -S '{}' attach -t ai-infrastructure",
            inner.display()
        );
        let x = columns.to_string();
        let size = ["-x", &x, "-y", "24"];
        this.tmux(
            &[
                &["new-session", "-d", "-s", "person"],
                &size[..],
                &[attach.as_str()],
            ]
            .concat(),
        );
        this
    }

    fn tmux(&self, args: &[&str]) -> String {
        let output = Command::new("tmux")
            .args(["-f", "/dev/null", "-S"])
            .arg(&self.socket)
            .args(args)
            .env_remove("TMUX")
            .env("TERM", "xterm-256color")
            .stdin(Stdio::null())
            .output()
            .expect("tmux runs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// The status line: the last but one, as the outer tmux has one of its own that is not captured.
    fn line(&self) -> String {
        let shown = self.tmux(&["capture-pane", "-p", "-t", "person"]);
        shown
            .trim_end()
            .lines()
            .last()
            .unwrap_or_default()
            .to_owned()
    }

    #[track_caller]
    fn until(&self, what: &str, is: impl Fn(&str) -> bool) {
        let seen = wait_until(Duration::from_secs(20), || is(&self.line()));
        assert!(seen, "never stood there: {what}; it says: {}", self.line());
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.tmux(&["kill-server"]);
    }
}

#[test]
fn the_lower_edge_says_what_was_spent_what_runs_and_that_all_stands_still() {
    let team = Team::new(AI_INFRA);
    let folder = gate::build(&team);
    team.ai(&["up"]).expect(0);
    let wide = Terminal::attached(&team, 120);
    wide.until("the windows and the money", |line| {
        line.contains("0:supervisor") && line.contains("7:logs") && line.contains("$0.00 of $20")
    });
    assert!(!wide.line().contains("running"), "{}", wide.line());
    gate::walk(&team, &folder);
    wide.until("one task", |line| line.contains("$0.00 of $20 · 1 running"));
    team.ai(&["freeze"]).expect(0);
    wide.until("a frozen team", |line| {
        line.contains("· frozen") && !line.contains("running")
    });
    team.ai(&["thaw"]).expect(0);
    wide.until("that it goes on", |line| line.contains("1 running"));
    // Where it would take the room of the windows, it is not there.
    let narrow = Terminal::attached(&team, 80);
    narrow.until("the windows", |line| line.contains("0:supervisor"));
    assert!(!narrow.line().contains("running"), "{}", narrow.line());
    gate::open(&team, "open");
    gate::open(&team, "open.door");
    drop(narrow);
    wide.until("nothing any more", |line| {
        line.contains("$0.00 of $20") && !line.contains("running")
    });
    drop(wide);
    team.down();
}
