//! Folding what agents say into the ledger: many messages in one transaction, each at most once,
//! nothing from an older holder, nothing after the end.

use super::away::FOR_HOST;
use super::cancel::owe;
use super::events::{self, Appended, Event, Happening};
use super::marks;
use super::records;
use super::report;
use super::spends;
use super::standing::{self, Standing, shift};
use super::store::{Ledger, LedgerError};
use super::words;
use bus::incarnation::Mark;
use jiff::Timestamp;
use protocol::ids::{Epoch, Role, TaskId};
use protocol::phase::Phase;
use protocol::report::{Progress, TaskReport};
use protocol::task_state::TaskState;
use sqlx::AnyConnection;

/// A message of an agent, read and checked for its form.
#[derive(Debug, Clone, PartialEq)]
pub struct Incoming {
    /// About which task.
    pub task: TaskId,
    /// The envelope's id; the same one twice is folded once.
    pub message: String,
    /// The role on whose out stream it came.
    pub role: Role,
    /// The epoch of the sender's claim.
    pub epoch: Option<Epoch>,
    /// When it was sent.
    pub at: Timestamp,
    /// What it says.
    pub news: News,
}

/// What a message says.
#[derive(Debug, Clone, PartialEq)]
pub enum News {
    /// What a running task is at.
    Progress(Progress),
    /// How it ended.
    Report(Box<TaskReport>),
    /// Nobody will work on it any more; the reason is a sentence.
    GivenUp(String),
}

/// Why a message about a task that has ended is ignored.
pub const ENDED: &str = "the task has ended";
/// Why a message about a task that was never kept here (or was lost with an older ledger) changes
/// nothing.
pub const NO_TASK: &str = "no such task in the ledger";

/// What folding a message came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Folded {
    /// It changed the ledger; followers hear of these.
    Kept(Vec<Happening>),
    /// It was folded before.
    Again,
    /// It is of no use any more, and why.
    Ignored(&'static str),
}

impl Ledger {
    /// Folds messages in their order, all in one transaction: after an error none is folded, and
    /// folding the same messages again is right.
    pub async fn fold(&self, batch: &[Incoming]) -> Result<Vec<Folded>, LedgerError> {
        self.fold_to(batch, &[]).await
    }

    /// The same, and remembers up to where the out streams are folded with it.
    pub async fn fold_to(
        &self,
        batch: &[Incoming],
        marks: &[Mark],
    ) -> Result<Vec<Folded>, LedgerError> {
        let mut tx = self.write().await?;
        let mut folded = Vec::with_capacity(batch.len());
        for incoming in batch {
            folded.push(fold_one(&mut tx, incoming).await?);
        }
        marks::fold_marks(&mut tx, marks, Timestamp::now()).await?;
        tx.commit().await?;
        Ok(folded)
    }
}

async fn fold_one(tx: &mut AnyConnection, incoming: &Incoming) -> Result<Folded, LedgerError> {
    let Some(mut standing) = standing::find(tx, incoming.task).await? else {
        return Ok(Folded::Ignored(NO_TASK));
    };
    if let Some(why) = no_use(&standing, incoming) {
        return Ok(Folded::Ignored(why));
    }
    match &incoming.news {
        News::Progress(progress) => fold_progress(tx, &mut standing, incoming, progress).await,
        News::Report(report) => report::fold(tx, &mut standing, incoming, report).await,
        News::GivenUp(reason) => {
            let to = match standing.state {
                TaskState::Cancelling => TaskState::Cancelled,
                _ => TaskState::Failed {
                    reason: records::cut(reason, records::LINE_BYTES),
                },
            };
            // On the bus it may be parked still, where its report could not be read or kept.
            owe(tx, standing.id, true).await?;
            Ok(Folded::Kept(
                shift(tx, &mut standing, to, incoming.at, Some(&incoming.message)).await?,
            ))
        }
    }
}

/// Why a message is not folded at all.
fn no_use(standing: &Standing, incoming: &Incoming) -> Option<&'static str> {
    if incoming.role != standing.agent {
        return Some("another role's task");
    }
    if standing.state.is_final() {
        return Some(ENDED);
    }
    let older = incoming.epoch.is_some_and(|e| e.0 < standing.epoch);
    older.then_some("a newer holder has the task")
}

async fn fold_progress(
    tx: &mut AnyConnection,
    standing: &mut Standing,
    incoming: &Incoming,
    progress: &Progress,
) -> Result<Folded, LedgerError> {
    let progress = records::bounded(progress.clone(), incoming.at);
    let key = standing.key();
    let event = Event::Progress(progress.clone());
    match events::append(tx, &key, Some(&incoming.message), &event).await? {
        Appended::Again => return Ok(Folded::Again),
        Appended::TooMany => return Ok(Folded::Ignored("the task has said too much already")),
        Appended::New => {}
    }
    let mut told = vec![standing.happening(event)];
    if let Some(to) = runs_now(standing, &progress) {
        told.extend(shift(tx, standing, to, incoming.at, None).await?);
    }
    match &progress {
        Progress::Claimed {
            holder,
            epoch,
            replayed,
        } => records::attempt(tx, &key, holder, *epoch, incoming.at, *replayed).await?,
        Progress::PhaseStarted { phase, at } => {
            records::phase_started(tx, &key, *phase, *at).await?
        }
        Progress::PhaseEnded { phase, at } => records::phase_ended(tx, &key, *phase, *at).await?,
        Progress::Criteria { criteria } => records::criteria(tx, &key, criteria).await?,
        Progress::Added { criteria } => records::more_criteria(tx, &key, criteria).await?,
        Progress::Heard { number, .. } => words::heard(tx, &key, *number, incoming.at).await?,
        // Kept by whoever said it.
        Progress::Said { .. } => {}
        Progress::Call { line } => records::call(tx, &key, line).await?,
        Progress::Evidence { evidence } => records::evidence(tx, &key, evidence).await?,
        Progress::Recalled { memories } => records::recalled(tx, &key, memories).await?,
        Progress::Note { text } => records::note(tx, &key, text).await?,
        Progress::Reserved {
            step,
            model,
            amount,
            at,
        } => spends::reserved(tx, &key, step, model, *amount, *at).await?,
        Progress::Spent {
            step,
            model,
            usage,
            at,
            failed,
        } => spends::spent(tx, &key, step, model, usage, *at, *failed).await?,
    }
    Ok(Folded::Kept(told))
}

/// The running state a sign of work leads to. A task that waits runs again only for a new holder;
/// one that is being stopped does not run again.
fn runs_now(standing: &Standing, progress: &Progress) -> Option<TaskState> {
    let phase = match progress {
        Progress::PhaseStarted { phase, .. } => *phase,
        _ => Phase::Observe,
    };
    let running = TaskState::Running { phase };
    match (&standing.state, progress) {
        (TaskState::Queued, _) => Some(running),
        (TaskState::Running { .. }, Progress::PhaseStarted { .. }) => Some(running),
        // Its host was lost and is heard again.
        (state, Progress::PhaseStarted { .. }) if *state == FOR_HOST => Some(running),
        (TaskState::Waiting { .. }, Progress::Claimed { epoch, .. })
            if epoch.0 > standing.epoch =>
        {
            Some(running)
        }
        _ => None,
    }
}
