//! What the monitor is told: the status, the newest tasks, what waits, what happened last.

use crate::desk::Desk;
use crate::intake;
use crate::ledger::store::LedgerError;
use crate::status;
use jiff::Timestamp;
use protocol::board::{BOARD_VERSION, Board, LaneLine};
use protocol::ids::TaskRef;
use protocol::money::MicroUsd;
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for what the bus says.
const PATIENCE: Duration = Duration::from_millis(150);
/// Tasks told at most, besides those that are held.
const TASKS: usize = 40;

/// The board as it is now.
///
/// # Errors
/// When the ledger does not answer.
pub async fn board(desk: &Desk) -> Result<Board, LedgerError> {
    let status = status::status(desk).await?;
    let mut tasks = desk.ledger.newest(TASKS).await?;
    for held in status.processes.iter().filter_map(|process| process.task) {
        if !tasks.iter().any(|task| task.short_id == held) {
            tasks.push(desk.ledger.line(TaskRef::Short(held)).await?);
        }
    }
    let spent = desk
        .ledger
        .spent_since(intake::month_start(Timestamp::now()));
    Ok(Board {
        version: BOARD_VERSION,
        status,
        tasks,
        lanes: lanes(desk).await,
        phases: desk.ledger.phases_of_running().await?,
        events: desk.hub.recent(),
        spent: spent.await?,
        budget: MicroUsd::from_dollars(desk.settings.budget.month_usd),
    })
}

/// What waits, where the bus says it in time.
async fn lanes(desk: &Desk) -> Vec<LaneLine> {
    let Ok(bus) = desk.link.now() else {
        return Vec::new();
    };
    let Ok(Ok(lengths)) = timeout(PATIENCE, bus.queue_lengths()).await else {
        return Vec::new();
    };
    let line = |(role, class, waiting)| LaneLine {
        role,
        class,
        waiting,
    };
    let some = lengths.into_iter().filter(|(_, _, waiting)| *waiting > 0);
    some.map(line).collect()
}
