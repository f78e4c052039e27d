//! Runs the commands of `layout` on the right tmux server: the user's own for the default home,
//! a private one at `run/tmux.sock` for any other. Calls block for a few milliseconds.

use super::layout::{self, Seen, Window, Words};
use config::home::Home;
use std::io;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use tmux_interface::{Tmux, TmuxCommand};

/// Oldest tmux that understands everything `layout` says.
const OLDEST: (u32, u32) = (3, 2);

/// Why tmux could not do it.
#[derive(Debug, thiserror::Error)]
pub enum TmuxError {
    /// There is no tmux.
    #[error("tmux is not installed: apt-get install tmux, or start the team with --no-tmux")]
    Missing,
    /// It is too old.
    #[error("tmux {found} is too old: 3.2 or newer is needed, or start the team with --no-tmux")]
    TooOld {
        /// Version as tmux says it.
        found: String,
    },
    /// A session of that name belongs to somebody else.
    #[error("{}", not_ours(session, other))]
    NotOurs {
        /// The session's name.
        session: String,
        /// The home that made it; empty when no home did.
        other: String,
    },
    /// tmux refused a command.
    #[error("tmux would not do it ({command}): {said}")]
    Refused {
        /// The first command of the sequence.
        command: String,
        /// What tmux wrote to standard error.
        said: String,
    },
    /// tmux could not be run.
    #[error("tmux could not be run: {0}")]
    Io(#[from] io::Error),
}

fn not_ours(session: &str, other: &str) -> String {
    let who = if other.is_empty() {
        "was not made by ai-infra".to_owned()
    } else {
        format!("belongs to the team of {other}")
    };
    format!(
        "a tmux session named {session} exists and {who}: rename it (tmux rename-session -t {session} NAME), set tmux.session to another name, or start with --no-tmux"
    )
}

/// Our session on its server.
#[derive(Debug, Clone)]
pub struct Session {
    name: String,
    socket: Option<PathBuf>,
    home: PathBuf,
    environment: Vec<(String, String)>,
}

impl Session {
    /// The session of a home. `environment` is all that tmux itself is started with.
    pub fn new(home: &Home, name: &str, environment: Vec<(String, String)>) -> Self {
        Self {
            name: layout::session_name(name),
            socket: (!home.is_default()).then(|| home.tmux_sock()),
            home: home.root.clone(),
            environment,
        }
    }

    /// The program and arguments that attach a terminal to it.
    pub fn attach_argv(&self) -> Vec<String> {
        let mut argv = vec!["tmux".to_owned()];
        if let Some(socket) = &self.socket {
            argv.extend(["-S".to_owned(), socket.to_string_lossy().into_owned()]);
        }
        argv.extend(["attach".to_owned(), "-t".to_owned(), self.name.clone()]);
        argv
    }

    /// The same as a line for a shell.
    pub fn attach_command(&self) -> String {
        let words: Vec<String> = self.attach_argv().iter().map(|w| shell_word(w)).collect();
        words.join(" ")
    }

    /// What stands there now.
    pub fn observe(&self) -> Result<Seen, TmuxError> {
        let output = self.output(&layout::list(&self.name))?;
        if !output.status.success() {
            return Ok(Seen::Nothing);
        }
        let printed = String::from_utf8_lossy(&output.stdout);
        Ok(layout::read(&printed, &self.home))
    }

    /// Refuses with a clear sentence when tmux is missing, too old, or the name is taken.
    pub fn check(&self) -> Result<(), TmuxError> {
        installed()?;
        match self.observe()? {
            Seen::NotOurs(other) => Err(self.taken(other)),
            _ => Ok(()),
        }
    }

    fn taken(&self, other: String) -> TmuxError {
        TmuxError::NotOurs {
            session: self.name.clone(),
            other,
        }
    }

    /// Makes the session with all its windows.
    pub fn create(&self, windows: &[Window]) -> Result<(), TmuxError> {
        let Some((first, rest)) = windows.split_first() else {
            return Ok(());
        };
        self.run(&layout::create(&self.name, &self.home, first))?;
        let others: Vec<Words> = rest
            .iter()
            .flat_map(|window| layout::add(&self.name, window))
            .collect();
        match others.is_empty() {
            true => Ok(()),
            false => self.run(&others),
        }
    }

    /// Adds one window; at the next free index when a person has put a window at ours.
    pub fn add(&self, window: &Window) -> Result<(), TmuxError> {
        let first = self.run(&layout::add(&self.name, window));
        let Err(TmuxError::Refused { said, .. }) = &first else {
            return first;
        };
        if !said.contains("index") {
            return first;
        }
        (window.index + 1..window.index + 100)
            .find(|index| {
                let moved = Window {
                    index: *index,
                    ..window.clone()
                };
                self.run(&layout::add(&self.name, &moved)).is_ok()
            })
            .map_or(first, |_| Ok(()))
    }

