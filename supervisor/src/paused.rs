//! Tasks that a person paused: the wish is kept in the ledger, and what differs from it is made so,
//! at once where the bus answers and else by the outbox, which looks every second.

use crate::desk::Desk;
use crate::dispatch;
use crate::ledger::store::LedgerError;
use crate::spoiled;
use bus::brakes::Paused;
use bus::connect::Bus;
use jiff::Timestamp;
use protocol::ids::TaskRef;
use protocol::task::Principal;
use protocol::task_state::{TaskState, WaitReason};
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for the bus before the person is answered.
const PATIENCE: Duration = Duration::from_millis(1500);

const PAUSED: TaskState = TaskState::Waiting {
    on: WaitReason::Paused,
};

const LATER: TaskState = TaskState::Waiting {
    on: WaitReason::Time,
};

/// Whether anybody held the task yet.
async fn begun(desk: &Desk, task: TaskRef) -> Result<bool, LedgerError> {
    Ok(desk.ledger.document(task).await?.attempts > 0)
}

/// Pauses a task. Answers a sentence.
///
/// # Errors
/// When there is no such task or the ledger does not take it.
pub async fn pause(desk: &Desk, who: &Principal, task: TaskRef) -> Result<String, LedgerError> {
    let open = desk.ledger.find(task).await?;
    let id = open.task.short_id;
    match open.state {
        TaskState::Queued | TaskState::Running { .. } => {}
        PAUSED => return Ok(format!("{id} is paused already: ai-infra task resume {id}")),
        state if state.is_final() => return Ok(format!("{id} had ended already: {state}")),
        state => return Ok(format!("{id} is {state}: there is nothing to pause")),
    }
    desk.ledger
        .pause_task(open.task.id, &who.name, Timestamp::now())
        .await?;
    now(desk).await;
    let next = format!("it goes on with: ai-infra task resume {id}");
    Ok(match desk.ledger.find(task).await?.state {
        PAUSED => format!("{id} is paused; {next}"),
        state if state.is_final() => format!("{id} ended meanwhile: {state}"),
        _ => format!("{id} is paused as soon as the step in hand has ended; {next}"),
    })
}

/// Lets a paused task go on, and one that waits to be tried again. Answers a sentence.
///
/// # Errors
/// When there is no such task or the ledger does not take it.
pub async fn resume(desk: &Desk, task: TaskRef) -> Result<String, LedgerError> {
    let open = desk.ledger.find(task).await?;
    let id = open.task.short_id;
    if open.state == LATER && begun(desk, task).await? {
        dispatch::resume(desk, open.task.id, None).await?;
        return Ok(format!(
            "{id} does not wait any longer, it is tried again now"
        ));
    }
    let was = desk.ledger.release_task(open.task.id).await?;
    if !was && open.state != PAUSED {
        return Ok(format!("{id} is not paused, it is {}", open.state));
    }
    if let Ok(bus) = desk.link.now() {
        // A holder that has not parked it yet is no longer told to.
        let _told_by_the_outbox = timeout(PATIENCE, bus.pause(open.task.id, false)).await;
    }
    now(desk).await;
    Ok(format!("{id} goes on"))
}

async fn now(desk: &Desk) {
    let Ok(bus) = desk.link.now() else {
        return;
    };
    match timeout(PATIENCE, reconcile(desk, &bus)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "paused tasks wait for the outbox"),
        Err(_) => desk.link.failed("no answer in time"),
    }
}

/// Makes bus and ledger what people wished about paused tasks.
///
/// # Errors
/// When either does not answer; the next look goes on.
pub(crate) async fn reconcile(desk: &Desk, bus: &Bus) -> Result<(), dispatch::OutboxError> {
    let paused = desk.ledger.paused_tasks().await?;
    let mut told = false;
    for task in paused.wanted {
        match spoiled::spared(bus.pause(task, true).await)? {
            Some(Paused::Parked(epoch)) => {
                let parked = desk.ledger.parked_as_paused(task, epoch, Timestamp::now());
                desk.hub.tell(parked.await?);
            }
            Some(Paused::Told) => told = true,
            // Not there yet, or its report is on the way: the next look sees.
            Some(Paused::Unknown) | None => {}
        }
    }
    if told {
        bus.hint_brakes().await?;
    }
    for task in paused.unwanted {
        spoiled::spared(bus.pause(task, false).await)?;
        dispatch::resume(desk, task, None).await?;
    }
    Ok(())
}
