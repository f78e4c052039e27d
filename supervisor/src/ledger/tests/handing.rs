//! Tasks that change hands: the wish, the decision, and whose words count afterwards.

use super::*;
use crate::ledger::fold::Folded;
use protocol::ids::{Role, ShortId};
use protocol::report::HandOff;
use protocol::task_state::WaitReason;

fn wish(task: &Task, message: u64, epoch: u64) -> Incoming {
    let on = WaitReason::Handoff;
    let mut report = report(task, TaskState::Waiting { on });
    report.handoff = Some(HandOff {
        to: "qa".parse().unwrap(),
        note: "look at it".to_owned(),
        step: "execute/1/give".to_owned(),
        call: "give".to_owned(),
    });
    says(task, message, epoch, News::Report(Box::new(report)))
}

async fn parked(ledger: &Ledger) -> Task {
    let task = kept(ledger).await;
    ledger.fold(&[claimed(&task, 1, 5)]).await.unwrap();
    let said = ledger.fold(&[wish(&task, 2, 5), wish(&task, 2, 5)]).await;
    assert!(matches!(
        said.unwrap()[..],
        [Folded::Kept(_), Folded::Again]
    ));
    task
}

#[test]
fn a_task_moves_once_and_the_old_role_has_no_more_say() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let task = parked(ledger).await;
        assert!(!ledger.events_after(task.id, 0).await.unwrap().rests);
        let asked = ledger.handoffs_asked(9).await.unwrap();
        assert_eq!((asked.len(), asked[0].number), (1, 1));
        let decided = ledger.hand_off(&asked[0], None, at(3)).await.unwrap();
        let (owed, _) = decided.unwrap();
        let (code, qa): (Role, Role) = ("code".parse().unwrap(), "qa".parse().unwrap());
        assert_eq!(owed.handed, Some(Box::new((code, qa.clone()))));
        assert_eq!(ledger.hand_off(&asked[0], None, at(3)).await.unwrap(), None);
        // Killed before the bus heard of it: the next supervisor owes the very same.
        let newer = Ledger::open(&room.place).await.unwrap();
        assert!(newer.handoffs_asked(9).await.unwrap().is_empty());
        assert_eq!(newer.resumes_owed(9).await.unwrap()[0], owed);
        let entry = owed.answer.unwrap();
        assert_eq!(
            (entry.step.as_str(), entry.epoch),
            ("execute/1/give", Epoch(5))
        );
        let open = &newer.in_hand(ShortId(0), 9).await.unwrap()[0];
        assert_eq!((&open.task.agent, &open.state), (&qa, &TaskState::Queued));
        for (role, was) in [("code", true), ("qa", true), ("data", false)] {
            let said = newer.was_of(&open.task, &role.parse().unwrap()).await;
            assert_eq!(said.unwrap(), was, "{role}");
        }
        newer.resumed(task.id, Epoch(5)).await.unwrap();
        let late = newer.fold(&[reported(&task, 7, 5, TaskState::Done)]).await;
        assert_eq!(late.unwrap(), [Folded::Ignored("another role's task")]);
        let mut done = reported(&task, 8, 6, TaskState::Done);
        done.role = qa.clone();
        newer.fold(&[done]).await.unwrap();
        assert_eq!(state(&newer, &task).await, TaskState::Done);
        let page = newer.page(TaskRef::Id(task.id)).await.unwrap();
        assert_eq!(page.document.agent, qa);
        assert_eq!(page.notes, ["code hands it to qa: look at it"]);
    });
}

#[test]
fn a_refused_wish_leaves_it_with_whom_it_is() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let task = parked(ledger).await;
        let asked = ledger.handoffs_asked(9).await.unwrap().remove(0);
        let decided = ledger.hand_off(&asked, Some("no such agent"), at(3)).await;
        let (owed, _) = decided.unwrap().unwrap();
        assert_eq!(owed.handed, None);
        assert_eq!(owed.answer.unwrap().body["is_error"], true);
        assert_eq!(ledger.resumes_owed(9).await.unwrap().len(), 1);
        assert_eq!(state(ledger, &task).await, TaskState::Queued);
        let open = ledger.find(TaskRef::Id(task.id)).await.unwrap();
        assert_eq!(open.task.agent.as_str(), "code");
    });
}

#[test]
fn a_cancelled_task_changes_no_hands() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let task = parked(ledger).await;
        let asked = ledger.handoffs_asked(9).await.unwrap().remove(0);
        ledger.cancel(task.id, FREE, at(3)).await.unwrap();
        assert_eq!(state(ledger, &task).await, TaskState::Cancelled);
        assert!(ledger.handoffs_asked(9).await.unwrap().is_empty());
        assert_eq!(ledger.hand_off(&asked, None, at(4)).await.unwrap(), None);
    });
}
