//! The programs that are started, by fixed paths, with a fixed environment, bounded in time and words. The
//! one place of this room that starts any.

use crate::{Refused, begun, halt};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use protocol::text::safe;
use std::fs::File;
use std::io::{Read, Seek};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;

/// Most bytes read of what a program says on each of its two ways out.
const SAID: u64 = 1024 * 1024;

/// How long a program that is stopped has to put its things away.
const TIDY: Duration = Duration::from_millis(400);

/// A program that may be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// systemd's.
    Systemctl,
    /// The web server.
    Nginx,
    /// Packages.
    AptGet,
    /// What is known of them.
    AptCache,
    /// Signatures.
    SshKeygen,
    /// Certificates.
    Certbot,
    /// Whatever a test has in mind.
    #[cfg(test)]
    Shell,
}

/// What ends a program that does not end by itself, and what its start means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// The word to stop ends it, and its time.
    Told,
    /// The same, and what it does is begun by its start.
    Verb,
    /// Its time alone.
    Late,
    /// Nothing: when its time is over nobody waits for it any more. What it does is begun by its start.
    Uncut,
}

impl Program {
    fn names(self) -> (&'static [&'static str], &'static str) {
        match self {
            Program::Systemctl => (&["/usr/bin/systemctl", "/bin/systemctl"], "systemd"),
            Program::Nginx => (
                &["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"],
                "nginx",
            ),
            Program::AptGet => (&["/usr/bin/apt-get"], "apt"),
            Program::AptCache => (&["/usr/bin/apt-cache"], "apt"),
            Program::SshKeygen => (&["/usr/bin/ssh-keygen"], "openssh-client"),
            Program::Certbot => (&["/usr/bin/certbot", "/usr/local/bin/certbot"], "certbot"),
            #[cfg(test)]
            Program::Shell => (&["/bin/sh"], "dash"),
        }
    }

    /// Where it is.
    ///
    /// # Errors
    /// A sentence, where it is not installed.
    pub fn path(self) -> Result<&'static Path, Refused> {
        let (paths, package) = self.names();
        let found = paths.iter().map(Path::new).find(|path| path.exists());
        found.ok_or_else(|| format!("{package} is not installed on this host").into())
    }
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// It ended by itself and said that all is well.
    pub good: bool,
    /// What it said.
    pub out: String,
    /// What it complained of, tamed.
    pub complained: String,
}

impl Ran {
    /// What it complained of, in a line.
    pub fn why(&self) -> String {
        let text = match self.complained.trim().is_empty() {
            true => &self.out,
            false => &self.complained,
        };
        protocol::text::one_line(text, 600)
    }
}

/// Runs one to its end, or until this process is told to stop.
///
/// # Errors
/// A sentence, where it is not there, cannot be started, does not end in time or was stopped.
pub async fn run(
    program: Program,
    args: &[&str],
    env: &[(&str, &str)],
    patience: Duration,
) -> Result<Ran, Refused> {
    halt::check()?;
    started(program, args, env, patience, Stdio::null(), Way::Told).await
}

/// The same with something on its standard input.
///
/// # Errors
/// As [`run`].
pub async fn run_on(
    program: Program,
    args: &[&str],
    env: &[(&str, &str)],
    patience: Duration,
    input: Stdio,
) -> Result<Ran, Refused> {
    halt::check()?;
    started(program, args, env, patience, input, Way::Told).await
}

/// The same for what changes the host by being started: from then on it is begun.
///
/// # Errors
/// As [`run`].
pub async fn run_verb(
    program: Program,
    args: &[&str],
    env: &[(&str, &str)],
    patience: Duration,
) -> Result<Ran, Refused> {
    halt::check()?;
    let ran = started(program, args, env, patience, Stdio::null(), Way::Verb);
    ran.await
}

/// The same for what is worse when it is stopped in the middle than when it ends.
///
/// # Errors
/// As [`run`], but the word to stop does not end it once it was started.
pub async fn run_whole(
    program: Program,
    args: &[&str],
    env: &[(&str, &str)],
    patience: Duration,
) -> Result<Ran, Refused> {
    halt::check()?;
    started(program, args, env, patience, Stdio::null(), Way::Late).await
}

/// The same for what nobody may cut off at all, and what changes the host by being started. What it says goes to files, so
/// that it goes on when this process is gone.
///
/// # Errors
/// As [`run`]. Where it does not end in time it goes on.
pub async fn run_uncut(
    program: Program,
    args: &[&str],
    env: &[(&str, &str)],
    patience: Duration,
) -> Result<Ran, Refused> {
    halt::check()?;
    let ran = started(program, args, env, patience, Stdio::null(), Way::Uncut);
    ran.await
}

