//! The supervisor as its clients and agents see it, over a real Redis and a real socket.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::story_team::{Team, asked};
use bus::presence::Presence;
use jiff::{SignedDuration, Timestamp};
use protocol::control::{Answer, Reply, Submit, Verb};
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::TaskRef;
use protocol::memory::{MemoryAnswer, MemoryQuery, NewMemory};
use protocol::phase::Phase;
use protocol::report::Progress;
use protocol::task_state::TaskState;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::time::sleep;

const HEALTH: &str = "how is this server doing";

#[tokio::test]
async fn a_task_asked_for_while_redis_is_away_is_kept_done_and_followed() {
    let mut team = Team::start(&[]).await;
    let first = asked(HEALTH);
    let lines = team
        .lines(Verb::Submit(Box::new(first.clone())))
        .await
        .unwrap();
    let note = Reply::Event {
        progress: Box::new(Progress::Note {
            text: crate::dispatch::AWAY.to_owned(),
        }),
    };
    assert_eq!(lines.first(), Some(&note));
    let (task, again) = team.submit(first.clone()).await.unwrap();
    assert!(again);
    let other = Submit {
        request: "something else".to_owned(),
        ..first
    };
    assert_eq!(team.submit(other).await.unwrap_err().exit_code(), 2);
    // The supervisor dies and comes back, then Redis does.
    team.supervise().await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let role = match team.ask(Verb::TaskShow { task }).await.unwrap() {
        Answer::Task { page } => page.task.agent,
        other => panic!("{other:?}"),
    };
    let delivery = agent.claim(role.as_str()).await;
    let follow = team.lines(Verb::Follow { task });
    let work = async {
        agent.begins(&delivery).await;
        team.until(task, "running(observe)").await;
        let phase = Phase::Verify;
        let at = Timestamp::now();
        agent
            .says(&delivery, &Progress::PhaseStarted { phase, at })
            .await;
        // Twice is once.
        agent.ends(&delivery, TaskState::Done).await;
        agent.ends(&delivery, TaskState::Done).await;
    };
    let (told, ()) = tokio::join!(follow, work);
    check_told(&told.unwrap());
    let told_again = team.lines(Verb::Follow { task }).await.unwrap();
    check_told(&told_again);
    for _ in 0..100 {
        if !agent.bus.known(delivery.lease.task).await.unwrap() {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
}

fn check_told(lines: &[Reply]) {
    let names: Vec<String> = lines
        .iter()
        .map(|line| match line {
            Reply::State { state } => state.to_string(),
            Reply::Event { progress } => match &**progress {
                Progress::Claimed { .. } => "claimed".to_owned(),
                Progress::PhaseStarted { phase, .. } => phase.to_string(),
                other => panic!("{other:?}"),
            },
            Reply::Done { answer } => match &**answer {
                Answer::Run { document } => {
                    assert_eq!(document.state, TaskState::Done);
                    assert_eq!(document.criteria[0].passed, Some(true));
                    assert_eq!(document.attempts, 1);
                    "document".to_owned()
                }
                other => panic!("{other:?}"),
            },
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        names,
        [
            "queued",
            "claimed",
            "running(observe)",
            "VERIFY",
            "done",
            "document"
        ]
    );
}

#[tokio::test]
async fn cancelling_reaches_who_holds_the_task_and_deadlines_end_it() {
    let team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let (queued, _) = team.submit(asked(HEALTH)).await.unwrap();
    team.ask(Verb::TaskCancel { task: queued }).await.unwrap();
    assert_eq!(team.state(queued).await, TaskState::Cancelled);

    let (held, _) = team.submit(asked(HEALTH)).await.unwrap();
    let delivery = agent.claim("infra").await;
    assert_eq!(TaskRef::Id(delivery.lease.task), held);
    agent.begins(&delivery).await;
    team.ask(Verb::TaskCancel { task: held }).await.unwrap();
    team.until(held, "cancelling").await;
    agent.ends(&delivery, TaskState::Cancelled).await;
    team.until(held, "cancelled").await;

    let late = Submit {
        deadline: Some(Timestamp::now() + SignedDuration::from_millis(300)),
        ..asked(HEALTH)
    };
    let (late, _) = team.submit(late).await.unwrap();
    let told = team.lines(Verb::Follow { task: late }).await.unwrap();
    assert!(matches!(told.last(), Some(Reply::Done { .. })));
    let failed = TaskState::Failed {
        reason: "deadline passed".to_owned(),
    };
    assert_eq!(team.state(late).await, failed);
}

#[tokio::test]
async fn requests_that_cannot_be_are_refused_with_the_next_step() {
    let team = Team::start(&[("engine.name", "playbook")]).await;
    let long = "x".repeat(40_000);
    let now = Timestamp::now();
    type Change = Box<dyn Fn(&mut Submit)>;
    let cases: Vec<(Change, u8, &str)> = vec![
        (Box::new(|s| s.request.clear()), 2, "empty"),
        (Box::new(move |s| s.request = long.clone()), 2, "bytes"),
        (Box::new(|s| s.request.push('\0')), 2, "U+0000"),
        (Box::new(|s| s.priority = Some(11)), 2, "priority"),
        (Box::new(|s| s.budget_usd = Some(-1.0)), 2, "budget"),
        (Box::new(|s| s.budget_usd = Some(1e9)), 2, "budget"),
        (Box::new(move |s| s.deadline = Some(now)), 124, "deadline"),
        (
            Box::new(|s| s.agent = "cod".parse().ok()),
            2,
            "agent `cod`; the nearest is `code`",
        ),
        (Box::new(|s| s.agent = "qa".parse().ok()), 2, "not of qa"),
        (Box::new(|s| s.workspace = Some("x".into())), 2, "absolute"),
        (
            Box::new(|s| s.workspace = Some("/no/such/folder".into())),
            2,
            "not a folder",
        ),
        (
            Box::new(|s| s.script = Some("/tmp/x".into())),
            2,
            "scripted",
        ),
        (
            Box::new(|s| s.playbook = Some(("host-healt".to_owned(), Default::default()))),
            2,
            "host-health",
        ),
        (
            Box::new(|s| s.request = "paint the moon green".to_owned()),
            2,
            "no playbook does this",
        ),
    ];
    for (change, exit, part) in cases {
        let mut asked = asked(HEALTH);
        change(&mut asked);
        let error = team.submit(asked).await.unwrap_err();
        assert_eq!(error.exit_code(), exit, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        if part.starts_with("no playbook") {
            assert!(
                (3..=5).contains(&error.hints().len()),
                "{:?}",
                error.hints()
            );
        }
    }
    match team.ask(Verb::TaskList { limit: 10 }).await.unwrap() {
        Answer::Tasks { tasks } => assert!(tasks.is_empty(), "{tasks:?}"),
        other => panic!("{other:?}"),
    }
    for verb in [
        Verb::TaskShow {
            task: "t9".parse().unwrap(),
        },
        Verb::Down,
    ] {
        assert_eq!(team.ask(verb).await.unwrap_err().exit_code(), 2);
    }
}

#[tokio::test]
async fn hung_and_hostile_clients_cost_others_nothing() {
    let team = Team::start(&[]).await;
    let mut hung = Vec::new();
    for _ in 0..20 {
        let mut stream = UnixStream::connect(team.home.supervisor_sock())
            .await
            .unwrap();
        stream.write_all(b"{\"v\":1,").await.unwrap();
        hung.push(stream);
    }
    for (sent, part) in [
        ("nonsense", "no request"),
        ("{\"v\":99,\"verb\":\"later\"}", "restart"),
        ("{\"v\":1,\"verb\":\"later\"}", "no request"),
    ] {
        let stream = UnixStream::connect(team.home.supervisor_sock())
            .await
            .unwrap();
        let mut stream = BufReader::new(stream);
        let line = format!("{sent}\n");
        stream.write_all(line.as_bytes()).await.unwrap();
        let mut said = String::new();
        stream.read_line(&mut said).await.unwrap();
        assert!(
            said.contains("\"line\":\"error\"") && said.contains(part),
            "{said}"
        );
    }
    match team.ask(Verb::Status).await.unwrap() {
        Answer::Status { status } => {
            assert_eq!(status.state, "degraded");
            assert!(status.problems[0].contains("redis"), "{status:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn memory_has_one_owner_for_people_and_agents() {
    let team = Team::start(&[]).await;
    let _redis = team.redis();
    let memory = NewMemory {
        title: "the parser dislikes tabs".to_owned(),
        body: "Replace tabs before parsing.".to_owned(),
        project: None,
        tags: Vec::new(),
        source: "person".to_owned(),
        task: None,
        phase: None,
        evidence: Vec::new(),
        key: "k1".to_owned(),
    };
    let kept = memory.clone();
    team.ask(Verb::MemoryAdd { memory }).await.unwrap();
    let found = team
        .ask(Verb::MemorySearch {
            query: "parser tabs".to_owned(),
            project: None,
            limit: 5,
        })
        .await
        .unwrap();
    let Answer::Memories { memories } = found else {
        panic!("{found:?}")
    };
    assert_eq!(memories.len(), 1);
    let agent = team.agent().await;
    let presence = Presence {
        instance: "code-1".to_owned(),
        role: "code".parse().unwrap(),
        pid: 1,
        version: "0".to_owned(),
        host: "here".to_owned(),
        task: None,
        held_back: None,
        at: Timestamp::now(),
    };
    agent.bus.announce(&presence).await.unwrap();
    let mut question = Envelope::new(agent.bus.team(), MessageType::Query, "code", "supervisor");
    question.payload.action = "memory".to_owned();
    let query = MemoryQuery::Recall {
        query: "parser tabs".to_owned(),
        project: None,
        limit: 5,
    };
    question.payload.context = serde_json::to_value(query).unwrap();
    let ask = async |question: &Envelope| {
        let (code, wait) = ("code".parse().unwrap(), Duration::from_secs(10));
        let answer = agent.bus.ask(&code, question, wait).await.unwrap();
        serde_json::from_value::<MemoryAnswer>(answer.payload.context).unwrap()
    };
    assert_eq!(ask(&question).await, MemoryAnswer::Found { memories });
    // Whatever it says, what it wants kept is its own.
    let memory = NewMemory {
        source: "person".to_owned(),
        key: "k2".to_owned(),
        ..kept
    };
    question.payload.context = serde_json::to_value(MemoryQuery::Remember { memory }).unwrap();
    let MemoryAnswer::Kept { id } = ask(&question).await else {
        panic!("it was not kept")
    };
    let shown = team.ask(Verb::MemoryShow { id }).await.unwrap();
    let Answer::Text { text } = shown else {
        panic!("{shown:?}")
    };
    assert!(text.contains("source: \"code\""), "{text}");
    question.payload.action = "poem".to_owned();
    assert!(matches!(ask(&question).await, MemoryAnswer::Error { .. }));
}

#[tokio::test]
async fn a_patch_is_shown_refused_and_thrown_away() {
    let team = Team::start(&[]).await;
    let _redis = team.redis();
    let agent = team.agent().await;
    let (task, _) = team.submit(asked(HEALTH)).await.unwrap();
    let early = team.ask(Verb::TaskDiff { task }).await.unwrap_err();
    assert!(early.to_string().contains("wait for its end"), "{early}");
    let delivery = agent.claim("infra").await;
    agent.begins(&delivery).await;
    agent.ends(&delivery, TaskState::Done).await;
    team.until(task, "done").await;
    let none = team.ask(Verb::TaskDiff { task }).await.unwrap_err();
    assert!(none.to_string().contains("left no patch"), "{none}");
    let folder = team.home.tasks().join("t1");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("patch.diff"), "diff --git a/x b/x\n").unwrap();
    match team.ask(Verb::TaskDiff { task }).await.unwrap() {
        Answer::Text { text } => assert!(text.starts_with("diff")),
        other => panic!("{other:?}"),
    }
    let apply = team
        .ask(Verb::TaskApply {
            task,
            control_files: false,
        })
        .await
        .unwrap_err();
    assert!(apply.to_string().contains("no workspace"), "{apply}");
    team.ask(Verb::TaskDiscard { task }).await.unwrap();
    assert!(!folder.exists());
    let gone = team.ask(Verb::TaskDiff { task }).await.unwrap_err();
    assert!(gone.to_string().contains("discarded"), "{gone}");
}

#[tokio::test]
async fn what_a_redis_forgot_is_sent_again() {
    let team = Team::start(&[]).await;
    let redis = team.redis();
    team.agent().await;
    let (task, _) = team.submit(asked(HEALTH)).await.unwrap();
    drop(redis);
    let (second, _) = team.submit(asked(HEALTH)).await.unwrap();
    // This one knows nothing of either.
    let _redis = team.redis();
    let agent = team.agent().await;
    for _ in 0..2 {
        let delivery = agent.claim("infra").await;
        agent.begins(&delivery).await;
        agent.ends(&delivery, TaskState::Done).await;
    }
    team.until(task, "done").await;
    team.until(second, "done").await;
}
