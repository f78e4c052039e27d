//! What the warden hears of tasks that end.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::ledger::tests::kept;
use crate::run::tests::bare;
use bus::cancel::CancelOutcome;
use protocol::ids::TaskId;
use warden::tickets::ticket::Wanted;

const PIN: &str = "over the hill";

fn wanted(task: TaskId) -> Wanted {
    Wanted {
        task: task.to_string(),
        short: "t1".to_owned(),
        step: "execute/1/s".to_owned(),
        agent: "code".to_owned(),
        principal: "ada(1000)".to_owned(),
        level: 1,
        kind: "http.change".to_owned(),
        action: serde_json::json!({"do": "http_request", "method": "POST"}),
        undo: None,
        claimed: String::new(),
        foreseen: None,
        above: None,
        seen: None,
    }
}

/// No ticket of theirs is open and nothing runs for them: the yes for the whole task is all there is.
#[tokio::test]
async fn a_yes_for_a_whole_task_is_over_with_the_task_and_not_before() {
    let folder = tempfile::Builder::new().prefix("sv").tempdir().unwrap();
    let desk = bare(folder.path()).await;
    let story = async {
        let patience = Duration::from_secs(20);
        let mut warden = Client::new(&desk.home, patience);
        let new = PIN.to_owned();
        warden.ask(Ask::Pin { old: None, new }).await.unwrap();
        let (stays, ends) = (kept(&desk.ledger).await.id, kept(&desk.ledger).await.id);
        for task in [stays, ends] {
            let wanted = wanted(task);
            let (ticket, mark) = warden.leave(&wanted).await.unwrap();
            let answer = Ask::Answer {
                id: ticket.id,
                mark,
                yes: true,
                for_task: true,
                because: String::new(),
                pin: Some(PIN.to_owned()),
                signature: None,
            };
            warden.ask(answer).await.unwrap();
            warden.burn(ticket.id, &wanted).await.unwrap();
        }
        let (all, left) = ([stays.to_string(), ends.to_string()], [stays.to_string()]);
        over(&desk, &mut warden).await.unwrap();
        assert_eq!(warden.leaves().await.unwrap(), all);
        let now = Timestamp::now();
        desk.ledger
            .cancel(ends, Some(CancelOutcome::Removed), now)
            .await
            .unwrap();
        over(&desk, &mut warden).await.unwrap();
        assert_eq!(warden.leaves().await.unwrap(), left);
    };
    tokio::select! {
        ended = warden::serve::run(desk.home.clone(), "web1".to_owned()) => panic!("{ended:?}"),
        () = story => {}
    }
}
