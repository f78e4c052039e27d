//! What `up` does: start a daemon, unless one runs, and wait until the team is ready. Any number of
//! these may run at once; the daemon's lock lets one daemon stay and all of them wait for it.

use super::process::own_exe;
use super::unit::Unit;
use crate::client::{self, ClientError};
use config::env::Env;
use config::error::ConfigError;
use config::home::Home;
use protocol::control::{Answer, Verb};
use protocol::document::TeamStatus;
use std::fs::File;
use std::io::{self, Read, Seek};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tokio::time::sleep;

const LOOK: Duration = Duration::from_millis(8);
/// Pause before another try when the lock was taken.
const AGAIN: Duration = Duration::from_millis(150);
/// How often a unit may end at once before that is said.
const OVERS: u32 = 3;
/// Most that is shown of what a daemon said before it ended, in bytes.
const SAID_BYTES: u64 = 16 * 1024;

/// A team that is up.
#[derive(Debug, Clone)]
pub struct Started {
    /// It was up before.
    pub already: bool,
    /// How it is.
    pub status: TeamStatus,
    /// How long it took.
    pub took: Duration,
}

/// Why the team is not up.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The home cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The daemon ended; it has said why.
    #[error("{said}")]
    Ended {
        /// Its exit code.
        exit: u8,
        /// What it wrote.
        said: String,
    },
    /// It runs, but not all of it.
    #[error("the team is not ready after {} s: {}", .after.as_secs(), .missing.join(", "))]
    NotReady {
        /// How long it was waited.
        after: Duration,
        /// Which processes, and how they stand.
        missing: Vec<String>,
        /// Sentences about what is wrong.
        problems: Vec<String>,
    },
    /// The daemon cannot be run.
    #[error("the daemon cannot be started: {0}")]
    Io(#[from] io::Error),
}

impl StartError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            StartError::Config(error) => error.exit_code(),
            StartError::Ended { exit, .. } => *exit,
            StartError::NotReady { .. } => protocol::exit::SERVICE,
            StartError::Io(_) => protocol::exit::FAILED,
        }
    }

    /// Lines to print below the sentence.
    pub fn hints(&self) -> &[String] {
        match self {
            StartError::NotReady { problems, .. } => problems,
            _ => &[],
        }
    }
}

/// Brings the team up and waits until it is ready, at most `patience`. Where systemd keeps this home,
/// it is asked; else the daemon inherits this process' environment: settings may stand in it.
pub async fn up(
    home: &Home,
    env: &Env,
    no_tmux: bool,
    patience: Duration,
) -> Result<Started, StartError> {
    home.ensure()?;
    let began = Instant::now();
    // Without windows is a person's wish of this moment; the unit does not know it.
    let unit = match no_tmux {
        true => None,
        false => Unit::of(&home.root, env),
    };
    let mut daemon: Option<Launched> = None;
    let mut overs = 0;
    let mut asked = false;
    let mut last = TeamStatus::default();
    loop {
        match status(home).await {
            Ok(status) if status.state == "up" => {
                return Ok(Started {
                    already: !asked,
                    took: began.elapsed(),
                    status,
                });
            }
            Ok(status) => {
                let hopeless = status.processes.iter().any(|p| p.state == "crash loop");
                last = status;
                if hopeless {
                    return Err(not_ready(began.elapsed(), &last));
                }
            }
            Err(_) => match daemon.as_mut().map(Launched::ended).transpose()? {
                None => daemon = Some(launch(home, no_tmux, unit)?),
                Some(Some((0, _))) if let Some(unit) = unit => {
                    sleep(AGAIN).await;
                    if unit.is_over()? && status(home).await.is_err() {
                        // A daemon that was just ending had not ended yet for systemd, which then
                        // had nothing to start.
                        overs += 1;
                        if overs >= OVERS {
                            return Err(StartError::Ended {
                                exit: protocol::exit::FAILED,
                                said: unit.told_in(),
                            });
                        }
                        daemon = None;
                    }
                }
                // Another daemon holds the lock: it comes up, or it goes and makes room.
                Some(Some((0, _))) => {
                    sleep(AGAIN).await;
                    daemon = None;
                }
                Some(Some((exit, said))) => return Err(StartError::Ended { exit, said }),
                Some(None) => {}
            },
        }
        asked = true;
        if began.elapsed() > patience {
            return Err(not_ready(began.elapsed(), &last));
        }
        sleep(LOOK).await;
    }
}

/// How the daemon says the team is.
pub async fn status(home: &Home) -> Result<TeamStatus, ClientError> {
    match client::ask_daemon(home, Verb::Status).await? {
        Answer::Status { status } => Ok(*status),
        _ => Err(ClientError::Strange { who: "daemon" }),
    }
}

fn not_ready(after: Duration, status: &TeamStatus) -> StartError {
    let mut missing: Vec<String> = status
        .processes
        .iter()
        .filter(|process| process.state != "up")
        .map(|process| format!("{} ({})", process.name, process.state))
        .collect();
    if missing.is_empty() {
        missing.push("the daemon does not answer".to_owned());
    }
    let mut problems = status.problems.clone();
    problems
        .push("see: ai-infra status · ai-infra doctor · the logs folder of the home".to_owned());
    StartError::NotReady {
        after,
        missing,
        problems,
    }
}

struct Launched {
    child: Child,
    said: File,
}

impl Launched {
    /// Exit code and last words, once it has ended.
    fn ended(&mut self) -> io::Result<Option<(u8, String)>> {
        let Some(status) = self.child.try_wait()? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        self.said.rewind()?;
        (&self.said).take(SAID_BYTES).read_to_end(&mut bytes)?;
        let text = String::from_utf8_lossy(&bytes);
        let said = text.trim().strip_prefix("error: ").unwrap_or(text.trim());
        let said = match said.is_empty() {
            true => format!("the daemon ended at once ({status})"),
            false => said.to_owned(),
        };
        let exit = status.code().and_then(|code| u8::try_from(code).ok());
        Ok(Some((exit.unwrap_or(protocol::exit::FAILED), said)))
    }
}

fn launch(home: &Home, no_tmux: bool, unit: Option<Unit>) -> io::Result<Launched> {
    let said = tempfile::tempfile()?;
    let mut command = match unit {
        Some(unit) => unit.start(),
        None => {
            let mut command = Command::new(own_exe()?);
            command.arg("--home").arg(&home.root).arg("daemon");
            if no_tmux {
                command.arg("--no-tmux");
            }
            command
        }
    };
    let child = command
        .current_dir(&home.root)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said.try_clone()?)
        .spawn()?;
    Ok(Launched { child, said })
}
