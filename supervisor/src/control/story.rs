//! The supervisor as its clients and agents see it: a real Redis, a real socket, and an agent
//! played by the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::client::{self, Client, ClientError};
use crate::control::listen;
use crate::ledger::store::Ledger;
use crate::run;
use bus::claim::{Delivery, Inbox};
use bus::connect::{Bus, BusAddress};
use config::bus_access::{self, BusAccess};
use config::env::Env;
use config::home::Home;
use config::load::{Sources, load_from};
use config::settings::Settings;
use jiff::{SignedDuration, Timestamp};
use protocol::control::{Answer, Reply, Submit, Verb};
use protocol::criterion::{Check, Criterion, Evidence, EvidenceSource, Verdict};
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::{RequestId, TaskRef};
use protocol::memory::{MemoryAnswer, MemoryQuery, NewMemory};
use protocol::phase::Phase;
use protocol::report::{Progress, TaskReport, Usage};
use protocol::task::{Effort, Task};
use protocol::task_state::TaskState;
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Team {
    folder: tempfile::TempDir,
    home: Home,
    settings: Settings,
    loops: JoinSet<()>,
}

impl Team {
    async fn start(flags: &[(&str, &str)]) -> Team {
        let folder = tempfile::Builder::new().prefix("sv").tempdir().unwrap();
        let home = Home::at(folder.path().join("h"));
        home.ensure().unwrap();
        let flags: Vec<(String, String)> = flags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let env = Env::from_pairs(Vec::<(String, String)>::new());
        let settings = load_from(&Sources {
            system: folder.path(),
            home: &home,
            env: &env,
            flags: &flags,
        })
        .unwrap();
        let mut team = Team {
            folder,
            home,
            settings,
            loops: JoinSet::new(),
        };
        team.supervise().await;
        team
    }

    /// Starts the supervisor's loops, in place of those that ran.
    async fn supervise(&mut self) {
        self.loops.shutdown().await;
        let ledger = Ledger::open(&self.home.ledger()).await.unwrap();
        let listener = listen::listen(&self.home).await.unwrap();
        let desk = run::desk(self.settings.clone(), self.home.clone(), ledger);
        self.loops = run::start(&desk, listener);
    }

    fn address(&self) -> BusAddress {
        BusAddress {
            url: format!("redis+unix://{}", self.home.redis_sock().display()),
            username: None,
            password: None,
        }
    }

    fn redis(&self) -> Redis {
        let child = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no"])
            .arg("--unixsocket")
            .arg(self.home.redis_sock())
            .arg("--dir")
            .arg(self.folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server is installed");
        let access = BusAccess::new(self.address().url, BTreeMap::new());
        bus_access::write(&self.home, &access).unwrap();
        Redis(child)
    }

    async fn agent(&self) -> Agent {
        let lease = Duration::from_millis(self.settings.team.lease_ms);
        let team = &self.settings.team.name;
        let bus = loop {
            match Bus::connect(&self.address(), team, lease).await {
                Ok(bus) => break bus,
                Err(_) => sleep(Duration::from_millis(20)).await,
            }
        };
        Agent { bus }
    }

    async fn ask(&self, verb: Verb) -> Result<Answer, ClientError> {
        let answer = client::ask(&self.home, verb);
        timeout(Duration::from_secs(10), answer).await.unwrap()
    }

    /// Lines until the last one.
    async fn lines(&self, verb: Verb) -> Result<Vec<Reply>, ClientError> {
        let mut client = Client::connect(&self.home).await?;
        client.send(verb).await?;
        let mut lines = Vec::new();
        loop {
            let line = timeout(Duration::from_secs(20), client.next())
                .await
                .unwrap()?;
            let last = matches!(line, Reply::Done { .. } | Reply::Accepted { .. });
            lines.push(line);
            if last {
                return Ok(lines);
            }
        }
    }

    async fn submit(&self, asked: Submit) -> Result<(TaskRef, bool), ClientError> {
        let lines = self.lines(Verb::Submit(Box::new(asked))).await?;
        match lines.last() {
            Some(Reply::Accepted { task, again }) => Ok((TaskRef::Id(task.task_id), *again)),
            other => panic!("{other:?}"),
        }
    }

    async fn state(&self, task: TaskRef) -> TaskState {
        match self.ask(Verb::TaskShow { task }).await.unwrap() {
            Answer::Task { page } => page.document.state,
            other => panic!("{other:?}"),
        }
    }

    async fn until(&self, task: TaskRef, expected: &str) {
        for _ in 0..500 {
            if self.state(task).await.to_string() == expected {
                return;
            }
            sleep(Duration::from_millis(20)).await;
        }
        panic!("{} instead of {expected}", self.state(task).await);
    }
}

/// An agent played by the test.
struct Agent {
    bus: Bus,
}

impl Agent {
    async fn claim(&self, role: &str) -> Delivery {
        let role = role.parse().unwrap();
        let mut inbox = Inbox::open(&self.bus, &role, "here", "played@here")
            .await
            .unwrap();
        for _ in 0..20 {
            if let Some(delivery) = inbox.next().await.unwrap() {
                return delivery;
            }
        }
        panic!("no work came")
    }

