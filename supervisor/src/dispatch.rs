//! Brings kept tasks to the bus, and keeps doing so: whatever the ledger holds and the bus does
//! not know is sent again, whatever must stop and was not told is told. Sending twice is harmless,
//! because the bus takes a task id once.

use crate::assigned;
use crate::brakes::{self, BrakeError};
use crate::desk::Desk;
use crate::ledger::cancel::Stopped;
use crate::ledger::events::Happening;
use crate::ledger::pages::Open;
use crate::ledger::resume::OwedResume;
use crate::ledger::store::LedgerError;
use crate::paused;
use crate::pinned;
use crate::spoiled;
use crate::words;
use bus::cancel::CancelOutcome;
use bus::connect::Bus;
use bus::error::BusError;
use bus::park::Resumed;
use bus::publish::Submission;
use config::disk::is_low;
use jiff::Timestamp;
use protocol::envelope::{Envelope, EnvelopeError, MessageType};
use protocol::ids::{Epoch, ShortId, TaskId, TaskRef, TeamName};
use protocol::journal::JournalEntry;
use protocol::money::MicroUsd;
use protocol::task::{Class, Task};
use protocol::task_state::{TaskState, WaitReason};
use protocol::tool::stays_inside;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// How often everything in hand is compared with the bus.
const WHOLE_SWEEP: Duration = Duration::from_secs(30);
/// How often owed stops are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How many tasks one look takes from the ledger.
const PAGE: u32 = 500;
/// Longest wait for the bus before the person is told that the task is kept.
const FIRST_SEND: Duration = Duration::from_millis(1500);

/// The same, of something else than a new task.
pub const NO_REDIS: &str = "redis does not answer";

/// What the person reads when the bus is away.
pub const AWAY: &str = "redis does not answer; the task is kept and starts when it is back";

/// Why a task whose question was answered cannot go on.
const PARK_LOST: &str = "redis no longer knows where this task stood, so the answer has no place: \
    look at what was done, then run it again";

/// What the person reads when the disk has no room for more.
const DISK: &str = "the disk of the home is nearly full (team.min_free_mb): the task is kept and starts when there is space";

/// What the person reads when Redis has no room for more.
pub const TIGHT: &str = "the memory of redis is nearly used up (redis.maxmemory_mb); the task is kept and starts when there is room";

/// The work message of a task.
///
/// # Errors
/// When the task cannot be written as JSON.
pub fn envelope(team: &TeamName, task: &Task) -> Result<Envelope, EnvelopeError> {
    let role = task.agent.as_str();
    let mut envelope = Envelope::new(team, MessageType::Task, "supervisor", role);
    envelope.priority = task.priority;
    envelope.request_id = Some(task.request_id.as_str().to_owned());
    envelope.deadline = task.deadline;
    envelope.principal = Some(task.principal.name.clone());
    envelope.trace = task.trace.map(String::from);
    envelope.payload.task_id = Some(task.id);
    envelope.payload.action = "run".to_owned();
    envelope.payload.context =
        serde_json::to_value(task).map_err(|e| EnvelopeError::Malformed(e.to_string()))?;
    Ok(envelope)
}

async fn send(
    desk: &Desk,
    bus: &Bus,
    task: &Task,
    due: Option<Timestamp>,
) -> Result<(), OutboxError> {
    let envelope = envelope(&desk.settings.team.name, task)?;
    pinned::send_ahead(desk, bus, task).await?;
    let class = Class::of_priority(task.priority);
    let host = task.host.as_deref();
    let _new_or_again = bus
        .submit_at(&envelope, &task.agent, host, class, due)
        .await?;
    Ok(())
}

