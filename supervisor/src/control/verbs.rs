//! What each verb that has one answer does.

use crate::anchor;
use crate::approvals;
use crate::board;
use crate::brakes;
use crate::compare::{self, CompareError};
use crate::costs;
use crate::dead::{self, DeadError};
use crate::desk::Desk;
use crate::dispatch;
use crate::hosts::watch;
use crate::intake::IntakeError;
use crate::ledger::away::FOR_HOST;
use crate::ledger::questions::Taken;
use crate::ledger::store::LedgerError;
use crate::masked;
use crate::memory_owner::OwnerError;
use crate::patches::{self, PatchError};
use crate::paused;
use crate::propose;
use crate::rate;
use crate::retention;
use crate::route;
use crate::schedules::desk::{self as schedules, ScheduleVerbError};
use crate::status;
use crate::words;
use crate::workspaces::{self, WorkspaceError};
use guard::apply::ControlFiles;
use jiff::Timestamp;
use protocol::control::{Answer, Reply, Verb};
use protocol::document::TaskPage;
use protocol::exit;
use protocol::ids::TaskRef;
use protocol::proposal::Proposal;
use protocol::question::Said;
use protocol::task::Principal;
use protocol::task_state::TaskState;

/// Most lines of one task list.
const LINES: usize = 5_000;