    fn envelope(&self, delivery: &Delivery, kind: MessageType) -> Envelope {
        let role = delivery.lease.role.as_str();
        let mut envelope = Envelope::new(self.bus.team(), kind, role, "supervisor");
        envelope.epoch = Some(delivery.lease.epoch);
        envelope.payload.task_id = Some(delivery.lease.task);
        envelope
    }

    async fn says(&self, delivery: &Delivery, progress: &Progress) {
        let mut envelope = self.envelope(delivery, MessageType::Progress);
        envelope.payload.context = serde_json::to_value(progress).unwrap();
        self.bus.progress(&delivery.lease, &envelope).await.unwrap();
    }

    async fn begins(&self, delivery: &Delivery) {
        let progress = Progress::Claimed {
            holder: "played@here".to_owned(),
            epoch: delivery.lease.epoch,
            replayed: 0,
        };
        self.says(delivery, &progress).await;
    }

    async fn ends(&self, delivery: &Delivery, state: TaskState) {
        let task: Task = serde_json::from_value(delivery.envelope.payload.context.clone()).unwrap();
        let mut envelope = self.envelope(delivery, MessageType::Result);
        envelope.payload.context = serde_json::to_value(report(&task, state)).unwrap();
        self.bus.finish(&delivery.lease, &envelope).await.unwrap();
    }
}

fn report(task: &Task, state: TaskState) -> TaskReport {
    let path = "README.md".to_owned();
    TaskReport {
        task_id: task.id,
        agent: task.agent.clone(),
        state,
        question: None,
        phases: Vec::new(),
        criteria: vec![Criterion {
            id: "c1".to_owned(),
            text: "it is there".to_owned(),
            check: Check::File {
                path,
                exists: true,
                contains: None,
                lacks: None,
                sha256: None,
            },
            change: false,
        }],
        evidence: vec![Evidence {
            criterion: "c1".to_owned(),
            verdict: Verdict::Passed,
            source: EvidenceSource::File,
            observed: "there".to_owned(),
            measured: Timestamp::now(),
            tree: None,
        }],
        result: "done".to_owned(),
        artifacts: Vec::new(),
        usage: Usage::default(),
        learned: Vec::new(),
        recalled: Vec::new(),
        calls: Vec::new(),
    }
}

fn asked(request: &str) -> Submit {
    Submit {
        request: request.to_owned(),
        request_id: RequestId::new(),
        agent: None,
        playbook: None,
        script: None,
        workspace: None,
        effort: Effort::Standard,
        budget_usd: None,
        priority: None,
        deadline: None,
    }
}

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
            "agent `cod`: code",
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
            "no playbook covers this",
        ),
    ];
    for (change, exit, part) in cases {
        let mut asked = asked(HEALTH);
        change(&mut asked);
        let error = team.submit(asked).await.unwrap_err();
        assert_eq!(error.exit_code(), exit, "{error}");
        assert!(error.to_string().contains(part), "{error}");
        if part.starts_with("no playbook") {
            assert_eq!(error.hints().len(), 4, "{:?}", error.hints());
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
    let mut question = Envelope::new(agent.bus.team(), MessageType::Query, "code", "supervisor");
    question.payload.action = "memory".to_owned();
    let query = MemoryQuery::Recall {
        query: "parser tabs".to_owned(),
        project: None,
        limit: 5,
    };
    question.payload.context = serde_json::to_value(query).unwrap();
    let wait = Duration::from_secs(10);
    let answer = agent.bus.ask(&question, wait).await.unwrap();
    let answer: MemoryAnswer = serde_json::from_value(answer.payload.context).unwrap();
    assert_eq!(answer, MemoryAnswer::Found { memories });
    question.payload.action = "poem".to_owned();
    let answer = agent.bus.ask(&question, wait).await.unwrap();
    let answer: MemoryAnswer = serde_json::from_value(answer.payload.context).unwrap();
    assert!(matches!(answer, MemoryAnswer::Error { .. }));
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
    let apply = team.ask(Verb::TaskApply { task }).await.unwrap_err();
    assert!(apply.to_string().contains("no workspace"), "{apply}");
    team.ask(Verb::TaskDiscard { task }).await.unwrap();
    assert!(!folder.exists());
    let gone = team.ask(Verb::TaskDiff { task }).await.unwrap_err();
    assert!(gone.to_string().contains("discarded"), "{gone}");
}
