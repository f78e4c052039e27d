//! A sandbox that was started and not yet greeted. It is started by whoever works in it, or by a
//! launcher, which then hands the pipes over and ends it with the conversation.

use super::greeting::hello;
use super::holder::ExecutorError;
use super::places;
use super::process::SandboxProcess;
use super::wire::{self, Hello};
use crate::deadline::Deadline;
use crate::launcher::channel::{Answer, Line, Message};
use crate::outside::Reach;
use crate::sandbox::cgroup::{Group, Kills};
use crate::sandbox::profile::{self, Profile};
use crate::sandbox::spawn::{self, SpawnError};
use crate::sandbox::spec::{Kind, Owner, SandboxSpec};
use crate::sandbox::surroundings::{self, Surroundings};
use nix::fcntl::{FcntlArg, fcntl};
use protocol::walls::Wall;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::os::fd::AsRawFd;
use std::process::{ChildStderr, ChildStdin, ChildStdout};

type Pipes = (ChildStdin, ChildStdout, ChildStderr);

/// Parts of one that was started and told what it is for.
#[derive(Debug)]
pub(super) struct Parts {
    /// Whatever is done in it is taken back.
    pub trial: bool,
    /// Until when it may live, so far.
    pub until: Deadline,
    pub pipes: Pipes,
    pub process: SandboxProcess,
    pub kills: Option<Kills>,
    /// A test leaves out that it ends with its holder.
    orphaned: bool,
}

/// What a launcher says of it, beside its three pipes.
#[derive(Serialize, Deserialize)]
pub struct Started {
    pid: i32,
    trial: bool,
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
        let tree = places::hold(&spec.kind).map_err(SpawnError::Io)?;
        let (spec, mut around, profile) = look(spec)?;
        around.holder = holder;
        check_owner(spec.owner, &around)?;
        let mut hello = hello(&spec, &around);
        let group = Group::of(&spec.limits);
        let (mut child, rules) = spawn::spawn(&spec, &around, &profile, group.as_ref())?;
        hello.landlock = rules;
        let pipes = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let kills = group.as_ref().map(Group::kills);
        let process = SandboxProcess::watch(child, group, tree, asked).map_err(SpawnError::Io)?;
        match pipes {
            (Some(mut stdin), Some(stdout), Some(stderr)) => {
                if let Err(error) = tell(&mut stdin, &hello) {
                    process.kill();
                    return Err(SpawnError::Io(error).into());
                }
                Ok(Launched(Some(Parts {
                    trial: is_trial(&hello),
                    until: spec.deadline,
                    pipes: (stdin, stdout, stderr),
                    process,
                    kills,
                    orphaned: hello.limits.faults.orphaned_child(),
                })))
            }
            _ => {
                process.kill();
                Err(ExecutorError::NotReady("it has no pipes".to_owned()))
            }
        }
    }

    /// Takes over one that the launcher started and told what it is for: what it said, and the conversation it lives as
    /// long as. It waits to be told until when.
    ///
    /// # Errors
    /// When that is no sandbox.
    pub fn by_launcher(message: Message, line: Line) -> io::Result<Launched> {
        let said: Answer<Started> = message.said()?;
        let Started { pid, trial, kills } = said.done()?;
        let files: [_; 3] = message
            .files
            .try_into()
            .map_err(|_| io::Error::other("a sandbox came without its pipes"))?;
        let [stdin, stdout, stderr] = files;
        let pipes = (stdin.into(), stdout.into(), stderr.into());
        let process = SandboxProcess::of_launcher(pid, line)?;
        Ok(Launched(Some(Parts {
            trial,
            until: Deadline::now(),
            pipes,
            process,
            kills,
            orphaned: false,
        })))
    }

    /// In the launcher: hands it over in the conversation that asked for it, and ends it when that ends.
    /// Comes back when it does.
    ///
    /// # Errors
    /// When the agent is gone.
    pub fn hand_over(self, line: &Line) -> io::Result<()> {
        let parts = self
            .taken()
            .map_err(|error| io::Error::other(error.to_string()))?;
        let Parts { process, pipes, .. } = parts;
        let started = Started {
            pid: process.id(),
            trial: parts.trial,
            kills: parts.kills,
        };
        let files = [
            pipes.0.as_raw_fd(),
            pipes.1.as_raw_fd(),
            pipes.2.as_raw_fd(),
        ];
        let sent = line.send(&Answer::Done(started), b"", &files);
        drop(pipes);
        let asked = sent.is_err() || line.ended();
        if asked || !parts.orphaned {
            process.kill();
        }
        sent
    }

    /// Moves the deadline that it will be told: to be started takes a while, and longer on a busy machine.
    pub fn extend(&mut self, until: Deadline) {
        if let Some(parts) = &mut self.0 {
            parts.until = parts.until.max(until);
        }
    }

    pub(super) fn taken(mut self) -> Result<Parts, ExecutorError> {
        self.0.take().ok_or(ExecutorError::Gone)
    }
}

impl Drop for Launched {
    fn drop(&mut self) {
        if let Some(parts) = &self.0 {
            parts.process.kill();
        }
    }
}

/// Says what it is for, before anybody else can: whoever is handed the pipes afterwards is believed in nothing of it.
/// The whole of it waits in the pipe, so nobody is waited for.
fn tell(stdin: &mut ChildStdin, hello: &Hello) -> io::Result<()> {
    let frame = wire::encode(hello)?;
    let length = i32::try_from(frame.len()).map_err(io::Error::other)?;
    if fcntl(&*stdin, FcntlArg::F_GETPIPE_SZ)? < length {
        fcntl(&*stdin, FcntlArg::F_SETPIPE_SZ(length))?;
    }
    match stdin.write_all(&frame) {
        // It has ended already: whoever listens to it hears why.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        told => told,
    }
}

fn is_trial(hello: &Hello) -> bool {
    matches!(&hello.reach, Some(Reach::Database { bound, .. }) if bound.trial)
}

fn look(mut spec: SandboxSpec) -> Result<(SandboxSpec, Surroundings, Profile), ExecutorError> {
    let around = surroundings::look()?;
    let profile = match spec.toolchains && matches!(spec.kind, Kind::Workspace { .. }) {
        true => profile::detect(&spec.home),
        false => Profile::default(),
    };
    if spec.limits.faults.stands(Wall::MountPoints) {
        places::leave_out_moved(&mut spec.kind).map_err(SpawnError::Io)?;
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