/// Sends tasks that the bus did not know. One that it refuses, because its queue is full, holds up
/// no other; the next sweep tries it again.
async fn send_many(
    bus: &Bus,
    team: &TeamName,
    tasks: &[(Task, Option<Timestamp>)],
) -> Result<(), OutboxError> {
    let envelopes = tasks.iter().map(|(task, _)| envelope(team, task));
    let envelopes: Vec<Envelope> = envelopes.collect::<Result<_, _>>()?;
    let submissions = tasks.iter().zip(&envelopes);
    let submissions: Vec<Submission> = submissions
        .map(|((task, due), envelope)| Submission {
            envelope,
            role: &task.agent,
            host: task.host.as_deref(),
            class: Class::of_priority(task.priority),
            due: *due,
        })
        .collect();
    let said = bus.submit_many(&submissions).await?;
    let mut sent = 0;
    for ((task, _), said) in tasks.iter().zip(said) {
        match said {
            Ok(_new_or_again) => sent += 1,
            Err(error) => tracing::warn!(task = %task.short_id, %error, "not sent yet"),
        }
    }
    // One line for all: there may be a hundred thousand.
    if let (1.., Some((first, _))) = (sent, tasks.first()) {
        tracing::info!(sent, first = %first.short_id, "sent to the bus, which did not know them");
    }
    Ok(())
}

/// Sends a task that was just kept. When the bus is away the outbox does it later; returns the
/// sentence about that.
pub async fn first(desk: &Desk, task: &Task) -> Option<String> {
    let bus = match (desk.link.now(), desk.link.stopped()) {
        (Ok(bus), _) => bus,
        (Err(_), Some((_, why))) => return Some(format!("{why}; the task is kept")),
        (Err(_), None) => return Some(AWAY.to_owned()),
    };
    if desk.link.is_tight() {
        return Some(TIGHT.to_owned());
    }
    let sent = timeout(FIRST_SEND, send(desk, &bus, task, task.due)).await;
    match sent {
        Ok(Ok(())) => is_low(&desk.home, desk.settings.team.min_free_mb).then(|| DISK.to_owned()),
        Ok(Err(OutboxError::Bus(error))) if error.is_unreachable() => {
            desk.link.noticed(&error);
            Some(match error {
                BusError::NoWrites(_) => format!("{error}; the task is kept and starts afterwards"),
                _ => AWAY.to_owned(),
            })
        }
        Ok(Err(OutboxError::Bus(BusError::Full))) => Some(TIGHT.to_owned()),
        Ok(Err(error)) => {
            tracing::warn!(task = %task.short_id, %error, "not sent yet");
            desk.outbox.notify_one();
            Some(format!("{error}; the task is kept and is sent again"))
        }
        Err(_) => {
            desk.link.failed("no answer in time");
            Some(AWAY.to_owned())
        }
    }
}

