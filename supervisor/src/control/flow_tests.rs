//! Stories of the flow of work, over the control socket with a real Redis and a played agent:
//! dead letters, retries, due times, brakes.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::story_team::{Team, asked};
use jiff::{SignedDuration, Timestamp};
use protocol::control::{Answer, Reply, Submit, Verb};
use protocol::document::{DeadLetterLine, TaskLine};
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::{RequestId, TaskRef};
use protocol::task_state::TaskState;
use std::process::Command;
use std::time::Duration;
use tokio::time::sleep;

const HEALTH: &str = "host health";

impl Team {
    fn redis_cli(&self, words: &[&str]) {
        let ran = Command::new("redis-cli")
            .arg("-s")
            .arg(self.home.redis_sock())
            .args(words)
            .output()
            .expect("redis-cli runs");
        assert!(ran.status.success(), "{ran:?}");
    }

    async fn accepted(&self, verb: Verb) -> (TaskLine, bool) {
        match self.lines(verb).await.unwrap().pop() {
            Some(Reply::Accepted { task, again }) => (*task, again),
            other => panic!("{other:?}"),
        }
    }

    async fn dead(&self) -> Vec<DeadLetterLine> {
        match self.ask(Verb::DeadList { limit: 10 }).await.unwrap() {
            Answer::DeadLetters { letters } => letters,
            other => panic!("{other:?}"),
        }
    }

