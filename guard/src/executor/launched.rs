//! A sandbox that was started and not yet greeted. It is started by whoever works in it, or by a
//! launcher, which then hands the pipes over and ends it with the conversation.

use super::greeting::hello;
use super::holder::ExecutorError;
use super::process::SandboxProcess;
use super::wire::Hello;
use crate::deadline::Deadline;
use crate::launcher::channel::{Answer, Line, Message};
use crate::sandbox::cgroup::{Group, Kills};
use crate::sandbox::profile::{self, Profile};
use crate::sandbox::spawn::{self, SpawnError};
use crate::sandbox::spec::{Kind, Owner, SandboxSpec};
use crate::sandbox::surroundings::{self, Surroundings, SurroundingsError};
use serde::{Deserialize, Serialize};
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

type Pipes = (ChildStdin, ChildStdout, ChildStderr);
type Parts = (Hello, Pipes, SandboxProcess, Option<Kills>);

/// What a launcher says of it, beside its three pipes.
#[derive(Serialize, Deserialize)]
pub struct Started {
    pid: i32,
    hello: Hello,
    kills: Option<Kills>,
}

/// A started sandbox. Dropping it kills everything inside.
#[derive(Debug)]
pub struct Launched(Option<Parts>);

impl Launched {
    /// Starts one for the process `holder`; a conversation that was `asked` for it is closed when it is
    /// gone. Blocks for some milliseconds.
    ///
    /// # Errors
    /// When this machine cannot make it, or the owner is nobody a sandbox may run as.
    pub fn of(
        spec: SandboxSpec,
        holder: u32,
        asked: Option<Line>,
    ) -> Result<Launched, ExecutorError> {
        let (spec, mut around, profile) = look(spec)?;
        around.holder = holder;
        check_owner(spec.owner, &around)?;
        let mut hello = hello(&spec, &around);
        let group = Group::of(&spec.limits);
        let (mut child, rules) = spawn::spawn(&spec, &around, &profile, group.as_ref())?;
        hello.landlock = rules;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let kills = group.as_ref().map(Group::kills);
        let process = SandboxProcess::watch(child, group, asked).map_err(SpawnError::Io)?;
        match pipes {
            (Some(stdin), Some(stdout), Some(stderr)) => {
                let parts = (hello, (stdin, stdout, stderr), process, kills);
                Ok(Launched(Some(parts)))
            }
            _ => {
                process.kill();
                Err(ExecutorError::NotReady("it has no pipes".to_owned()))
            }
        }
    }

    /// Takes over one that the launcher started: what it said, and the conversation it lives as long as.
    ///
    /// # Errors
    /// When that is no sandbox.
    pub fn by_launcher(message: Message, line: Line) -> io::Result<Launched> {
        let said: Answer<Started> = message.said()?;
        let Started { pid, hello, kills } = said.done()?;
        let files: [_; 3] = message
            .files
            .try_into()
            .map_err(|_| io::Error::other("a sandbox came without its pipes"))?;
        let [stdin, stdout, stderr] = files;
        let pipes = (stdin.into(), stdout.into(), stderr.into());
        let process = SandboxProcess::of_launcher(pid, line)?;
        Ok(Launched(Some((hello, pipes, process, kills))))
    }

    /// In the launcher: hands it over in the conversation that asked for it, and ends it when that ends.
    /// Comes back when it does.
    ///
    /// # Errors
    /// When the agent is gone.
    pub fn hand_over(self, line: &Line) -> io::Result<()> {
        let (hello, pipes, process, kills) = self
            .taken()
            .map_err(|error| io::Error::other(error.to_string()))?;
        // A test leaves this guarantee out and must see it missing.
        let stays = hello.limits.faults.orphaned_child();
        let started = Started {
            pid: process.id(),
            hello,
            kills,
        };
        let files = [
            pipes.0.as_raw_fd(),
            pipes.1.as_raw_fd(),
            pipes.2.as_raw_fd(),
        ];
        let sent = line.send(&Answer::Done(started), b"", &files);
        drop(pipes);
        let asked = sent.is_err() || line.ended();
        if asked || !stays {
            process.kill();
        }
        sent
    }

    /// Moves the deadline it will be greeted with: to be started takes a while, and longer on a busy machine.
    pub fn extend(&mut self, until: Deadline) {
        if let Some((hello, ..)) = &mut self.0 {
            hello.deadline = hello.deadline.max(until);
        }
    }

    pub(super) fn taken(mut self) -> Result<Parts, ExecutorError> {
        self.0.take().ok_or(ExecutorError::Gone)
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if let Some((_, _, process, _)) = &self.0 {
            process.kill();
        }
    }
}

fn look(mut spec: SandboxSpec) -> Result<(SandboxSpec, Surroundings, Profile), SurroundingsError> {
    let around = surroundings::look()?;
    let profile = match spec.toolchains && matches!(spec.kind, Kind::Workspace { .. }) {
        true => profile::detect(&spec.home),
        false => Profile::default(),
    };
    if let Kind::Workspace { work, fixed, .. } = &mut spec.kind {
        // A link would be followed on the host, where it leads elsewhere.
        let real = |name: &PathBuf| {
            let meta = std::fs::symlink_metadata(work.join(name));
            meta.is_ok_and(|meta| meta.is_file() || meta.is_dir())
        };
        fixed.retain(real);
    }
    if let Kind::Scan(view) = spec.kind {
        spec.kind = Kind::Scan(view.on_this_host());
    }
    Ok((spec, around, profile))
}

fn check_owner(owner: Owner, around: &Surroundings) -> Result<(), ExecutorError> {
    let refuse = |why| {
        Err(ExecutorError::Owner {
            uid: owner.uid,
            why,
        })
    };
    if owner.uid == 0 || owner.gid == 0 {
        return refuse("nothing in a sandbox is root; use the service user");
    }
    if !around.root && nix::unistd::geteuid().as_raw() != owner.uid {
        return refuse("only root can make a sandbox for another user");
    }
    Ok(())
}
