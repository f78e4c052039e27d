//! The holder's side: starts a sandbox, asks it, keeps it alive, ends it.

use super::greeting::greet;
use super::launched::{Launched, Parts};
use super::link::{Link, Pulse, Question};
use super::process::SandboxProcess;
use super::wire::{Ask, Reply};
use crate::act::Act;
use crate::deadline::Deadline;
use crate::gate::Leave;
use crate::sandbox::cgroup::Kills;
use crate::sandbox::spawn::SpawnError;
use crate::sandbox::spec::SandboxSpec;
use crate::sandbox::surroundings::SurroundingsError;
use protocol::effect::ProbeAnswer;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};

/// Longest wait for a sandbox to say it is ready.
const START: Duration = Duration::from_secs(10);
/// How much longer than a call's own time-out its answer may take.
const GRACE: Duration = Duration::from_secs(10);
/// Longest wait for questions that run no tool.
const UPKEEP: Duration = Duration::from_secs(600);
/// Said after what a program said, where the kernel ended one.
const KILLED: &str = "\n(the kernel ended a program: everything in the sandbox together used more memory than it may, see sandbox.memory_mb)";

/// Why an executor could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ExecutorError {
    /// This machine cannot make a sandbox.
    #[error(transparent)]
    Surroundings(#[from] SurroundingsError),
    /// The sandbox did not start.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The owner is not someone a sandbox may run as.
    #[error("a sandbox cannot run as uid {uid}: {why}")]
    Owner {
        /// The uid asked for.
        uid: u32,
        /// Why not.
        why: &'static str,
    },
    /// The sandbox ended before it was ready.
    #[error("the sandbox did not come up: {0}; `ai-infra doctor` says what this machine lacks")]
    NotReady(String),
    /// The inside has ended.
    #[error("the executor has ended: its deadline passed, or it was stopped")]
    Gone,
    /// The leave was given for another act.
    #[error("the leave was given for another act than `{0}`")]
    WrongLeave(String),
    /// No answer in time; the sandbox was killed.
    #[error("the executor did not answer in time and was killed")]
    Silent,
    /// The question could not be sent or the inside could not do it.
    #[error("{0}")]
    Failed(String),
}

/// How an operation ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// It failed.
    pub is_error: bool,
    /// For engines and people.
    pub text: String,
    /// The same as data.
    pub data: Value,
    /// How long it ran inside.
    pub took: Duration,
}

/// A sandbox with an executor in it. Dropping it kills everything inside.
#[derive(Debug)]
pub struct Executor {
    link: Option<Link>,
    process: SandboxProcess,
    pulse: Pulse,
    /// Counts what the kernel ended, where it has a control group.
    kills: Option<Kills>,
    /// Whatever is done in it is taken back.
    trial: bool,
}

impl Executor {
    /// Starts the sandbox and waits until its walls have been checked from inside. Needs a tokio
    /// runtime with IO and time.
    pub async fn start(spec: SandboxSpec) -> Result<Executor, ExecutorError> {
        let holder = std::process::id();
        let launched = blocking(move || Launched::of(spec, holder, None)).await??;
        Executor::in_it(launched).await
    }

    /// Waits until the walls of a sandbox have been checked from inside. Needs a tokio runtime with IO and
    /// time.
    pub async fn in_it(launched: Launched) -> Result<Executor, ExecutorError> {
        let Parts {
            trial,
            until,
            pipes,
            process,
            kills,
            ..
        } = launched.taken()?;
        let guard = KillUnlessReady(Some(process.clone()));
        let (stdin, stdout, stderr) = pipes;
        let link = match timeout(START, greet(stdin, stdout, stderr, until)).await {
            Ok(answer) => answer?,
            Err(_) => return Err(ExecutorError::NotReady("it said nothing for 10 s".into())),
        };
        guard.ready();
        tracing::debug!(pid = process.id(), "sandbox is ready");
        Ok(Executor {
            pulse: link.pulse(&process),
            link: Some(link),
            process,
            kills,
            trial,
        })
    }

