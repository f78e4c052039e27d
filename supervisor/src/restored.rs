//! A ledger that comes out of a backup: it is older than what happened since. Nothing of it goes on by
//! itself: what was open then may be long done, so a person decides. The bus it comes to is empty or
//! another's; which one is compared as always when the team starts.

use crate::ledger::place::Place;
use crate::ledger::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::ids::ShortId;

/// How many tasks one look takes from the ledger.
const PAGE: u32 = 500;
/// Numbers left free for the tasks that were accepted after the backup was made: a number is never
/// given again.
const NUMBERS: u64 = 1000;

/// What became of what was open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Parked {
    /// Tasks that wait for a person.
    pub tasks: u64,
    /// Parts of plans that are not begun.
    pub parts: u64,
}

/// Parks everything that was open when the ledger was copied. Cut off anywhere, it can be said again.
pub async fn park(ledger: &Place, made: Timestamp) -> Result<Parked, LedgerError> {
    let when = made.strftime("%Y-%m-%d %H:%M UTC");
    // Opening raises the epoch: whoever wrote the old one writes no more.
    let ledger = Ledger::open(ledger).await?;
    let parked = all(&ledger, &when.to_string()).await;
    ledger.close().await;
    parked
}

async fn all(ledger: &Ledger, when: &str) -> Result<Parked, LedgerError> {
    let now = Timestamp::now();
    ledger.forget_anchors().await?;
    let mut parked = Parked::default();
    let reason = format!(
        "it was not begun when the backup of {when} was made, and may have been since: `ai-infra task retry` of the plan begins what is missing"
    );
    loop {
        let ready = ledger.ready_parts(PAGE).await?;
        let mut moved = 0;
        for part in &ready {
            let told = ledger.part_unstartable(part, &reason, now).await?;
            moved += u64::from(!told.is_empty());
        }
        parked.parts += moved;
        if moved == 0 {
            break;
        }
    }
    let question = format!(
        "this task was open when the backup of {when} was made; it may have been finished since: look at its effects, then let it start anew or cancel it"
    );
    let mut after = ShortId(0);
    loop {
        let page = ledger.in_hand(after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = last.task.short_id;
        for open in &page {
            let told = ledger.ask_person(open.task.id, &question, now).await?;
            parked.tasks += u64::from(!told.is_empty());
        }
    }
    let owed = format!("it was owed when the backup of {when} was made, and may have run since");
    ledger.rebase_schedules(&owed, now).await?;
    let newest = ledger.newest_number().await?;
    ledger
        .skip_numbers(newest.0.saturating_add(NUMBERS))
        .await?;
    Ok(parked)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ledger::copy;
    use crate::ledger::tests::kept;
    use protocol::task_state::{TaskState, WaitReason};

    #[tokio::test]
    async fn what_was_open_waits_for_a_person_and_no_number_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let file = Place::file(folder.path().join("ledger.db"));
        let ledger = Ledger::open(&file).await.unwrap();
        let first = kept(&ledger).await;
        let copied = folder.path().join("copy.db");
        ledger.copy_to(&copied).await.unwrap();
        assert!(
            ledger.copy_to(&copied).await.is_err(),
            "nothing is written over"
        );
        let second = kept(&ledger).await;
        ledger.close().await;
        // The copy knows nothing of what came after it.
        let made: Timestamp = "2026-11-21T03:00:00Z".parse().unwrap();
        for _ in 0..2 {
            park(&Place::file(&copied), made).await.unwrap();
        }
        let restored = Ledger::open(&Place::file(&copied)).await.unwrap();
        let open = restored
            .find(protocol::ids::TaskRef::Id(first.id))
            .await
            .unwrap();
        let on = WaitReason::Input;
        assert_eq!(open.state, TaskState::Waiting { on });
        let asked = restored.open_questions(10).await.unwrap();
        assert_eq!(asked.len(), 1);
        assert!(
            asked[0]
                .question
                .text
                .contains("backup of 2026-11-21 03:00 UTC")
        );
        assert!(restored.in_hand(ShortId(0), 10).await.unwrap().is_empty());
        let next = kept(&restored).await;
        assert!(
            next.short_id > second.short_id,
            "{} {}",
            next.short_id,
            second.short_id
        );
        restored.close().await;
        // A team that is down is copied too.
        let again = folder.path().join("again.db");
        copy::copy(&file, &again).await.unwrap();
        assert_eq!(
            copy::workspaces(&Place::file(&again), "h")
                .await
                .unwrap()
                .folders,
            Vec::<std::path::PathBuf>::new()
        );
    }
}
