//! What calls cost: sums hold what is set aside while a task runs, what was lost stays charged, and
//! the calls always add up to what the task says.

use super::super::fold::{Incoming, News};
use super::super::spends::SpendState;
use super::*;
use protocol::money::MicroUsd;

fn aside(task: &Task, message: u64, epoch: u64, step: &str, amount: u64) -> Incoming {
    let word = Progress::Reserved {
        step: step.to_owned(),
        model: "opus".to_owned(),
        amount: MicroUsd(amount),
        at: at(message as i64),
    };
    progress(task, message, epoch, word)
}

fn paid(task: &Task, message: u64, epoch: u64, step: &str, cost: u64, failed: bool) -> Incoming {
    let usage = Usage {
        requests: 1,
        output_tokens: 5,
        cost: MicroUsd(cost),
        ..Usage::default()
    };
    let word = Progress::Spent {
        step: step.to_owned(),
        model: "opus".to_owned(),
        usage,
        at: at(message as i64),
        failed,
    };
    progress(task, message, epoch, word)
}

fn ended(task: &Task, message: u64, epoch: u64, cost: u64) -> Incoming {
    let mut end = report(task, TaskState::Done);
    end.usage.cost = MicroUsd(cost);
    says(task, message, epoch, News::Report(Box::new(end)))
}

/// Folds the messages, each twice, and says what the calls came to, their sum, and what the task's
/// line says it cost.
async fn check(
    said: impl FnOnce(&Task) -> Vec<Incoming>,
    expected: &[(SpendState, u64)],
    line: u64,
) {
    let room = room().await;
    let task = kept(&room.ledger).await;
    for incoming in said(&task) {
        let one = std::slice::from_ref(&incoming);
        room.ledger.fold(one).await.unwrap();
        room.ledger.fold(one).await.unwrap();
    }
    let spends = room.ledger.spends_since(at(0)).await.unwrap();
    let seen: Vec<(SpendState, u64)> = (spends.iter())
        .map(|spend| (spend.state, spend.usage.cost.0))
        .collect();
    assert_eq!(seen, expected);
    let sum: u64 = expected.iter().map(|(_, cost)| cost).sum();
    assert_eq!(room.ledger.spent_since(at(0)).await.unwrap().0, sum);
    assert_eq!(room.ledger.spent_since(at(99)).await.unwrap().0, 0);
    assert_eq!(room.ledger.spent_by(task.id).await.unwrap().0, sum);
    let other = kept(&room.ledger).await;
    assert_eq!(room.ledger.spent_by(other.id).await.unwrap().0, 0);
    let shown = room.ledger.line(TaskRef::Id(task.id)).await.unwrap();
    assert_eq!(shown.cost.0, line);
    let page = room.ledger.page(TaskRef::Id(task.id)).await.unwrap();
    assert_eq!(page.document.usage.cost_usd, MicroUsd(line).dollars());
}

#[test]
fn no_word_of_an_agent_makes_a_sum_that_cannot_be_made() {
    run(async || {
        let room = room().await;
        let task = kept(&room.ledger).await;
        let far: Timestamp = "9999-01-01T00:00:00Z".parse().unwrap();
        let most = MicroUsd(u64::MAX);
        let aside = |message: u64, step: &str| {
            let word = Progress::Reserved {
                step: step.to_owned(),
                model: "opus".to_owned(),
                amount: most,
                at: far,
            };
            progress(&task, message, 1, word)
        };
        let used = Usage {
            requests: u64::MAX,
            input_tokens: u64::MAX,
            cost: most,
            saved_micro_usd: i64::MIN,
            ..Usage::default()
        };
        let spent = |message: u64, step: &str| {
            let word = Progress::Spent {
                step: step.to_owned(),
                model: "opus".to_owned(),
                usage: used.clone(),
                at: far,
                failed: false,
            };
            progress(&task, message, 1, word)
        };
        let mut end = report(&task, TaskState::Done);
        end.usage = used.clone();
        for said in [
            claimed(&task, 1, 1),
            aside(2, "a"),
            aside(3, "b"),
            spent(4, "c"),
            spent(5, "d"),
            says(&task, 6, 1, News::Report(Box::new(end))),
        ] {
            room.ledger.fold(&[said]).await.unwrap();
        }
        let sum = room.ledger.spent_since(at(0)).await.unwrap();
        assert_eq!(sum, room.ledger.spent_by(task.id).await.unwrap());
        assert!(sum > MicroUsd(1_000_000), "{sum:?}");
        // Nothing was used later than it was told: a month that has not begun cost nothing.
        assert_eq!(room.ledger.spent_since(at(99)).await.unwrap().0, 0);
        room.ledger.page(TaskRef::Id(task.id)).await.unwrap();
    });
}

#[test]
fn what_is_set_aside_counts_and_becomes_what_was_paid() {
    use SpendState::{Failed, Lost, Paid, Reserved};
    run(async || {
        check(
            |t| vec![claimed(t, 1, 1), aside(t, 2, 1, "a", 50)],
            &[(Reserved, 50)],
            0,
        )
        .await;
        check(
            |t| {
                vec![
                    claimed(t, 1, 1),
                    aside(t, 2, 1, "a", 50),
                    paid(t, 3, 1, "a", 20, false),
                    aside(t, 4, 1, "b", 60),
                ]
            },
            &[(Paid, 20), (Reserved, 60)],
            20,
        )
        .await;
        check(
            |t| {
                vec![
                    claimed(t, 1, 1),
                    aside(t, 2, 1, "a", 50),
                    paid(t, 3, 1, "a", 1, true),
                    aside(t, 4, 1, "a", 50),
                    paid(t, 5, 1, "a", 20, false),
                    ended(t, 6, 1, 21),
                ]
            },
            &[(Failed, 1), (Paid, 20)],
            21,
        )
        .await;
        // Its holder died in the call; the next one asked again.
        check(
            |t| {
                vec![
                    claimed(t, 1, 1),
                    aside(t, 2, 1, "a", 50),
                    claimed(t, 3, 2),
                    aside(t, 4, 2, "a", 50),
                    paid(t, 5, 2, "a", 20, false),
                    ended(t, 6, 2, 70),
                ]
            },
            &[(Lost, 50), (Paid, 20)],
            70,
        )
        .await;
    });
}

#[test]
fn the_calls_add_up_to_what_the_task_says() {
    use SpendState::{Lost, Paid};
    run(async || {
        // The report knows of more than was told, as of an agent of an earlier version.
        check(
            |t| vec![claimed(t, 1, 1), ended(t, 2, 1, 30)],
            &[(Paid, 30)],
            30,
        )
        .await;
        check(
            |t| {
                vec![
                    claimed(t, 1, 1),
                    paid(t, 2, 1, "a", 20, false),
                    ended(t, 3, 1, 30),
                ]
            },
            &[(Paid, 20), (Paid, 10)],
            30,
        )
        .await;
        // It knows of less, as one that could not be handed in whole: what was paid stays paid.
        check(
            |t| {
                vec![
                    claimed(t, 1, 1),
                    paid(t, 2, 1, "a", 20, false),
                    ended(t, 3, 1, 0),
                ]
            },
            &[(Paid, 20)],
            20,
        )
        .await;
        // Nobody can work on it any more, in the middle of a call.
        check(
            |t| {
                vec![
                    claimed(t, 1, 1),
                    paid(t, 2, 1, "a", 20, false),
                    aside(t, 3, 1, "b", 50),
                    says(t, 4, 1, News::GivenUp("five deaths".to_owned())),
                ]
            },
            &[(Paid, 20), (Lost, 50)],
            70,
        )
        .await;
    });
}
