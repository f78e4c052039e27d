//! Whether the Redis that answers is the one the ledger knows, and what a person may decide when
//! it is not. Until that is clear no agent is let in and nothing is sent.

use crate::desk::Desk;
use crate::ledger::pages::Open;
use crate::ledger::store::{Ledger, LedgerError};
use bus::connect::Bus;
use bus::error::BusError;
use bus::incarnation::Verdict;
use config::error::ConfigError;
use jiff::Timestamp;
use protocol::exit;
use protocol::ids::{ShortId, TaskRef};
use protocol::task_state::{TaskState, WaitReason};

/// How many tasks one look takes from the ledger.
const PAGE: u32 = 500;

/// Why redis could not be compared or taken.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Redis.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The home.
    #[error(transparent)]
    Home(#[from] ConfigError),
    /// There is nothing to decide.
    #[error("redis is the one this team knows: there is nothing to accept")]
    Nothing,
}

impl CompareError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            CompareError::Ledger(error) => error.exit_code(),
            CompareError::Bus(error) => error.exit_code(),
            CompareError::Home(error) => error.exit_code(),
            CompareError::Nothing => exit::USAGE,
        }
    }
}

/// Compares; `None` when all is well and agents are let in, else what a person must decide about.
pub async fn compare(
    bus: &Bus,
    ledger: &Ledger,
    home: &str,
) -> Result<Option<String>, CompareError> {
    // Nothing is folded and let go of between reading the marks and looking at the streams.
    let _alone = ledger.folding().lock().await;
    let known = ledger.known_of_bus().await?;
    let verdict = bus.compare(home, known.found, &known.marks).await?;
    if verdict == Verdict::New {
        if !known.marks.is_empty() {
            tracing::warn!(
                "redis holds nothing of this team any more; the ledger sends open tasks again"
            );
        }
        // The ledger first: cut off in between, this Redis is still new.
        ledger.take_bus(Timestamp::now()).await?;
        bus.found(home).await?;
    }
    Ok(sentence(&verdict, known.at))
}

/// What was seen, and the choices.
fn sentence(verdict: &Verdict, folded: Option<Timestamp>) -> Option<String> {
    let when = folded.map_or("an unknown time".to_owned(), |at| {
        at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
    });
    let choice = "nothing is begun until a person decides";
    match verdict {
        Verdict::Same | Verdict::New => None,
        Verdict::Older { role, last } => Some(format!(
            "redis was put back to an older state: its last word of {role} is of {}, the ledger has one of {when}; {choice}: bring the newer data of redis back and restart it, or take it as it is: ai-infra bus accept",
            of_entry(last)
        )),
        Verdict::Newer { role, deleted } if !role.is_empty() => Some(format!(
            "the ledger was put back to an older state: redis had a word of {role} of {} that it does not know, its own newest is of {when}; {choice}: bring the newer ledger back and restart, or go on with this one: ai-infra bus accept",
            of_entry(deleted)
        )),
        Verdict::Newer { .. } => Some(format!(
            "redis holds this team's tasks and the ledger knows nothing of them, so it was lost or put back; {choice}: bring the ledger back and restart, or go on with this one: ai-infra bus accept"
        )),
    }
}

/// When an entry was written, by its id.
fn of_entry(id: &str) -> String {
    let ms = id.split('-').next().and_then(|ms| ms.parse::<i64>().ok());
    match ms.filter(|ms| *ms > 0).map(Timestamp::from_millisecond) {
        Some(Ok(at)) => at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
        _ => "no time at all".to_owned(),
    }
}

/// One sentence about Redis and the ledger.
pub fn said(desk: &Desk) -> String {
    match (desk.link.now(), desk.link.stopped()) {
        (Ok(_), _) => "redis is the one this team knows".to_owned(),
        (Err(_), Some((_, why))) => why,
        (Err(why), None) => format!("redis cannot be compared now: {why}"),
    }
}

/// Takes Redis and ledger as they are. What one knows as begun and the other does not know the end
/// of waits for a person; what is only queued is kept; what the ledger has ended does not run again.
/// Cut off anywhere, it can be said again.
///
/// # Errors
/// When there is nothing to decide, or a store does not answer.
pub async fn accept(desk: &Desk) -> Result<String, CompareError> {
    let Some((bus, why)) = desk.link.stopped() else {
        return Err(CompareError::Nothing);
    };
    desk.ledger.skip_numbers(highest_folder(desk)).await?;
    let mut expelled = 0;
    for id in bus.open_tasks().await? {
        let open = match desk.ledger.find(TaskRef::Id(id)).await {
            Ok(open) => Some(open),
            Err(LedgerError::NoTask(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let begun = match &open {
            Some(open) => begun(desk, open).await?,
            None => true,
        };
        if begun {
            bus.expel(id).await?;
            expelled += 1;
        }
    }
    let mut waiting = 0;
    let mut after = ShortId(0);
    loop {
        let page = desk.ledger.in_hand(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.task.short_id;
        for open in &page {
            if open.state == TaskState::Cancelling || !begun(desk, open).await? {
                continue;
            }
            bus.expel(open.task.id).await?;
            let question = format!(
                "{why}. This task was begun, and what was done since is not known: look at its effects, then let it start anew or cancel it"
            );
            let told = desk
                .ledger
                .ask_person(open.task.id, &question, Timestamp::now())
                .await?;
            waiting += usize::from(!told.is_empty());
            desk.hub.tell(told);
        }
    }
    desk.ledger.take_bus(Timestamp::now()).await?;
    bus.found(&config::home_id::home_id(&desk.home)?).await?;
    desk.link.look_again();
    tracing::warn!(
        why,
        expelled,
        waiting,
        "redis and ledger were taken as they are"
    );
    Ok(format!(
        "redis is taken as it is: {waiting} tasks that were begun wait for a person, {expelled} were taken out of the queues; the rest goes on"
    ))
}

/// Whether anybody may have done anything for a task.
async fn begun(desk: &Desk, open: &Open) -> Result<bool, LedgerError> {
    match open.state {
        TaskState::Queued
        | TaskState::Waiting {
            on: WaitReason::Time | WaitReason::Host,
        } => {
            let page = desk.ledger.page(TaskRef::Id(open.task.id)).await?;
            Ok(!page.attempts.is_empty())
        }
        _ => Ok(true),
    }
}

/// The highest number among the folders of tasks.
pub(crate) fn highest_folder(desk: &Desk) -> u64 {
    let names = std::fs::read_dir(desk.home.tasks()).into_iter().flatten();
    names
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix('t')?.parse().ok())
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_was_seen_is_said_with_both_times_and_the_choices() {
        let at = "2026-11-21T10:00:00Z".parse().unwrap();
        let older = Verdict::Older {
            role: "code".to_owned(),
            last: "1795255200000-3".to_owned(),
        };
        let said = sentence(&older, Some(at)).unwrap();
        for part in [
            "2026-11-21 10:00:00 UTC",
            "last word of code",
            "ai-infra bus accept",
        ] {
            assert!(said.contains(part), "{said}");
        }
        let empty = Verdict::Older {
            role: "code".to_owned(),
            last: "0-0".to_owned(),
        };
        assert!(
            sentence(&empty, Some(at))
                .unwrap()
                .contains("no time at all")
        );
        assert_eq!(sentence(&Verdict::Same, Some(at)), None);
        assert_eq!(sentence(&Verdict::New, None), None);
    }
}
