//! The programs that are started, by fixed paths, with a fixed environment, bounded in time and words. The
//! one place of this room that starts any.

use crate::{Refused, halt};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use protocol::text::safe;
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
    started(program, args, env, patience, Stdio::null(), true).await
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
    started(program, args, env, patience, input, true).await
}

/// The same for what is worse when it is stopped in the middle than when it ends.
///
/// # Errors
/// As [`run`], but it is not stopped once it was started.
pub async fn run_whole(
    program: Program,
    args: &[&str],
    env: &[(&str, &str)],
    patience: Duration,
) -> Result<Ran, Refused> {
    halt::check()?;
    started(program, args, env, patience, Stdio::null(), false).await
}

async fn started(
    program: Program,
    args: &[&str],
    env: &[(&str, &str)],
    patience: Duration,
    input: Stdio,
    stops: bool,
) -> Result<Ran, Refused> {
    let path = program.path()?;
    let name = path.display();
    let mut child = Command::new(path)
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
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("{name} cannot be started: {error}"))?;
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
    let (out, complained, status) = tokio::select! {
        ended = &mut all => ended,
        () = tokio::time::sleep(patience) => {
            told(Signal::SIGKILL);
            let seconds = patience.as_secs();
            return Err(format!("{name} did not end within {seconds} s and was ended").into());
        }
        _ = halt::wait(), if stops => {
            told(Signal::SIGTERM);
            let _cleaned_up = tokio::time::timeout(TIDY, &mut all).await;
            told(Signal::SIGKILL);
            return Err(halt::stopped());
        }
    };
    let status = status.map_err(|error| format!("{name} cannot be waited for: {error}"))?;
    Ok(Ran {
        good: status.success(),
        out,
        complained: safe(&complained),
    })
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
