//! What the stories are told with: a team in a folder of its own, a real Redis, and an agent
//! played by the test.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use crate::client::{self, Client, ClientError};
use crate::control::listen;
use crate::ledger::place::Place;
use crate::ledger::store::Ledger;
use crate::run;
use bus::claim::{Delivery, Inbox};
use bus::connect::{Bus, BusAddress};
use config::bus_access::{self, BusAccess};
use config::env::Env;
use config::home::Home;
use config::load::{Sources, load_from};
use config::settings::Settings;
use jiff::Timestamp;
use protocol::control::{Answer, Reply, Submit, Verb};
use protocol::criterion::{Check, Criterion, Evidence, EvidenceSource, Verdict};
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::TaskRef;
use protocol::question::{Choice, Question};
use protocol::report::{Progress, TaskReport, Usage};
use protocol::task::Task;
use protocol::task_state::TaskState;
use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

pub(super) struct Redis(Child);

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) struct Team {
    pub(super) folder: tempfile::TempDir,
    pub(super) home: Home,
    settings: Settings,
    loops: JoinSet<()>,
}

impl Team {
    pub(super) async fn start(flags: &[(&str, &str)]) -> Team {
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
    pub(super) async fn supervise(&mut self) {
        self.loops.shutdown().await;
        let ledger = Ledger::open(&Place::file(self.home.ledger()))
            .await
            .unwrap();
        let listener = listen::listen(&self.home).await.unwrap();
        let desk = run::desk(self.settings.clone(), self.home.clone(), ledger);
        self.loops = run::start(&desk, listener);
    }

    pub(super) fn address(&self) -> BusAddress {
        BusAddress {
            url: format!("redis+unix://{}", self.home.redis_sock().display()),
            username: None,
            password: None,
            ca: None,
        }
    }

    pub(super) fn redis(&self) -> Redis {
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

    pub(super) async fn agent(&self) -> Agent {
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

    pub(super) async fn ask(&self, verb: Verb) -> Result<Answer, ClientError> {
        let answer = client::ask(&self.home, verb);
        timeout(Duration::from_secs(10), answer).await.unwrap()
    }

    /// Lines until the last one.
    pub(super) async fn lines(&self, verb: Verb) -> Result<Vec<Reply>, ClientError> {
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

    pub(super) async fn submit(&self, asked: Submit) -> Result<(TaskRef, bool), ClientError> {
        let lines = self.lines(Verb::Submit(Box::new(asked))).await?;
        match lines.last() {
            Some(Reply::Accepted { task, again }) => Ok((TaskRef::Id(task.task_id), *again)),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn state(&self, task: TaskRef) -> TaskState {
        match self.ask(Verb::TaskShow { task }).await.unwrap() {
            Answer::Task { page } => page.document.state,
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn until(&self, task: TaskRef, expected: &str) {
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
pub(super) struct Agent {
    pub(super) bus: Bus,
}

impl Agent {
    pub(super) async fn claim(&self, role: &str) -> Delivery {
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

    pub(super) async fn says(&self, delivery: &Delivery, progress: &Progress) {
        let mut envelope = self.envelope(delivery, MessageType::Progress);
        envelope.payload.context = serde_json::to_value(progress).unwrap();
        self.bus.progress(&delivery.lease, &envelope).await.unwrap();
    }

    pub(super) async fn begins(&self, delivery: &Delivery) {
        let progress = Progress::Claimed {
            holder: "played@here".to_owned(),
            epoch: delivery.lease.epoch,
            replayed: 0,
        };
        self.says(delivery, &progress).await;
    }

    pub(super) async fn ends(&self, delivery: &Delivery, state: TaskState) {
        let task: Task = serde_json::from_value(delivery.envelope.payload.context.clone()).unwrap();
        let mut envelope = self.envelope(delivery, MessageType::Result);
        envelope.payload.context = serde_json::to_value(report(&task, state)).unwrap();
        self.bus.finish(&delivery.lease, &envelope).await.unwrap();
    }

    /// Parks the task with a question about a call in doubt.
    pub(super) async fn asks(&self, delivery: &Delivery) {
        let task: Task = serde_json::from_value(delivery.envelope.payload.context.clone()).unwrap();
        let mut envelope = self.envelope(delivery, MessageType::Result);
        envelope.payload.context = serde_json::to_value(in_doubt(&task)).unwrap();
        let parked = self.bus.park(&delivery.lease, &envelope).await.unwrap();
        assert_eq!(parked, bus::park::Parked::Waits);
    }
}

pub(super) fn report(task: &Task, state: TaskState) -> TaskReport {
    let path = "README.md".to_owned();
    TaskReport {
        task_id: task.id,
        agent: task.agent.clone(),
        state,
        question: None,
        asked: None,
        handoff: None,
        wait: None,
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

pub(super) fn asked(request: &str) -> Submit {
    Submit::words(request)
}

/// The report of a task that waits for an answer to a call in doubt.
pub(super) fn in_doubt(task: &Task) -> TaskReport {
    let on = protocol::task_state::WaitReason::Input;
    let question = Question {
        step: "execute/call".to_owned(),
        text: "did this happen: POST hooks/deploy?".to_owned(),
        known: Vec::new(),
        choices: Choice::ALL.to_vec(),
        ticket: None,
    };
    TaskReport {
        question: Some(question.text.clone()),
        asked: Some(question),
        ..report(task, TaskState::Waiting { on })
    }
}
