//! A task that waits for a person, over a real Redis and a real socket: answered while Redis or the
//! supervisor is away, answered twice, answered too late, cancelled.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::story_team::{Agent, Team, asked};
use bus::claim::Delivery;
use protocol::control::{Answer, Verb};
use protocol::document::QuestionDocument;
use protocol::ids::TaskRef;
use protocol::journal::EntryKind;
use protocol::question::{Choice, Said};
use std::time::Duration;
use tokio::time::sleep;

const HEALTH: &str = "how is this server doing";

async fn claimed(agent: &Agent) -> Delivery {
    let delivery = agent.claim("infra").await;
    agent.begins(&delivery).await;
    delivery
}

fn says(task: TaskRef, question: Option<u64>, choice: Choice) -> Verb {
    let said = Said {
        choice: Some(choice),
        text: None,
    };
    Verb::TaskAnswer {
        task,
        question,
        said,
    }
}

async fn questions(team: &Team, task: TaskRef) -> Vec<QuestionDocument> {
    match team.ask(Verb::TaskShow { task }).await.unwrap() {
        Answer::Task { page } => page.document.questions,
        other => panic!("{other:?}"),
    }
}

async fn refused(team: &Team, verb: Verb, words: &str) {
    let error = team.ask(verb).await.unwrap_err();
    assert_eq!(error.exit_code(), 4, "{error}");
    assert!(error.to_string().contains(words), "{error}");
}

#[tokio::test]
async fn the_first_answer_counts_and_a_late_one_is_refused() {
    let mut team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let (task, _) = team.submit(asked(HEALTH)).await.unwrap();
    refused(&team, says(task, None, Choice::Again), "asked nothing").await;
    agent.asks(&claimed(&agent).await).await;
    team.until(task, "waiting(input)").await;
    match team.ask(Verb::Status).await.unwrap() {
        Answer::Status { status } => assert_eq!(status.questions.len(), 1),
        other => panic!("{other:?}"),
    }
    refused(&team, says(task, Some(2), Choice::Again), "no question 2").await;
    team.ask(says(task, Some(1), Choice::Again)).await.unwrap();
    team.ask(says(task, Some(1), Choice::Again)).await.unwrap();
    refused(&team, says(task, Some(1), Choice::Stop), "`again`").await;

    let second = claimed(&agent).await;
    let journal = agent.bus.journal_read(second.lease.task).await.unwrap();
    let answers: Vec<_> = journal
        .iter()
        .filter(|e| e.kind == EntryKind::Answer)
        .collect();
    assert_eq!(answers.len(), 1);
    assert_eq!(
        (answers[0].step.as_str(), &answers[0].body["choice"]),
        ("execute/call", &"again".into())
    );
    agent.asks(&second).await;
    team.until(task, "waiting(input)").await;
    // What was typed for the first question says nothing about the second.
    refused(&team, says(task, Some(1), Choice::Stop), "`again`").await;
    team.ask(says(task, Some(1), Choice::Again)).await.unwrap();
    assert_eq!(team.state(task).await.to_string(), "waiting(input)");
    team.supervise().await;
    team.agent().await;
    team.ask(says(task, Some(2), Choice::Happened))
        .await
        .unwrap();
    let third = claimed(&agent).await;
    agent
        .ends(&third, protocol::task_state::TaskState::Done)
        .await;
    team.until(task, "done").await;
    let kept = questions(&team, task).await;
    let said: Vec<_> = kept
        .iter()
        .map(|q| q.answer.as_ref().unwrap().said.to_string())
        .collect();
    assert_eq!(said, ["again", "happened"]);
}

#[tokio::test]
async fn an_answer_redis_did_not_hear_is_sent_again_and_one_without_a_place_fails_the_task() {
    let team = Team::start(&[]).await;
    let redis = team.redis();
    let agent = team.agent().await;
    let (task, _) = team.submit(asked(HEALTH)).await.unwrap();
    agent.asks(&claimed(&agent).await).await;
    team.until(task, "waiting(input)").await;
    drop(redis);
    team.ask(says(task, Some(1), Choice::Again)).await.unwrap();
    assert_eq!(team.state(task).await.to_string(), "queued");
    // This one knows nothing of the task, so nobody can tell what was done before the question.
    let _redis = team.redis();
    team.until(task, "failed").await;
}

#[tokio::test]
async fn a_task_that_waits_is_left_alone_and_can_be_cancelled() {
    let mut team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let (task, _) = team.submit(asked(HEALTH)).await.unwrap();
    agent.asks(&claimed(&agent).await).await;
    team.until(task, "waiting(input)").await;
    team.supervise().await;
    sleep(Duration::from_millis(300)).await;
    assert_eq!(team.state(task).await.to_string(), "waiting(input)");
    team.ask(Verb::TaskCancel { task }).await.unwrap();
    team.until(task, "cancelled").await;
    refused(&team, says(task, Some(1), Choice::Again), "no longer open").await;
}
