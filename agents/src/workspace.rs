//! The task's own copy of the workspace and the sandboxes that see it, as the launcher makes them.

use crate::connections::recorded;
use crate::disk::{Disk, File};
use crate::launcher::hatch::{Hatch, file};
use crate::launcher::wish::{ForAct, On, Wanted, Wish};
use crate::pulse::Hold;
use crate::steps::Steps;
use crate::stop::Stop;
use crate::tries::Tries;
use crate::way_out::WayOut;
use crate::witness::Witness;
use guard::act::Act;
use guard::clone::Clone as TaskClone;
use guard::deadline::Deadline;
use guard::executor::{Executor, ExecutorError, Launched};
use guard::launcher::channel::Answer;
use guard::proxy::holder::Proxy;
use nix::errno::Errno;
use protocol::approval::TicketId;
use protocol::ids::ShortId;
use protocol::journal::EntryKind;
use protocol::report::Artifact;
use protocol::trace::Trace;
use serde_json::json;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use warden::audit::line::Entry;

/// Everything needed to open a sandbox for one task.
pub struct Sandboxes {
    /// The disk of the home.
    pub disk: Disk,
    /// Makes clones and sandboxes.
    pub hatch: Hatch,
    /// The lease: executors die with it.
    pub hold: Hold,
    /// One copy at a time.
    pub copying: Arc<tokio::sync::Mutex<()>>,
    /// The project the task is about.
    pub project: Option<String>,
    /// A copy of the clone was built in since the clone was made fresh.
    pub copied: bool,
    /// The trace of the task.
    pub trace: Option<Trace>,
    /// The number of the task.
    pub task: ShortId,
    /// The clone, where the task has a workspace.
    pub clone: Option<TaskClone>,
    /// Whether the task writes and runs programs, by its level: the launcher shows it what it reads where it does not.
    pub writes: bool,
    /// Its way of work writes nothing in any case.
    pub reads_only: bool,
    /// Its programs may reach something: the launcher knows what.
    pub online: bool,
    /// Writes the record, of what programs reach too.
    pub witness: Arc<Witness>,
    /// The proxy of the task.
    pub way_out: WayOut,
    /// The folder of files that were handed in with the request, once they are laid out.
    pub attachments: Option<PathBuf>,
}

/// What the launcher answers to a copy that could not begin in time.
const TOO_LATE: i32 = Errno::ETIME as i32;

/// Under what an act is done that has a sandbox of its own.
pub struct Under {
    /// It is tried, and taken back.
    pub trial: bool,
    /// The ticket that was used up for it.
    pub ticket: Option<TicketId>,
    /// What the record says before it.
    pub entry: Entry,
}

fn not_opened(error: io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::PermissionDenied => Stop::Refuse(error.to_string()),
        _ => fail(error),
    }
}

fn fail(error: impl std::fmt::Display) -> Stop {
    Stop::Fail(error.to_string())
}

impl Sandboxes {
    /// The task's folder.
    pub fn folder(&self) -> PathBuf {
        self.disk.task(self.task)
    }

    /// The branch that is the task's own.
    pub fn branch(&self) -> String {
        protocol::branch::of_task(self.task)
    }

    /// Makes the clone, once. Whatever lies there without being in the journal is no clone of this
    /// run: it may hold effects that the journal has forgotten.
    pub async fn prepare(&mut self, steps: &mut Steps) -> Result<(), Stop> {
        const STEP: &str = "observe/clone";
        if let Some(clone) = steps.recorded::<TaskClone>(STEP)? {
            self.clone = Some(clone);
            return self.freshen().await;
        }
        // Whoever gave it out may have looked at another disk than this host's.
        let task = self.task;
        let check = Wish::Check { task };
        let (workspace, _) = self
            .hatch
            .ask::<PathBuf>(&check, b"")
            .map_err(|e| Stop::Refuse(e.to_string()))?;
        steps
            .intent(STEP, EntryKind::Intent, json!({"workspace": workspace}))
            .await?;
        let clone = self.copied(|until| Wish::Clone { task, until });
        let clone = clone.await?;
        steps.record(STEP, EntryKind::Result, &clone).await?;
        self.clone = Some(clone);
        self.freshen().await
    }

    /// Has something copied, alone: what copies cannot be cut off, and the next holder of the same task may
    /// be this process again.
    async fn copied(&self, wish: impl Fn(Deadline) -> Wish) -> Result<TaskClone, Stop> {
        loop {
            let alone = self.copying.clone().lock_owned().await;
            // Whoever copied before may have held the disk for long.
            let wish = wish(self.hold.surely().await?);
            let hatch = self.hatch.clone();
            let copy = tokio::spawn(async move {
                let _alone = alone;
                hatch.slowly(wish).await
            });
            let broke = |e| fail(format!("the copy of the workspace was not made: {e}"));
            match copy.await.map_err(broke)? {
                Ok(clone) => return Ok(clone),
                // Its turn came after the lease it was asked under: who holds the task may ask again.
                Err(late) if late.raw_os_error() == Some(TOO_LATE) => self.hold.still().await?,
                Err(error) => return Err(fail(error)),
            }
        }
    }

