//! The patch a task left: shown, brought into the workspace once, or thrown away with the clone.
//! The patch file is always the home's own; a path that an agent reports is never opened. Where the
//! folder is on another host, `there` has that host do it.

pub(crate) mod file;
pub(crate) mod put;
mod there;

use crate::desk::Desk;
use crate::intake::hosts;
use crate::ledger::pages::Open;
use crate::ledger::patch::PatchState;
use crate::ledger::store::LedgerError;
use config::home::Home;
use guard::apply::{ApplyError, ApplyOutcome, ControlFiles};
use guard::clone;
use jiff::Timestamp;
use protocol::exit;
use protocol::ids::{ShortId, TaskRef};
use protocol::task_state::TaskState;
use put::Put;
use std::path::PathBuf;
use there::There;
use tokio::task::spawn_blocking;

/// Why a patch is not shown, applied or discarded.
#[derive(Debug, thiserror::Error)]
pub enum PatchError {
    /// There is none.
    #[error("{0} left no patch: it changed no file")]
    None(ShortId),
    /// It cannot be read.
    #[error("the patch {} cannot be read: {why}", .path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The task works still.
    #[error("{0} is {1}: wait for its end, or cancel it first")]
    NotOver(ShortId, TaskState),
    /// What it did was not proven.
    #[error(
        "{short_id} is {state}, so nothing proves its patch: read it with `ai-infra task diff {short_id}` and apply it by hand if it is good"
    )]
    NotDone {
        /// Which task.
        short_id: ShortId,
        /// Where it rests.
        state: TaskState,
    },
    /// Its folder is on another host, which cannot be reached.
    #[error(
        "the folder of {short_id} is on host {host}, which {why}; nothing was done. Say it again when it is back{otherwise}"
    )]
    Away {
        /// Which task.
        short_id: ShortId,
        /// Where.
        host: String,
        /// What became of the host.
        why: String,
        /// What else can be done, after a comma; empty where nothing can.
        otherwise: String,
    },
    /// The host was asked and said nothing.
    #[error(
        "host {host} was asked and has not answered ({why}). What it had begun it finishes, what it had not begun it does not begin; say the same for {short_id} again and it tells: nothing is applied twice"
    )]
    Silent {
        /// Which task.
        short_id: ShortId,
        /// Who.
        host: String,
        /// What was seen.
        why: String,
    },
    /// The host did not do it.
    #[error("host {host} says: {message}")]
    There {
        /// Which.
        host: String,
        /// Why.
        message: String,
        /// The exit code it had there.
        exit: u8,
    },
    /// It was applied before.
    #[error("the patch of {0} was applied already")]
    Again(ShortId),
    /// It was thrown away.
    #[error("the patch of {0} was discarded")]
    Gone(ShortId),
    /// The task had no workspace.
    #[error("{0} had no workspace")]
    NoWorkspace(ShortId),
    /// It does not go in.
    #[error("{error}{cut_off}")]
    Apply {
        /// Why.
        error: ApplyError,
        /// About an earlier apply whose end nobody saw.
        cut_off: &'static str,
    },
    /// It touches control files, and nobody said that they were read.
    #[error(
        "{error}. Read them first (ai-infra task diff {task}); then: ai-infra task apply {task} --with-control-files"
    )]
    Control {
        /// Which task.
        task: ShortId,
        /// Which files.
        error: ApplyError,
    },
    /// What is kept beside the patch cannot be read or written.
    #[error("what is kept of an apply: {0}")]
    Record(String),
    /// The clone cannot be removed.
    #[error("{} cannot be removed: {source}: check who owns it", .path.display())]
    Remove {
        /// Which folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The program or its thread is gone.
    #[error("this program cannot start itself again: {0}")]
    Own(String),
}

impl PatchError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            PatchError::Ledger(error) => error.exit_code(),
            PatchError::NotDone { .. } | PatchError::Control { .. } => exit::REFUSED,
            PatchError::There { exit, .. } => *exit,
            PatchError::Away { .. } | PatchError::Silent { .. } => exit::SERVICE,
            _ => exit::FAILED,
        }
    }
}