    async fn said(&self, verb: Verb) -> String {
        match self.ask(verb).await.unwrap() {
            Answer::Ok { message } => message,
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_task_that_was_given_up_is_replayed_once_as_a_new_one() {
    let team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let (old, _) = team.submit(asked(HEALTH)).await.unwrap();
    for _ in 0..5 {
        let held = agent.claim("infra").await;
        agent.bus.release_holder("played@here").await.unwrap();
        let id = held.lease.task.to_string();
        team.redis_cli(&["ZADD", "{main}:back:infra:any", "XX", "1", &id]);
    }
    // The next claim gives it up; the one after has nothing.
    let role = "infra".parse().unwrap();
    let mut inbox = bus::claim::Inbox::open(&agent.bus, &role, "here", "x")
        .await
        .unwrap();
    assert!(inbox.try_next().await.unwrap().is_none());
    team.until(old, "failed").await;
    let letters = team.dead().await;
    assert_eq!(letters.len(), 1);
    assert!(letters[0].reason.contains("5 holders died"), "{letters:?}");
    assert_eq!(letters[0].task.unwrap().to_string(), "t1");
    let id = letters[0].id.clone();
    match team.ask(Verb::DeadShow { id: id.clone() }).await.unwrap() {
        Answer::DeadLetter { letter } => {
            assert!(letter.body.contains(HEALTH), "{letter:?}");
            assert_eq!(letter.replay, "a new task that does t1 again");
        }
        other => panic!("{other:?}"),
    }
    let (new, again) = team.accepted(Verb::DeadReplay { id: id.clone() }).await;
    assert!(!again);
    assert!(team.dead().await.is_empty());
    // The answer got lost and it is asked for once more.
    let (same, again) = team.accepted(Verb::DeadReplay { id }).await;
    assert!(again && same.task_id == new.task_id);
    let held = agent.claim("infra").await;
    assert_eq!(held.lease.task, new.task_id);
    match team
        .ask(Verb::TaskShow {
            task: TaskRef::Id(new.task_id),
        })
        .await
        .unwrap()
    {
        Answer::Task { page } => assert_eq!(page.task.retry_of.unwrap().to_string(), "t1"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_letter_that_names_another_roles_task_does_not_have_it_done_again() {
    let team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let (task, _) = team.submit(asked(HEALTH)).await.unwrap();
    let held = agent.claim("infra").await;
    agent.begins(&held).await;
    let id = held.lease.task.to_string();
    // What an agent that was taken over can write.
    team.redis_cli(&["SADD", "{main}:lanes", "code:any"]);
    let letter = [
        "XADD",
        "{main}:dead:code",
        "1-1",
        "reason",
        "x",
        "task",
        &id,
    ];
    team.redis_cli(&letter);
    let replayed = async |expected: &str| {
        let letter = "code/1-1".to_owned();
        match team.ask(Verb::DeadShow { id: letter.clone() }).await {
            Ok(Answer::DeadLetter { letter }) => assert!(letter.replay.contains(expected)),
            other => panic!("{other:?}"),
        }
        let refused = team.lines(Verb::DeadReplay { id: letter }).await;
        let refused = refused.unwrap_err();
        assert_eq!(refused.exit_code(), protocol::exit::REFUSED);
        assert!(refused.to_string().contains(expected), "{refused}");
    };
    replayed("it names t1, which was never a task of code").await;
    let reason = "x".to_owned();
    agent.ends(&held, TaskState::Failed { reason }).await;
    team.until(task, "failed").await;
    replayed("it names t1, which was never a task of code").await;
    assert_eq!(team.dead().await.len(), 1);
}

#[tokio::test]
async fn a_foreign_message_is_replayed_when_it_can_be_read_and_stays_when_not() {
    let team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let mut foreign = Envelope::new(agent.bus.team(), MessageType::Task, "somebody", "infra");
    foreign.payload.context = serde_json::json!({"request": HEALTH});
    let readable = String::from_utf8(foreign.to_bytes().unwrap()).unwrap();
    let stream = "{main}:q:infra:any:normal";
    for body in [readable.as_str(), "{\"v\":1}"] {
        team.redis_cli(&["XADD", stream, "*", "e", body]);
    }
    let role = "infra".parse().unwrap();
    let mut inbox = bus::claim::Inbox::open(&agent.bus, &role, "here", "x")
        .await
        .unwrap();
    assert!(inbox.try_next().await.unwrap().is_none());
    let letters = team.dead().await;
    assert_eq!(letters.len(), 2, "newest first: {letters:?}");
    let unreadable = letters[0].id.clone();
    let refused = team.lines(Verb::DeadReplay { id: unreadable }).await;
    let refused = refused.unwrap_err();
    assert_eq!(refused.exit_code(), protocol::exit::REFUSED);
    assert!(
        refused.to_string().contains("not a valid envelope"),
        "{refused}"
    );
    // Killed after the task was kept and before the letter left the list: the same again.
    let id = letters[1].id.clone();
    let kept = Submit {
        request_id: format!("dead/{id}").parse().unwrap(),
        agent: "infra".parse().ok(),
        priority: Some(5),
        ..asked(HEALTH)
    };
    let (task, _) = team.submit(kept).await.unwrap();
    let (line, again) = team.accepted(Verb::DeadReplay { id }).await;
    assert!(again && TaskRef::Id(line.task_id) == task);
    assert_eq!(team.dead().await.len(), 1, "the readable one is gone");
    for id in ["code/9-9", "code/x", "nonsense", "Code/1-0"] {
        let none = team.ask(Verb::DeadShow { id: id.to_owned() }).await;
        assert_eq!(none.unwrap_err().exit_code(), protocol::exit::USAGE, "{id}");
    }
}

#[tokio::test]
async fn an_ended_task_is_done_again_and_an_open_one_is_not() {
    let team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let (task, _) = team.submit(asked(HEALTH)).await.unwrap();
    let retry = |id: &str| Verb::TaskRetry {
        task,
        request_id: id.parse::<RequestId>().unwrap(),
    };
    let open = team.lines(retry("r1")).await.unwrap_err();
    assert!(open.to_string().contains("has not ended"), "{open}");
    let held = agent.claim("infra").await;
    agent.begins(&held).await;
    let reason = "x".to_owned();
    agent.ends(&held, TaskState::Failed { reason }).await;
    team.until(task, "failed").await;
    let (first, again) = team.accepted(retry("r1")).await;
    let (second, twice) = team.accepted(retry("r1")).await;
    assert!(!again && twice && first.task_id == second.task_id);
    assert_eq!(first.request, HEALTH);
    assert_eq!(agent.claim("infra").await.lease.task, first.task_id);
}

#[tokio::test]
async fn a_due_task_waits_over_a_restart_and_a_redis_that_forgot() {
    let mut team = Team::start(&[]).await;
    let redis = team.redis();
    team.agent().await;
    let due = Timestamp::now() + SignedDuration::from_millis(2500);
    let later = Submit {
        due: Some(due),
        ..asked(HEALTH)
    };
    let (task, _) = team.submit(later).await.unwrap();
    assert_eq!(team.state(task).await.to_string(), "waiting(time)");
    let far = Submit {
        due: Some(due + SignedDuration::from_hours(9)),
        ..asked(HEALTH)
    };
    let (cancelled, _) = team.submit(far).await.unwrap();
    drop(redis);
    team.supervise().await;
    let _redis = team.redis();
    team.said(Verb::TaskCancel { task: cancelled }).await;
    team.until(cancelled, "cancelled").await;
    let agent = team.agent().await;
    let held = agent.claim("infra").await;
    assert!(Timestamp::now() >= due, "it began before its time");
    assert_eq!(TaskRef::Id(held.lease.task), task);
    agent.begins(&held).await;
    agent.ends(&held, TaskState::Done).await;
    team.until(task, "done").await;
}

#[tokio::test]
async fn brakes_hold_over_a_restart_and_a_redis_that_forgot() {
    let mut team = Team::start(&[]).await;
    let redis = team.redis();
    let agent = team.agent().await;
    let infra: protocol::ids::Role = "infra".parse().unwrap();
    for (pull, release, expected) in [
        (Verb::Freeze, Verb::Thaw, "frozen since"),
        (
            Verb::AgentPause {
                role: infra.clone(),
            },
            Verb::AgentResume {
                role: infra.clone(),
            },
            "infra is paused since",
        ),
    ] {
        for _ in 0..2 {
            let said = team.said(pull.clone()).await;
            assert!(said.contains(expected), "{said}");
        }
        let lines = team.lines(Verb::Submit(Box::new(asked(HEALTH)))).await;
        let told = format!("{:?}", lines.unwrap());
        assert!(told.contains(expected), "{told}");
        team.redis_cli(&["FLUSHALL"]);
        team.supervise().await;
        sleep(Duration::from_millis(500)).await;
        let mut inbox = bus::claim::Inbox::open(&agent.bus, &infra, "here", "played@here")
            .await
            .unwrap();
        assert!(inbox.next().await.unwrap().is_none(), "{expected}");
        drop(inbox);
        match team.ask(Verb::Status).await.unwrap() {
            Answer::Status { status } => {
                assert_eq!(status.frozen.is_some(), pull == Verb::Freeze);
                assert_eq!(status.paused.len(), usize::from(pull != Verb::Freeze));
            }
            other => panic!("{other:?}"),
        }
        team.said(release.clone()).await;
        let held = agent.claim("infra").await;
        agent.ends(&held, TaskState::Done).await;
        let said = team.said(release).await;
        assert!(said.contains("was not"), "{said}");
    }
    let typo = Verb::AgentPause {
        role: "infa".parse().unwrap(),
    };
    let said = team.ask(typo).await.unwrap_err().to_string();
    assert!(said.contains("nearest is `infra`"), "{said}");
    drop(redis);
}