    /// Carries out an act. `timeout` bounds the tool; dropping the future kills what runs.
    pub async fn run(
        &mut self,
        act: &Act,
        leave: Leave,
        timeout: Duration,
    ) -> Result<Outcome, ExecutorError> {
        if !leave.is_for(act) || (leave.only_for_a_trial() && !self.trial) {
            return Err(ExecutorError::WrongLeave(act.tool.clone()));
        }
        let ask = Ask::Run {
            operation: act.operation.clone(),
            timeout_ms: u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX),
        };
        let before = self.kills();
        match self.ask(ask, timeout.saturating_add(GRACE)).await? {
            Reply::Ran {
                is_error,
                mut text,
                data,
                took_ms,
            } => {
                if self.kills() > before {
                    text.push_str(KILLED);
                }
                Ok(Outcome {
                    is_error,
                    text,
                    data,
                    took: Duration::from_millis(took_ms),
                })
            }
            other => Err(unexpected(other)),
        }
    }

    /// How many programs the kernel has ended for want of memory.
    fn kills(&self) -> u64 {
        self.kills.as_ref().map_or(0, Kills::count)
    }

    /// Moves the deadline to `until`.
    pub fn extend(&self, until: Deadline) {
        self.pulse.extend(until);
    }

    /// A handle that extends the deadline, usable while a call runs.
    pub fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// What to journal with the intent: what `probe` compares with later.
    pub async fn before(&mut self, act: &Act) -> Result<Value, ExecutorError> {
        let operation = act.operation.clone();
        match self.ask(Ask::Before { operation }, UPKEEP).await? {
            Reply::Value { value } => Ok(value),
            other => Err(unexpected(other)),
        }
    }

    /// Whether an act that was begun happened.
    pub async fn probe(&mut self, act: &Act, before: &Value) -> Result<ProbeAnswer, ExecutorError> {
        let ask = Ask::Probe {
            operation: act.operation.clone(),
            before: before.clone(),
        };
        match self.ask(ask, UPKEEP).await? {
            Reply::Probed { answer } => Ok(answer),
            other => Err(unexpected(other)),
        }
    }

    /// The text of a file of the clone as it is, secrets and all: for [`crate::masks`] alone. Nothing where
    /// there is no such text, or it has more than 2 MB.
    pub async fn holds(&mut self, path: &str) -> Result<String, ExecutorError> {
        let path = path.to_owned();
        self.ask_text(Ask::Holds { path }).await
    }

    /// Keeps the clone as it is now; answers the tree's hash. Files that `.gitignore` names are
    /// not kept.
    pub async fn snapshot(&mut self) -> Result<String, ExecutorError> {
        self.ask_text(Ask::Snapshot).await
    }

    /// Puts the clone back to a snapshot: changed files restored, new files that are not ignored
    /// removed, git's own state as it was.
    pub async fn reset(&mut self, tree: &str) -> Result<(), ExecutorError> {
        self.ask_text(Ask::Reset {
            tree: tree.to_owned(),
        })
        .await?;
        Ok(())
    }

    /// What differs between two snapshots, as a patch with binary parts; empty when nothing.
    pub async fn patch(&mut self, from_tree: &str, to_tree: &str) -> Result<String, ExecutorError> {
        let (from, to) = (from_tree.to_owned(), to_tree.to_owned());
        self.ask_text(Ask::Patch { from, to }).await
    }

    /// Applies a patch to the workspace of this sandbox, whole or not at all.
    pub(crate) async fn apply(&mut self, patch: &str) -> Result<(), ExecutorError> {
        self.ask_text(Ask::Apply {
            patch: patch.to_owned(),
        })
        .await?;
        Ok(())
    }

    /// Ends the inside and waits until every process in it is gone.
    pub async fn stop(mut self) {
        self.link.take();
        if timeout(Duration::from_secs(1), self.process.gone())
            .await
            .is_err()
        {
            self.process.kill();
        }
        self.process.gone().await;
    }

    /// Waits until the inside has ended by itself, for holders that watch it.
    pub async fn ended(&self) {
        self.process.gone().await;
    }

    async fn ask_text(&mut self, ask: Ask) -> Result<String, ExecutorError> {
        match self.ask(ask, UPKEEP).await? {
            Reply::Text { text } => Ok(text),
            other => Err(unexpected(other)),
        }
    }

    async fn ask(&mut self, ask: Ask, longest: Duration) -> Result<Reply, ExecutorError> {
        let link = self.link.as_mut().ok_or(ExecutorError::Gone)?;
        let question = link
            .ask(ask)
            .map_err(|e| ExecutorError::Failed(e.to_string()))?;
        let mut question = question.ok_or(ExecutorError::Gone)?;
        let frozen = link.frozen();
        match answered(&mut question, longest, frozen).await {
            Some(reply) => reply.ok_or(ExecutorError::Gone),
            None => {
                self.process.kill();
                Err(ExecutorError::Silent)
            }
        }
    }
}

/// The answer within `longest`, frozen time not counted; `None` when there is none in time.
async fn answered(
    question: &mut Question,
    longest: Duration,
    mut frozen: watch::Receiver<bool>,
) -> Option<Option<Reply>> {
    let mut left = longest;
    loop {
        let stands = *frozen.borrow_and_update();
        let began = Instant::now();
        tokio::select! {
            reply = question.answer() => return Some(reply),
            () = sleep(left), if !stands => return None,
            changed = frozen.changed() => {
                if changed.is_err() {
                    // The inside is gone, and the answer says so.
                    return Some(question.answer().await);
                }
                if !stands {
                    left = left.saturating_sub(began.elapsed());
                }
            }
        }
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.process.kill();
    }
}

struct KillUnlessReady(Option<SandboxProcess>);

impl KillUnlessReady {
    fn ready(mut self) {
        self.0.take();
    }
}

impl Drop for KillUnlessReady {
    fn drop(&mut self) {
        if let Some(process) = &self.0 {
            process.kill();
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ExecutorError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| ExecutorError::Failed(format!("starting a sandbox was interrupted: {e}")))
}

fn unexpected(reply: Reply) -> ExecutorError {
    match reply {
        Reply::Failed { why } => ExecutorError::Failed(why),
        other => ExecutorError::Failed(format!("the executor answered out of turn: {other:?}")),
    }
}