/// The folder of a task in a home.
pub(crate) fn folder(home: &Home, task: ShortId) -> PathBuf {
    home.tasks().join(task.to_string())
}

/// The patch as text.
pub async fn diff(desk: &Desk, task: TaskRef) -> Result<String, PatchError> {
    let Open { task, state, .. } = desk.ledger.find(task).await?;
    let short_id = task.short_id;
    match file::read(&folder(&desk.home, short_id), short_id) {
        Err(PatchError::None(_)) if !at_rest(&state) => Err(PatchError::NotOver(short_id, state)),
        Err(PatchError::None(_)) => match desk.ledger.patch_state(task.id).await? {
            PatchState::Applied | PatchState::Discarded => Err(PatchError::Gone(short_id)),
            PatchState::Kept | PatchState::Applying => Err(PatchError::None(short_id)),
        },
        read => read,
    }
}

fn at_rest(state: &TaskState) -> bool {
    state.is_final() || matches!(state, TaskState::Waiting { .. })
}

/// Brings the patch into the workspace, once. Returns a sentence.
pub async fn apply(
    desk: &Desk,
    task: TaskRef,
    control: ControlFiles,
) -> Result<String, PatchError> {
    let Open { task, state, .. } = desk.ledger.find(task).await?;
    let short_id = task.short_id;
    match state {
        TaskState::Done => {}
        state if state.is_final() => return Err(PatchError::NotDone { short_id, state }),
        state => return Err(PatchError::NotOver(short_id, state)),
    }
    let workspace = task
        .workspace
        .clone()
        .ok_or(PatchError::NoWorkspace(short_id))?;
    let before = desk.ledger.patch_state(task.id).await?;
    match before {
        PatchState::Applied => return Err(PatchError::Again(short_id)),
        PatchState::Discarded => return Err(PatchError::Gone(short_id)),
        PatchState::Kept | PatchState::Applying => {}
    }
    if let Some(host) = hosts::other(desk, &task) {
        let there = There {
            desk,
            task: &task,
            host,
            workspace,
        };
        return there.apply(before, control).await;
    }
    let its = folder(&desk.home, short_id);
    let patch = file::read(&its, short_id)?;
    let moved = |from, to| desk.ledger.patch_move(task.id, from, to, Timestamp::now());
    if !moved(before, PatchState::Applying).await? {
        return Err(PatchError::Again(short_id));
    }
    let put = Put {
        task: short_id,
        folder: its,
        workspace: workspace.clone(),
        patch,
        control,
    };
    match put.run().await {
        Ok(said) => {
            moved(PatchState::Applying, PatchState::Applied).await?;
            Ok(format!(
                "applied {short_id} to {}: {said}",
                workspace.display()
            ))
        }
        Err(error) => {
            moved(PatchState::Applying, before).await?;
            Err(error)
        }
    }
}

/// Throws the clone and the patch away. Returns a sentence.
pub async fn discard(desk: &Desk, task: TaskRef) -> Result<String, PatchError> {
    let Open { task, state, .. } = desk.ledger.find(task).await?;
    if !at_rest(&state) {
        return Err(PatchError::NotOver(task.short_id, state));
    }
    let before = desk.ledger.patch_state(task.id).await?;
    if let (Some(host), Some(workspace)) = (hosts::other(desk, &task), task.workspace.clone()) {
        let there = There {
            desk,
            task: &task,
            host,
            workspace,
        };
        return there.discard(before).await;
    }
    let folder = folder(&desk.home, task.short_id);
    let path = folder.clone();
    spawn_blocking(move || clone::remove(&folder))
        .await
        .map_err(|e| PatchError::Own(e.to_string()))?
        .map_err(|source| PatchError::Remove { path, source })?;
    if before != PatchState::Applied {
        desk.ledger
            .patch_move(task.id, before, PatchState::Discarded, Timestamp::now())
            .await?;
    }
    Ok(format!(
        "the clone and the patch of {} are gone",
        task.short_id
    ))
}

/// What an apply did, in a few words.
pub(crate) fn summary(outcome: &ApplyOutcome) -> String {
    match outcome.changed.as_slice() {
        [] => "no file needed a change".to_owned(),
        [one] => one.clone(),
        many => format!("{} files", many.len()),
    }
}