    /// Starts a window's program again.
    pub fn respawn(&self, pane_id: &str, argv: &[String]) -> Result<(), TmuxError> {
        self.run(&layout::respawn(pane_id, argv))
    }

    /// Says how the team stands at the right end of the status line; a session that is not ours is left
    /// alone.
    pub fn say(&self, words: &str) -> Result<(), TmuxError> {
        match self.observe()? {
            Seen::Ours(_) => self.run(&layout::stand(&self.name, words)),
            Seen::NotOurs(other) => Err(self.taken(other)),
            Seen::Nothing => Err(TmuxError::Refused {
                command: "set-option".to_owned(),
                said: "there is no session".to_owned(),
            }),
        }
    }

    /// Ends our session; a private server ends with it and leaves no socket. Fine when there is
    /// none; a session that is not ours is left alone.
    pub fn kill(&self) -> Result<(), TmuxError> {
        if let Seen::Ours(_) = self.observe()? {
            self.run(&layout::kill(&self.name))?;
        }
        if let Some(socket) = &self.socket
            && socket.exists()
        {
            // A private server may hold sessions that the user's own tmux.conf makes.
            let _gone_already = self.output(&[vec!["kill-server".to_owned()]])?;
            match std::fs::remove_file(socket) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn run(&self, commands: &[Words]) -> Result<(), TmuxError> {
        let output = self.output(commands)?;
        if output.status.success() {
            return Ok(());
        }
        Err(TmuxError::Refused {
            command: commands
                .first()
                .and_then(|words| words.first())
                .cloned()
                .unwrap_or_default(),
            said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }

    fn output(&self, commands: &[Words]) -> Result<Output, TmuxError> {
        let socket = self.socket.as_ref().map(|path| path.to_string_lossy());
        let mut tmux = Tmux::new();
        if let Some(socket) = socket {
            tmux = tmux.socket_path(socket);
        }
        for words in commands {
            tmux = tmux.add_command(command(words));
        }
        let mut command: Command = tmux.into_command();
        command
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command.output().map_err(missing)
    }
}

/// A word as a shell reads it back.
pub fn shell_word(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

fn command(words: &[String]) -> TmuxCommand<'_> {
    let mut command = TmuxCommand::new();
    for (at, word) in words.iter().enumerate() {
        if at == 0 {
            command.name(word.as_str());
        } else {
            command.push_param(word.as_str());
        }
    }
    command
}

fn missing(error: io::Error) -> TmuxError {
    if error.kind() == io::ErrorKind::NotFound {
        TmuxError::Missing
    } else {
        TmuxError::Io(error)
    }
}

/// The installed tmux's version, such as `3.3a`.
pub fn installed() -> Result<String, TmuxError> {
    let mut command = Command::from(Tmux::new().version().build());
    let output = command.stdin(Stdio::null()).output().map_err(missing)?;
    let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let found = said.strip_prefix("tmux ").unwrap_or(&said).to_owned();
    match version(&found) {
        Some(version) if version < OLDEST => Err(TmuxError::TooOld { found }),
        _ => Ok(found),
    }
}

/// Major and minor of `3.3a`, `next-3.5`; `None` for anything else (such as `master`).
fn version(text: &str) -> Option<(u32, u32)> {
    let text = text.strip_prefix("next-").unwrap_or(text);
    let (major, minor) = text.split_once('.')?;
    let digits: String = minor.chars().take_while(char::is_ascii_digit).collect();
    Some((major.parse().ok()?, digits.parse().ok()?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn versions_are_read() {
        for (text, expected) in [
            ("3.3a", Some((3, 3))),
            ("next-3.5", Some((3, 5))),
            ("2.9", Some((2, 9))),
            ("master", None),
            ("", None),
        ] {
            assert_eq!(version(text), expected, "{text}");
        }
    }

    #[test]
    fn the_attach_command_can_be_pasted() {
        for (home, expected) in [
            ("/h", "tmux -S /h/run/tmux.sock attach -t ai"),
            ("/my home", "tmux -S '/my home/run/tmux.sock' attach -t ai"),
            ("/it's", "tmux -S '/it'\\''s/run/tmux.sock' attach -t ai"),
        ] {
            let session = Session::new(&Home::at(home), "ai", Vec::new());
            assert_eq!(session.attach_command(), expected);
        }
    }

    #[test]
    fn a_foreign_session_is_refused_in_a_sentence() {
        assert!(
            not_ours("ai", "").starts_with("a tmux session named ai exists and was not made by")
        );
        assert!(not_ours("ai", "/h").contains("belongs to the team of /h"));
    }
}
