//! Stories of who looks before asking and who watches: a proposal keeps nothing, and a watcher hears
//! of every task, whoever asked for it.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::story_team::{Team, asked};
use crate::client::Client;
use protocol::control::{Answer, Reply, Submit, Verb};
use protocol::proposal::Proposal;
use protocol::task_state::TaskState;
use std::time::Duration;
use tokio::time::timeout;

async fn proposed(team: &Team, submit: Submit) -> Proposal {
    match team.ask(Verb::Propose(Box::new(submit))).await.unwrap() {
        Answer::Proposed { proposal } => *proposal,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_proposal_says_what_would_be_done_and_keeps_nothing() {
    let team = Team::start(&[]).await;
    let Proposal::Ready(ready) = proposed(&team, asked("host health")).await else {
        panic!("host health is a playbook's");
    };
    assert_eq!(ready.agent.as_str(), "infra");
    assert!(!ready.criteria.is_empty() && ready.confirm.is_none());
    let plan = proposed(&team, asked("run the tests and look for leaked secrets")).await;
    match plan {
        Proposal::Ready(ready) => assert_eq!(ready.plan.unwrap().parts.len(), 2),
        other => panic!("{other:?}"),
    }
    let nobody = proposed(&team, asked("write a poem about the sea")).await;
    match nobody {
        Proposal::NoWay { model, .. } => assert!(model.contains("secret set"), "{model}"),
        other => panic!("{other:?}"),
    }
    match team.ask(Verb::TaskList { limit: 10 }).await.unwrap() {
        Answer::Tasks { tasks } => assert!(tasks.is_empty(), "{tasks:?}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_watcher_hears_of_every_task() {
    let team = Team::start(&[]).await;
    let mut watcher = Client::connect(&team.home).await.unwrap();
    watcher.send(Verb::Watch).await.unwrap();
    // It listens once it is seen among the clients: what is said before is not told again.
    let mut asked_for = 0;
    loop {
        team.submit(asked("host health")).await.unwrap();
        asked_for += 1;
        match timeout(Duration::from_millis(500), watcher.next()).await {
            Ok(told) => {
                match told.unwrap() {
                    Reply::Happened { task, agent, told } => {
                        assert!((1..=asked_for).contains(&task.0), "{task}");
                        assert_eq!(agent.as_str(), "infra");
                        let state = TaskState::Queued;
                        assert_eq!(*told, Reply::State { state });
                    }
                    // A word about the team, such as that redis is away.
                    Reply::Event { .. } => continue,
                    other => panic!("{other:?}"),
                }
                return;
            }
            Err(_) if asked_for < 20 => {}
            Err(_) => panic!("the watcher heard nothing"),
        }
    }
}