async fn started(
    program: Program,
    args: &[&str],
    env: &[(&str, &str)],
    patience: Duration,
    input: Stdio,
    way: Way,
) -> Result<Ran, Refused> {
    let path = program.path()?;
    let name = path.display();
    let failed = |error: std::io::Error| format!("{name} cannot be started: {error}");
    let mut command = Command::new(path);
    command
        .args(args)
        .env_clear()
        .env(
            "PATH",
            "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        .env("LC_ALL", "C")
        .envs(env.iter().copied())
        .current_dir("/")
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(way != Way::Uncut);
    let mut files = None;
    if way == Way::Uncut {
        let (out, complaints) = (file().map_err(failed)?, file().map_err(failed)?);
        command.stdout(out.try_clone().map_err(failed)?);
        command.stderr(complaints.try_clone().map_err(failed)?);
        files = Some((out, complaints));
    }
    let mut child = command.spawn().map_err(failed)?;
    if matches!(way, Way::Verb | Way::Uncut) {
        begun::mark();
    }
    let group = child.id();
    let (out, complaints) = (child.stdout.take(), child.stderr.take());
    let all = async {
        let (out, complained) = tokio::join!(read(out), read(complaints));
        (out, complained, child.wait().await)
    };
    let mut all = std::pin::pin!(all);
    let told = |signal| {
        if let Some(group) = group {
            let _may_be_gone = killpg(Pid::from_raw(group.cast_signed()), signal);
        }
    };
    let (mut out, mut complained, status) = tokio::select! {
        ended = &mut all => ended,
        () = tokio::time::sleep(patience) => {
            let seconds = patience.as_secs();
            let then = match way {
                Way::Uncut => {
                    begun::goes_on();
                    "goes on: nobody cuts it off"
                }
                Way::Told | Way::Verb | Way::Late => {
                    told(Signal::SIGKILL);
                    "was ended"
                }
            };
            return Err(format!("{name} did not end within {seconds} s and {then}").into());
        }
        _ = halt::wait(), if matches!(way, Way::Told | Way::Verb) => {
            told(Signal::SIGTERM);
            let _cleaned_up = tokio::time::timeout(TIDY, &mut all).await;
            told(Signal::SIGKILL);
            return Err(halt::stopped());
        }
    };
    let status = status.map_err(|error| format!("{name} cannot be waited for: {error}"))?;
    if let Some(files) = files {
        (out, complained) = (said(files.0), said(files.1));
    }
    Ok(Ran {
        good: status.success(),
        out,
        complained: safe(&complained),
    })
}

/// A file without a name, for what a program says.
fn file() -> std::io::Result<File> {
    tempfile::tempfile()
}

/// What was said into one.
fn said(mut file: File) -> String {
    let mut bytes = Vec::new();
    // What is read before an error is what there is.
    let _so_far = file
        .rewind()
        .and_then(|()| file.take(SAID).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn read(from: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut from) = from {
        // What is read before an error is what there is.
        let _so_far = (&mut from).take(SAID).read_to_end(&mut bytes).await;
        let mut rest = [0; 4096];
        while matches!(from.read(&mut rest).await, Ok(1..)) {}
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::alone;

    const SOON: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn a_verb_that_takes_too_long_is_begun() {
        let late = ["-c", "exec sleep 60"];
        let (ran, far) = begun::noted(run_verb(Program::Shell, &late, &[], SOON)).await;
        assert!(ran.unwrap_err().to_string().ends_with("and was ended") && far.begun);
        let (ran, far) = begun::noted(run(Program::Shell, &late, &[], SOON)).await;
        assert!(ran.is_err() && !far.begun);
    }

    #[tokio::test]
    async fn what_cannot_be_started_is_not_begun() {
        let zero = ["-c", "true\0"];
        let (ran, far) = begun::noted(run_verb(Program::Shell, &zero, &[], LONG)).await;
        assert!(ran.unwrap_err().to_string().contains("cannot be started") && !far.begun);
    }

    #[tokio::test]
    async fn what_nobody_cuts_off_goes_on_when_its_time_is_over_and_may_still_speak() {
        let folder = tempfile::tempdir().unwrap();
        let (go, done) = (folder.path().join("go"), folder.path().join("done"));
        let kept = folder.path().to_str().unwrap();
        let alone = alone::alone(kept, true).await.unwrap();
        let words = format!(
            "while [ ! -e {} ]; do sleep 0.02; done; echo said && echo complained >&2 && touch {}",
            go.display(),
            done.display()
        );
        let (ran, far) = begun::noted(run_uncut(Program::Shell, &["-c", &words], &[], SOON)).await;
        assert!(ran.unwrap_err().to_string().contains("goes on") && far.begun);
        alone::ended(alone, far.goes_on);
        let next = alone::alone(kept, true);
        assert!(tokio::time::timeout(SOON * 4, next).await.is_err());
        std::fs::write(go, "").unwrap();
        alone::alone(kept, true).await.unwrap();
        let waited = std::time::Instant::now();
        while !done.exists() {
            assert!(waited.elapsed() < LONG, "it was ended");
            tokio::time::sleep(SOON).await;
        }
    }

    #[tokio::test]
    async fn what_nobody_cuts_off_is_heard() {
        let words = ["-c", "echo out; echo wrong >&2; exit 3"];
        let ran = run_uncut(Program::Shell, &words, &[], LONG).await.unwrap();
        let expected = Ran {
            good: false,
            out: "out\n".to_owned(),
            complained: "wrong\n".to_owned(),
        };
        assert_eq!(ran, expected);
    }
}