/// The outbox. Runs for ever; cut off anywhere, the next look does what was left.
pub async fn outbox(desk: &Desk) {
    loop {
        let (bus, number) = desk.link.up().await;
        let mut known = false;
        // The bus is here again, or for the first time: it may have forgotten anything.
        let mut whole_at = Instant::now();
        let mut was_tight = false;
        loop {
            let tight = desk.link.is_tight();
            if was_tight && !tight {
                whole_at = Instant::now();
            }
            was_tight = tight;
            let look = async {
                tell_stops(desk, &bus).await?;
                tell_resumes(desk, &bus).await?;
                if !known {
                    assigned::say_again(desk, &bus).await?;
                    known = true;
                }
                paused::reconcile(desk, &bus).await?;
                words::tell_owed(desk, &bus).await?;
                if Instant::now() >= whole_at {
                    sweep(desk, &bus).await?;
                    whole_at = Instant::now() + WHOLE_SWEEP;
                }
                Ok::<(), OutboxError>(())
            };
            if let Err(error) = look.await {
                tracing::warn!(%error, "the outbox could not finish");
                match &error {
                    OutboxError::Ledger(error) => desk.note(error),
                    OutboxError::Bus(error) => desk.link.noticed(error),
                    OutboxError::Envelope(_) => {}
                }
            }
            tokio::select! {
                () = sleep(LOOK) => {}
                () = desk.outbox.notified() => {
                    sleep(Duration::from_millis(200)).await;
                    whole_at = Instant::now();
                }
                () = desk.link.lost(number) => break,
            }
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboxError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
}

impl From<BrakeError> for OutboxError {
    fn from(error: BrakeError) -> Self {
        match error {
            BrakeError::Ledger(error) => OutboxError::Ledger(error),
            BrakeError::Bus(error) => OutboxError::Bus(error),
        }
    }
}

/// Tells the bus what must stop, and cancels it in the ledger where that is still open.
async fn tell_stops(desk: &Desk, bus: &Bus) -> Result<(), OutboxError> {
    for task in desk.ledger.stops_owed(PAGE).await? {
        let Some(outcome) = spoiled::cancel(bus, task).await? else {
            continue;
        };
        let stopped = desk.ledger.cancel(task, Some(outcome), Timestamp::now());
        let Stopped { state, told } = stopped.await?;
        desk.hub.tell(told);
        if outcome == CancelOutcome::Unknown && state == TaskState::Cancelling {
            // Nobody has it, or its report is on the way: the sweep sees which.
            desk.outbox.notify_one();
        }
    }
    Ok(())
}

/// Stops a task: the wish is kept first, then the bus is told, now or when it is back.
///
/// # Errors
/// When the ledger does not take it.
pub async fn cancel(desk: &Desk, task: TaskId) -> Result<TaskState, LedgerError> {
    desk.ledger.owe_stop(task).await?;
    let met = match desk.link.now() {
        Ok(bus) => {
            let said = timeout(FIRST_SEND, bus.cancel(task)).await;
            said.ok().and_then(Result::ok)
        }
        Err(_) => None,
    };
    let stopped = desk.ledger.cancel(task, met, Timestamp::now()).await?;
    desk.hub.tell(stopped.told);
    // A plan takes its parts with it; what is not told here the outbox tells.
    let children = desk.ledger.live_children(task).await?;
    if children.is_empty() {
        return Ok(stopped.state);
    }
    for child in children {
        Box::pin(cancel(desk, child)).await?;
    }
    let after = desk.ledger.find(TaskRef::Id(task)).await?;
    Ok(after.state)
}

/// Tells the bus which waiting tasks go on.
async fn tell_resumes(desk: &Desk, bus: &Bus) -> Result<(), OutboxError> {
    for owed in desk.ledger.resumes_owed(PAGE).await? {
        let mut told = tell_resume(desk, bus, &owed).await;
        if let Err(OutboxError::Bus(error)) = &told
            && spoiled::mended(bus, owed.task, error).await?
        {
            // What could not be read is gone, and the same call says what that means.
            told = tell_resume(desk, bus, &owed).await;
        }
        spared(told)?;
    }
    Ok(())
}

/// What came of one task; `None` where it failed for that one alone, which the next look tries.
fn spared<T>(said: Result<T, OutboxError>) -> Result<Option<T>, OutboxError> {
    match said {
        Err(OutboxError::Bus(error)) => Ok(spoiled::spared(Err(error))?),
        Err(OutboxError::Envelope(error)) => {
            tracing::warn!(%error, "a task cannot be written as a message");
            Ok(None)
        }
        said => said.map(Some),
    }
}

async fn tell_resume(desk: &Desk, bus: &Bus, owed: &OwedResume) -> Result<(), OutboxError> {
    let task = desk.ledger.find(TaskRef::Id(owed.task)).await?.task;
    let envelope = envelope(&desk.settings.team.name, &task)?;
    let host = task.host.as_deref();
    let resumed = match (&owed.handed, &owed.answer) {
        (Some(roles), Some(entry)) => {
            pinned::send_ahead(desk, bus, &task).await?;
            let way = (&roles.0, &roles.1, host);
            bus.hand_off(owed.task, owed.parked, way, entry, &envelope)
                .await?
        }
        (_, answer) => {
            let (way, answer) = ((&task.agent, host), answer.as_ref());
            bus.resume(owed.task, owed.parked, way, answer, &envelope)
                .await?
        }
    };
    match (resumed, &owed.answer) {
        (Resumed::Queued | Resumed::Again, _) => {}
        // Nothing was asked, so nothing hangs on where it stood: the sweep sends it anew.
        (Resumed::Unknown, None) => {}
        // It was never parked: a person was asked because the bus had lost what it knew of it.
        (Resumed::Unknown, Some(_)) if owed.parked == Epoch(0) => {}
        (Resumed::Unknown, Some(_)) | (Resumed::Ended, _) => {
            let lost = desk.ledger.resume_lost(owed, PARK_LOST, Timestamp::now());
            desk.hub.tell(lost.await?);
        }
    }
    desk.ledger.resumed(owed.task, owed.parked).await?;
    if resumed == Resumed::Unknown {
        desk.outbox.notify_one();
    }
    Ok(())
}

/// Lets a waiting task go on: kept first, then the bus is told, now or when it is back. `None`
/// when it does not wait.
///
/// # Errors
/// When the ledger does not take it.
pub async fn resume(
    desk: &Desk,
    task: TaskId,
    answer: Option<&JournalEntry>,
) -> Result<Option<()>, LedgerError> {
    let Some((owed, told)) = desk.ledger.resume(task, answer, Timestamp::now()).await? else {
        return Ok(None);
    };
    go_on(desk, owed, told).await;
    Ok(Some(()))
}

/// Tells followers and the bus of a task that goes on. What the bus did not hear stays owed.
pub async fn go_on(desk: &Desk, owed: OwedResume, told: Vec<Happening>) {
    desk.hub.tell(told);
    let Ok(bus) = desk.link.now() else {
        return;
    };
    match timeout(FIRST_SEND, tell_resume(desk, &bus, &owed)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(task = %owed.task, %error, "goes on later"),
        Err(_) => desk.link.failed("no answer in time"),
    }
}

/// Compares everything in hand with the bus. The brakes come first: what is sent again must not be
/// begun where they are pulled.
async fn sweep(desk: &Desk, bus: &Bus) -> Result<(), OutboxError> {
    brakes::set(desk, bus).await?;
    let mut after = ShortId(0);
    loop {
        let page = desk.ledger.in_hand_ids(after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after = *last;
        let listed: Vec<TaskId> = page.into_iter().map(|(_, task)| task).collect();
        let known = spoiled::known(bus, &listed).await?;
        let mut unsent = Vec::new();
        for (task, known) in listed.into_iter().zip(known) {
            if known {
                continue;
            }
            let Some(Some((task, due))) = spared(unknown(desk, bus, task).await)? else {
                continue;
            };
            // One whose files cannot be sent ahead holds up no other.
            let ahead = pinned::send_ahead(desk, bus, &task).await;
            if spoiled::spared(ahead)?.is_some() {
                unsent.push((task, due));
            }
        }
        send_many(bus, &desk.settings.team.name, &unsent).await?;
    }
}

/// The bus does not know a task that was in hand. It may have ended since it was listed, so the
/// ledger is asked once more before anything is sent. Answers what is to be sent, and when it is due.
async fn unknown(
    desk: &Desk,
    bus: &Bus,
    listed: TaskId,
) -> Result<Option<(Task, Option<Timestamp>)>, OutboxError> {
    let Open { task, state, due } = desk.ledger.find(TaskRef::Id(listed)).await?;
    match state {
        // There is no room; the next sweep, or the moment there is some, sends it.
        TaskState::Queued
        | TaskState::Running { .. }
        | TaskState::Waiting {
            on: WaitReason::Time | WaitReason::Host,
        } if desk.link.is_tight() => {}
        TaskState::Running { .. }
        | TaskState::Waiting {
            on: WaitReason::Time | WaitReason::Host,
        } if went_outside(desk, task.id).await? => {
            let question = "redis has forgotten this task, and it had touched more than its own clone: look at what was done, then let it start anew or cancel it";
            let told = desk.ledger.ask_person(task.id, question, Timestamp::now());
            desk.hub.tell(told.await?);
        }
        TaskState::Queued
        | TaskState::Running { .. }
        | TaskState::Waiting {
            on: WaitReason::Time | WaitReason::Host,
        } => {
            desk.ledger.owe_words_again(task.id).await?;
            // Its limit holds for what it cost before, too.
            let spent = desk.ledger.spent_by(task.id).await?;
            if spent > MicroUsd(0) {
                bus.task_is(task.id, spent).await?;
            }
            return Ok(Some((task, due)));
        }
        TaskState::Cancelling => {
            let told = desk
                .ledger
                .end(task.id, TaskState::Cancelled, Timestamp::now())
                .await?;
            desk.hub.tell(told);
        }
        _ => {}
    }
    Ok(None)
}

/// Whether a task has called a tool whose effects are not all in its own clone.
async fn went_outside(desk: &Desk, task: TaskId) -> Result<bool, LedgerError> {
    let id = TaskRef::Id(task);
    let calls = desk.ledger.page(id).await?.calls;
    Ok(calls.iter().any(|call| !stays_inside(&call.tool)))
}
