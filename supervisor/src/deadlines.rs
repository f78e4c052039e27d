//! The clock of tasks: what must be over by now ends, what is due by now is queued.

use crate::desk::Desk;
use crate::dispatch::go_on;
use crate::ledger::store::LedgerError;
use jiff::Timestamp;
use protocol::task_state::{LATE, TaskState};
use std::time::Duration;
use tokio::time::sleep;

/// How often it is looked.
const LOOK: Duration = Duration::from_secs(1);

/// Ends tasks whose deadline has passed and queues those whose time has come. Runs for ever; needs
/// no bus.
pub async fn deadlines(desk: &Desk) {
    loop {
        sleep(LOOK).await;
        if let Err(error) = end_overdue(desk).await {
            desk.note(&error);
        }
        match desk.ledger.queue_due(Timestamp::now()).await {
            Ok((told, owed)) => {
                desk.hub.tell(told);
                for one in owed {
                    go_on(desk, one, Vec::new()).await;
                }
            }
            Err(error) => desk.note(&error),
        }
    }
}

async fn end_overdue(desk: &Desk) -> Result<(), LedgerError> {
    let now = Timestamp::now();
    for task in desk.ledger.overdue(now).await? {
        let to = TaskState::Failed {
            reason: LATE.to_owned(),
        };
        desk.hub.tell(desk.ledger.end(task, to, now).await?);
    }
    Ok(())
}
