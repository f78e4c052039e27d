//! What people say to open tasks: in order, owed until the bus has it, owed again where it forgot.

use super::*;
use crate::ledger::store::LedgerError;
use protocol::money::MicroUsd;
use protocol::word::{MOST_WORDS, Spoken};

fn ann() -> Principal {
    Principal {
        uid: 1001,
        name: "ann".to_owned(),
    }
}

async fn say(ledger: &Ledger, task: &Task, said: Spoken) -> Result<u64, LedgerError> {
    let kept = ledger.say(task.id, &said, &ann(), at(9)).await;
    kept.map(|(number, _)| number)
}

async fn owed(ledger: &Ledger) -> Vec<u64> {
    let owed = ledger.words_owed(100).await.unwrap();
    owed.into_iter().map(|word| word.number).collect()
}

#[test]
fn words_are_owed_in_order_and_again_where_the_bus_forgot() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let task = kept(ledger).await;
        let words = |text: &str| Spoken::Words(text.to_owned());
        assert_eq!(say(ledger, &task, words("a")).await.unwrap(), 1);
        let limit = Spoken::Budget(MicroUsd(7));
        assert_eq!(say(ledger, &task, limit).await.unwrap(), 2);
        assert_eq!(say(ledger, &task, words("b")).await.unwrap(), 3);
        assert_eq!(owed(ledger).await, [1, 2, 3]);
        let known = TaskRef::Id(task.id);
        let budget = ledger.find(known).await.unwrap().task.budget;
        assert_eq!(budget, Some(MicroUsd(7)));
        for number in 1..=3 {
            ledger.word_told(task.id, number, false).await.unwrap();
        }
        assert!(owed(ledger).await.is_empty());
        let heard = Progress::Heard {
            number: 1,
            text: "a".to_owned(),
        };
        let batch = [claimed(&task, 1, 1), progress(&task, 2, 1, heard)];
        ledger.fold(&batch).await.unwrap();
        let document = ledger.document(known).await.unwrap();
        let seen: Vec<bool> = document.words.iter().map(|w| w.heard.is_some()).collect();
        assert_eq!(seen, [true, false, false]);
        assert_eq!(document.words[0].by, ann());
        // It begins anew, and hears everything again.
        ledger.owe_words_again(task.id).await.unwrap();
        assert_eq!(owed(ledger).await, [1, 2, 3]);
        let done = reported(&task, 3, 1, TaskState::Done);
        ledger.fold(&[done]).await.unwrap();
        assert!(owed(ledger).await.is_empty(), "nobody hears it any more");
        let late = say(ledger, &task, words("c")).await.unwrap_err();
        assert!(late.to_string().contains("it is done already"), "{late}");
    });
}

#[test]
fn there_is_a_most_that_can_be_said_to_one_task() {
    run(async || {
        let room = room().await;
        let ledger = &room.ledger;
        let task = kept(ledger).await;
        let word = || Spoken::Words("w".to_owned());
        for number in 1..=MOST_WORDS {
            assert_eq!(say(ledger, &task, word()).await.unwrap(), number);
        }
        let more = say(ledger, &task, word()).await.unwrap_err();
        assert!(more.to_string().contains("which is the limit"), "{more}");
        let other = kept(ledger).await;
        assert_eq!(say(ledger, &other, word()).await.unwrap(), 1);
    });
}