/// Why a verb was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum VerbError {
    /// A request was not accepted.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// A patch.
    #[error(transparent)]
    Patch(#[from] PatchError),
    /// The memory.
    #[error(transparent)]
    Memory(#[from] OwnerError),
    /// The list of workspaces.
    #[error(transparent)]
    Workspace(#[from] WorkspaceError),
    /// A dead letter.
    #[error(transparent)]
    Dead(#[from] DeadError),
    /// A schedule.
    #[error(transparent)]
    Schedule(#[from] ScheduleVerbError),
    /// An effect while the team is frozen.
    #[error("{0}")]
    Frozen(String),
    /// Redis and the ledger.
    #[error(transparent)]
    Compare(#[from] CompareError),
    /// Not the supervisor's to do.
    #[error("that is for the daemon: ask at run/daemon.sock")]
    Daemon,
}

/// An error line.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    exit: u8,
    message: String,
    hints: Vec<String>,
    asks: Option<Box<Proposal>>,
}

impl Refusal {
    /// A refusal without hints.
    pub fn new(exit: u8, message: String) -> Self {
        Self {
            exit,
            message,
            hints: Vec::new(),
            asks: None,
        }
    }

    /// The refusal of an error; the desk notes what concerns the whole process.
    pub fn of(desk: &Desk, error: VerbError) -> Self {
        if let Some(ledger) = ledger_error(&error) {
            desk.note(ledger);
        }
        let (exit, hints) = match &error {
            VerbError::Intake(error) => (error.exit_code(), error.hints()),
            VerbError::Ledger(error) => (error.exit_code(), Vec::new()),
            VerbError::Patch(error) => (error.exit_code(), Vec::new()),
            VerbError::Memory(error) => (error.exit_code(), Vec::new()),
            VerbError::Workspace(error) => (error.exit_code(), Vec::new()),
            VerbError::Dead(error) => (error.exit_code(), error.hints()),
            VerbError::Schedule(ScheduleVerbError::Intake(error)) => {
                (error.exit_code(), error.hints())
            }
            VerbError::Schedule(error) => (error.exit_code(), Vec::new()),
            VerbError::Frozen(_) => (exit::REFUSED, Vec::new()),
            VerbError::Compare(error) => (error.exit_code(), Vec::new()),
            VerbError::Daemon => (exit::USAGE, Vec::new()),
        };
        let asks = match &error {
            VerbError::Intake(error) => error.asks(),
            _ => None,
        };
        Self {
            exit,
            message: error.to_string(),
            hints,
            asks: asks.map(Box::new),
        }
    }

    /// Its line.
    pub fn reply(self) -> Reply {
        let Self {
            exit,
            message,
            hints,
            asks,
        } = self;
        match asks {
            Some(proposal) => Reply::Ask {
                message,
                proposal,
                hints,
            },
            None => Reply::Error {
                exit,
                message,
                hints,
            },
        }
    }
}

fn ledger_error(error: &VerbError) -> Option<&LedgerError> {
    match error {
        VerbError::Ledger(error)
        | VerbError::Workspace(WorkspaceError::Ledger(error))
        | VerbError::Dead(DeadError::Ledger(error))
        | VerbError::Dead(DeadError::Intake(IntakeError::Ledger(error)))
        | VerbError::Intake(IntakeError::Ledger(error))
        | VerbError::Compare(CompareError::Ledger(error))
        | VerbError::Schedule(ScheduleVerbError::Ledger(error))
        | VerbError::Schedule(ScheduleVerbError::Intake(IntakeError::Ledger(error)))
        | VerbError::Patch(PatchError::Ledger(error)) => Some(error),
        _ => None,
    }
}

/// Carries out a verb that has one answer.
pub async fn answer(desk: &Desk, who: &Principal, verb: Verb) -> Result<Answer, Refusal> {
    carry_out(desk, who, verb)
        .await
        .map_err(|error| Refusal::of(desk, error))
}

async fn carry_out(desk: &Desk, who: &Principal, verb: Verb) -> Result<Answer, VerbError> {
    Ok(match verb {
        Verb::Status => Answer::Status {
            status: Box::new(status::status(desk).await?),
        },
        Verb::Board => Answer::Board {
            board: Box::new(board::board(desk).await?),
        },
        Verb::Costs { since, by } => Answer::Costs {
            costs: Box::new(costs::costs(desk, since, by, Timestamp::now()).await?),
        },
        Verb::BusStatus => Answer::Ok {
            message: compare::said(desk),
        },
        Verb::BusAccept => Answer::Ok {
            message: compare::accept(desk).await?,
        },
        Verb::Propose(submit) => Answer::Proposed {
            proposal: Box::new(propose::propose(desk, &submit).await?),
        },
        Verb::TaskList { limit } => Answer::Tasks {
            tasks: desk.ledger.newest(limit.min(LINES)).await?,
        },
        Verb::TaskShow { task } => Answer::Task {
            page: Box::new(show(desk, task).await?),
        },
        Verb::TaskCancel { task } => Answer::Ok {
            message: cancel(desk, task).await?,
        },
        Verb::TaskAnswer {
            task,
            question,
            said,
        } => Answer::Ok {
            message: take_answer(desk, who, task, question, said).await?,
        },
        Verb::TaskRate {
            task,
            number,
            remark,
        } => Answer::Ok {
            message: rate::rate(desk, who, task, number, remark).await?,
        },
        Verb::TaskTell { task, text } => Answer::Ok {
            message: words::tell(desk, who, task, &text).await?,
        },
        Verb::TaskBudget { task, usd } => Answer::Ok {
            message: words::budget(desk, who, task, usd).await?,
        },
        Verb::TaskPause { task } => Answer::Ok {
            message: paused::pause(desk, who, task).await?,
        },
        Verb::TaskResume { task } => Answer::Ok {
            message: paused::resume(desk, task).await?,
        },
        Verb::TaskDiff { task } => Answer::Text {
            text: patches::diff(desk, task).await?,
        },
        Verb::TaskApply {
            task,
            control_files,
        } => {
            if let Some(frozen) = desk.ledger.brakes().await?.frozen {
                return Err(VerbError::Frozen(brakes::sentence(&frozen)));
            }
            Answer::Ok {
                message: patches::apply(desk, task, ControlFiles::read(control_files)).await?,
            }
        }
        Verb::Gc { dry } => Answer::Ok {
            message: retention::now(desk, dry).await?,
        },
        Verb::TaskDiscard { task } => Answer::Ok {
            message: patches::discard(desk, task).await?,
        },
        Verb::WorkspaceList => Answer::Workspaces {
            workspaces: workspaces::list(desk).await?,
        },
        Verb::WorkspaceAdd { path, host, name } => Answer::Ok {
            message: workspaces::add(desk, &path, host, name).await?,
        },
        Verb::WorkspaceForget { name } => Answer::Ok {
            message: workspaces::forget(desk, &name).await?,
        },
        Verb::LedgerCopy { to } => {
            let inside = to
                .parent()
                .is_some_and(|folder| folder == desk.home.backup());
            if !inside {
                let why = "copies go to the home's `backup` folder".to_owned();
                return Err(LedgerError::Copy(why).into());
            }
            desk.ledger.copy_to(&to).await?;
            Answer::Ok {
                message: "the ledger is copied".to_owned(),
            }
        }
        verb @ (Verb::MemoryAdd { .. }
        | Verb::MemorySearch { .. }
        | Verb::MemoryShow { .. }
        | Verb::MemoryForget { .. }
        | Verb::MemoryTakeBack { .. }
        | Verb::MemoryStats
        | Verb::MemoryImport { .. }) => memory(desk, verb).await?,
        Verb::AuditAnchors => Answer::AuditAnchors {
            anchors: anchor::all(desk).await?,
        },
        Verb::Freeze => Answer::Ok {
            message: brakes::pull(desk, who, None).await?,
        },
        Verb::Thaw => Answer::Ok {
            message: brakes::release(desk, who, None).await?,
        },
        Verb::AgentPause { role } => {
            route::check_agent(&role, &desk.settings).map_err(IntakeError::from)?;
            Answer::Ok {
                message: brakes::pull(desk, who, Some(&role)).await?,
            }
        }
        Verb::AgentResume { role } => {
            // One that is no longer in the settings may still be paused.
            if desk.ledger.brakes().await?.on(Some(&role)).is_none() {
                route::check_agent(&role, &desk.settings).map_err(IntakeError::from)?;
            }
            Answer::Ok {
                message: brakes::release(desk, who, Some(&role)).await?,
            }
        }
        Verb::DeadList { limit } => Answer::DeadLetters {
            letters: dead::list(desk, limit.min(LINES)).await?,
        },
        Verb::DeadShow { id } => Answer::DeadLetter {
            letter: Box::new(dead::show(desk, &id).await?),
        },
        Verb::BackupSaid { words } => {
            desk.hub.say(words.chars().take(1000).collect());
            Answer::Ok {
                message: "said".to_owned(),
            }
        }
        Verb::ScheduleList => Answer::Schedules {
            list: Box::new(schedules::list(desk).await?),
        },
        Verb::ScheduleShow { name } => Answer::Schedule {
            page: Box::new(schedules::show(desk, &name).await?),
        },
        Verb::SchedulePause { name } => Answer::Ok {
            message: schedules::pause(desk, who, &name, true).await?,
        },
        Verb::ScheduleResume { name } => Answer::Ok {
            message: schedules::pause(desk, who, &name, false).await?,
        },
        Verb::Down
        | Verb::Restart
        | Verb::AgentRestart { .. }
        | Verb::Environment
        | Verb::SecretsAgain
        | Verb::Submit(_)
        | Verb::Keep { .. }
        | Verb::Talk(_)
        | Verb::TaskRetry { .. }
        | Verb::DeadReplay { .. }
        | Verb::ScheduleRun { .. }
        | Verb::MemoryReindex
        | Verb::Watch
        | Verb::Follow { .. } => return Err(VerbError::Daemon),
    })
}

/// What is asked of the memory.
async fn memory(desk: &Desk, verb: Verb) -> Result<Answer, VerbError> {
    let memory = &desk.memory;
    Ok(match verb {
        Verb::MemoryAdd { memory: record } => Answer::Ok {
            message: {
                let record = masked::memory(record, &masked::redactor(desk));
                memory.remember(record).await?
            },
        },
        Verb::MemorySearch {
            query,
            project,
            limit,
        } => Answer::Memories {
            memories: memory.recall(query, project, limit).await?,
        },
        Verb::MemoryShow { id } => Answer::Text {
            text: memory.show(id).await?,
        },
        Verb::MemoryForget { id, reason } => Answer::Ok {
            message: memory.forget(id, reason).await?,
        },
        Verb::MemoryTakeBack { id } => Answer::Ok {
            message: memory.take_back(id).await?,
        },
        Verb::MemoryStats => Answer::MemoryStats {
            stats: Box::new(memory.stats().await?),
        },
        Verb::MemoryImport { files } => Answer::MemoryImported {
            came: memory.import(files).await?,
        },
        _ => return Err(VerbError::Daemon),
    })
}

async fn take_answer(
    desk: &Desk,
    who: &Principal,
    task: TaskRef,
    question: Option<u64>,
    said: Said,
) -> Result<String, LedgerError> {
    let open = desk.ledger.find(task).await?;
    let (id, short_id) = (open.task.id, open.task.short_id);
    approvals::not_a_ticket(desk, short_id).await?;
    let taken = desk
        .ledger
        .answer(id, question, said.clone(), who.clone(), Timestamp::now());
    match taken.await? {
        Taken::Now(owed, told) => {
            dispatch::go_on(desk, owed, told).await;
            Ok(format!("{short_id} goes on: {said}"))
        }
        Taken::Again => Ok(format!("{short_id} was answered so before: {said}")),
    }
}

/// A task's page, with what it waits for where its host is away.
async fn show(desk: &Desk, task: TaskRef) -> Result<TaskPage, LedgerError> {
    let mut page = desk.ledger.page(task).await?;
    let state = &page.document.state;
    if *state == FOR_HOST || *state == TaskState::Cancelling {
        page.document.waits = watch::about(desk, &page.task).await?;
    }
    Ok(page)
}

async fn cancel(desk: &Desk, task: TaskRef) -> Result<String, LedgerError> {
    let open = desk.ledger.find(task).await?;
    let short_id = open.task.short_id;
    if open.state.is_final() {
        return Ok(format!("{short_id} had ended already: {}", open.state));
    }
    let away = watch::absence(desk, &open.task).await?;
    let host = open.task.host.as_deref().unwrap_or_default();
    let out = watch::is_out(desk, &open.task);
    Ok(match (dispatch::cancel(desk, open.task.id).await?, away) {
        (TaskState::Cancelled, _) => format!("{short_id} is cancelled"),
        (TaskState::Cancelling, _) if out => {
            // Nobody will ever say how it ended.
            let to = TaskState::Cancelled;
            let told = desk.ledger.end(open.task.id, to, Timestamp::now());
            desk.hub.tell(told.await?);
            format!(
                "{short_id} is cancelled; its host was put out of the team, so what it had begun there is not known"
            )
        }
        (TaskState::Cancelling, Some(away)) => format!(
            "{short_id} is being stopped; host {host} {away}, so what was begun there is settled when it is back"
        ),
        (TaskState::Cancelling, None) => format!("{short_id} is being stopped"),
        (ended, _) => format!("{short_id} ended meanwhile: {ended}"),
    })
}
