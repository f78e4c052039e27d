//! Tasks that an older supervisor sent: the bus knows their role and not what they are about, and launchers of
//! agents take nobody else's word for that.

use crate::desk::Desk;
use crate::dispatch::{OutboxError, envelope};
use bus::connect::Bus;
use protocol::ids::{ShortId, TaskId, TaskRef};

/// How many tasks one look takes from the ledger.
const PAGE: u32 = 500;

/// Says of every open task what it is about, where the bus was not told when it was sent.
pub(crate) async fn say_again(desk: &Desk, bus: &Bus) -> Result<(), OutboxError> {
    let mut after = ShortId(0);
    loop {
        let page = desk.ledger.open_ids(after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            return Ok(());
        };
        after = *last;
        let listed: Vec<TaskId> = page.into_iter().map(|(_, task)| task).collect();
        let said = bus.assignments(&listed).await?;
        for (id, said) in listed.into_iter().zip(said) {
            if said.is_some_and(|said| said.work.is_none())
                && let Err(error) = say(desk, bus, id).await
            {
                // One that cannot be told holds up no other.
                match &error {
                    OutboxError::Bus(bus) if bus.is_unreachable() => return Err(error),
                    _ => {
                        tracing::warn!(task = %id, %error, "the bus does not know what it is about")
                    }
                }
            }
        }
    }
}

async fn say(desk: &Desk, bus: &Bus, id: TaskId) -> Result<(), OutboxError> {
    let task = desk.ledger.find(TaskRef::Id(id)).await?.task;
    let envelope = envelope(&desk.settings.team.name, &task)?;
    bus.say_again(&envelope, task.host.as_deref()).await?;
    tracing::info!(task = %task.short_id, "of an older supervisor: the bus knows now what it is about");
    Ok(())
}