    /// Lets nothing that was built from other sources pass for built from the clone: caches
    /// outlive tasks, every clone is seen at the same path, and cargo judges by time alone.
    pub async fn freshen(&mut self) -> Result<(), Stop> {
        if self.clone.is_none() {
            return Ok(());
        }
        self.copied = false;
        let task = self.task;
        self.hatch
            .slowly(Wish::Freshen { task })
            .await
            .map_err(fail)
    }

    /// A throwaway copy of the clone as it is now, for checks.
    pub async fn copy(&mut self) -> Result<Option<TaskClone>, Stop> {
        if self.clone.is_none() {
            return Ok(None);
        }
        self.copied = true;
        let task = self.task;
        let copy = self.copied(|until| Wish::Copy { task, until });
        copy.await.map(Some)
    }

    /// Opens a sandbox: on the given clone, else on the host's facts alone.
    pub async fn open(&self, on: Option<&TaskClone>) -> Result<Executor, Stop> {
        let Some(clone) = on else {
            return self.start(On::Host).await;
        };
        let own = self
            .clone
            .as_ref()
            .is_some_and(|own| own.work == clone.work);
        let writable = self.writes && !self.reads_only;
        let proxy = match writable && self.online {
            true => Some(self.way_out().await?),
            false => None,
        };
        let online = proxy.is_some();
        let executor = self
            .start(match own {
                true => On::Clone { writable, online },
                false => On::Copy { writable, online },
            })
            .await?;
        if let Some(proxy) = proxy {
            let ready = proxy.ready().await;
            ready.map_err(|why| {
                Stop::Fail(format!(
                    "the proxy of the task does not serve: {why}; try it again with `ai-infra task retry {}`",
                    self.task
                ))
            })?;
        }
        Ok(executor)
    }

    /// The proxy of the task. It gets ready beside the sandbox.
    async fn way_out(&self) -> Result<Arc<Proxy>, Stop> {
        let opened = self.way_out.open(async || self.proxy_started().await).await;
        opened.map_err(|e| Stop::Fail(format!("the proxy of the task cannot be started: {e}")))
    }

    async fn proxy_started(&self) -> io::Result<Proxy> {
        let (hatch, task) = (self.hatch.clone(), self.task);
        let asked = move || hatch.apart(&Wish::WayOut { task });
        let asked = tokio::task::spawn_blocking(asked).await;
        let (message, line) = asked.map_err(io::Error::other)??;
        let socket = message.said::<Answer<PathBuf>>()?.done()?;
        let control = UnixStream::from(file(message)?);
        let record = Some(recorded(self.witness.clone()));
        Proxy::of_launcher(line, socket, control, self.hold.pace(), record)
    }

    /// Opens a sandbox for one act that looks at the host or reaches outside, done in it once: it sees what that needs
    /// and nothing else of the clone or the home. [`Stop::Refuse`] where the launcher does not allow it, or the record
    /// does not take the line before it.
    pub async fn open_for(&self, act: &Act, under: Under) -> Result<Executor, Stop> {
        let Under {
            trial,
            ticket,
            entry,
        } = under;
        self.start(On::Act(Box::new(ForAct {
            operation: act.operation.clone(),
            files: self.clone.is_some(),
            trial,
            ticket,
            entry,
        })))
        .await
    }

    /// Starts a sandbox. One that ended before it was ready is started again: somebody killed it,
    /// or this process stood still meanwhile.
    async fn start(&self, on: On) -> Result<Executor, Stop> {
        let mut tries = Tries::default();
        loop {
            let wanted = Wanted {
                task: self.task,
                on: on.clone(),
                attachments: self.attachments.is_some(),
                trace: self.trace.map(Trace::next),
            };
            self.hold.surely().await?;
            let (lapses, began) = (self.hold.lapses(), Instant::now());
            let mut launched = self.launched(wanted).await.map_err(not_opened)?;
            launched.extend(self.hold.surely().await?);
            match Executor::in_it(launched).await {
                Ok(executor) => {
                    self.hold.add(executor.pulse());
                    return Ok(executor);
                }
                Err(ExecutorError::NotReady(why)) => {
                    let more = tries.again(self.hold.lapsed_since(lapses), began.elapsed());
                    self.hold.still().await?;
                    if !more {
                        return Err(Stop::Fail(ExecutorError::NotReady(why).to_string()));
                    }
                }
                Err(error) => return Err(Stop::Fail(error.to_string())),
            }
        }
    }

    async fn launched(&self, wanted: Wanted) -> io::Result<Launched> {
        let hatch = self.hatch.clone();
        let launched = move || {
            let (message, line) = hatch.apart(&Wish::Sandbox(Box::new(wanted)))?;
            Launched::by_launcher(message, line)
        };
        tokio::task::spawn_blocking(launched)
            .await
            .map_err(io::Error::other)?
    }

    /// Keeps the patch the work made, where it made one.
    pub fn keep_patch(&self, patch: &str) -> Result<Option<Artifact>, Stop> {
        if patch.trim().is_empty() {
            return Ok(None);
        }
        let file = File::Patch(self.task);
        let path = self.disk.path(&file);
        self.disk
            .write(&file, patch.as_bytes())
            .map_err(|e| Stop::Fail(format!("cannot keep the patch {}: {e}", path.display())))?;
        Ok(Some(Artifact {
            blob: None,
            kind: "patch".to_owned(),
            path: path.display().to_string(),
            bytes: patch.len() as u64,
            control_files: guard::apply::control_files(patch),
        }))
    }
}
