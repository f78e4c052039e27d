//! The ledger against real databases, every story once in a file and once on a server, as tables of cases: what the stories share is here,
//! `keeping` is about tasks and who may write, `folding` about what agents report,
//! `plans` about tasks that are made of others.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod anchoring;
mod away;
mod carrying;
mod folding;
mod handing;
mod keeping;
mod parking;
mod places;
mod plans;
mod scheduling;
mod servers;
mod spending;
mod talking;
mod words;

use super::fold::{Incoming, News};
use super::keep::{Kept, NewTask};
use super::place::Place;
use super::server::Server;
use super::store::Ledger;
use bus::cancel::CancelOutcome;
use jiff::Timestamp;
use protocol::criterion::{Check, Criterion, Evidence, EvidenceSource, Verdict};
use protocol::ids::{Epoch, RequestId, TaskId, TaskRef};
use protocol::phase::Phase;
use protocol::postgres::Address;
use protocol::report::{PhaseSpan, Progress, TaskReport, Usage};
use protocol::task::{Effort, Principal, Task, Way};
use protocol::task_state::TaskState;
use std::cell::Cell;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use tests::postgres::Database;

pub(super) struct Room {
    _folder: Option<tempfile::TempDir>,
    pub(super) ledger: Ledger,
    pub(super) place: Place,
}

/// The bus met nobody who held it.
pub(super) const FREE: Option<CancelOutcome> = Some(CancelOutcome::Removed);
/// The bus met somebody who holds it.
pub(super) const HELD: Option<CancelOutcome> = Some(CancelOutcome::Told);

thread_local! {
    /// Whether the story that runs on this thread has its ledger on a server.
    static ON_SERVER: Cell<bool> = const { Cell::new(false) };
}

/// A place of its own in the server of the tests.
pub(super) fn on_server() -> Option<Place> {
    static DATABASE: OnceLock<Option<Database>> = OnceLock::new();
    static TEAMS: AtomicU32 = AtomicU32::new(0);
    let database = DATABASE.get_or_init(tests::postgres::database).as_ref()?;
    let (address, _) = Address::parse(&database.socket_url("postgres")).unwrap();
    let team = format!("team-{}", TEAMS.fetch_add(1, Ordering::Relaxed));
    Some(Place::Server(Box::new(Server {
        address,
        password: None,
        team: team.parse().unwrap(),
        home: "the home of the stories".to_owned(),
    })))
}

pub(super) async fn room() -> Room {
    let (folder, place) = match ON_SERVER.get() {
        true => (None, on_server().unwrap()),
        false => {
            let folder = tempfile::tempdir().unwrap();
            let place = Place::file(folder.path().join("ledger.db"));
            (Some(folder), place)
        }
    };
    Room {
        ledger: Ledger::open(&place).await.unwrap(),
        _folder: folder,
        place,
    }
}

/// Tells a story twice: with its ledgers in files, then on a server.
pub(super) fn run(story: impl AsyncFn()) {
    for server in [false, true] {
        if server && on_server().is_none() {
            return;
        }
        ON_SERVER.set(server);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(story());
    }
    ON_SERVER.set(false);
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn new_task(request_id: &str, asked: &str) -> NewTask {
    NewTask {
        id: TaskId::new(),
        request_id: request_id.parse().unwrap(),
        asked: asked.to_owned(),
        principal: Principal {
            uid: 1000,
            name: "ada".to_owned(),
        },
        request: "run the tests".to_owned(),
        agent: "code".parse().unwrap(),
        routed_because: "said so".to_owned(),
        way: Way::Anthropic,
        workspace: None,
        host: None,
        ceiling: None,
        effort: Effort::Standard,
        budget: None,
        priority: 5,
        deadline: None,
        due: None,
        retry_of: None,
        accepted: at(0),
        parent: None,
        trace: None,
        attachments: Vec::new(),
        parts: Vec::new(),
    }
}

pub(crate) async fn kept(ledger: &Ledger) -> Task {
    let id = RequestId::new();
    match ledger
        .keep(&new_task(id.as_str(), "a"), 1000)
        .await
        .unwrap()
    {
        Kept::New(task, _) => *task,
        Kept::Again(task) => panic!("{task:?} was there"),
    }
}

pub(super) fn says(task: &Task, message: u64, epoch: u64, news: News) -> Incoming {
    Incoming {
        task: task.id,
        message: format!("m{message}"),
        role: "code".parse().unwrap(),
        epoch: Some(Epoch(epoch)),
        at: at(message as i64),
        news,
    }
}

pub(super) fn progress(task: &Task, message: u64, epoch: u64, progress: Progress) -> Incoming {
    says(task, message, epoch, News::Progress(progress))
}

pub(super) fn claimed(task: &Task, message: u64, epoch: u64) -> Incoming {
    let holder = format!("code-{epoch}");
    progress(
        task,
        message,
        epoch,
        Progress::Claimed {
            holder,
            epoch: Epoch(epoch),
            replayed: epoch - 1,
        },
    )
}

fn criterion(id: &str) -> Criterion {
    Criterion {
        id: id.to_owned(),
        text: "the file is there".to_owned(),
        check: Check::File {
            path: "a".to_owned(),
            exists: true,
            contains: None,
            lacks: None,
            sha256: None,
        },
        change: false,
    }
}

fn evidence(id: &str, verdict: Verdict, second: i64) -> Evidence {
    Evidence {
        criterion: id.to_owned(),
        verdict,
        source: EvidenceSource::File,
        observed: format!("{verdict:?} at {second}"),
        measured: at(second),
        tree: None,
    }
}

fn report(task: &Task, state: TaskState) -> TaskReport {
    TaskReport {
        task_id: task.id,
        agent: task.agent.clone(),
        state,
        question: None,
        asked: None,
        handoff: None,
        wait: None,
        phases: vec![PhaseSpan {
            phase: Phase::Observe,
            started: at(1),
            ended: Some(at(2)),
        }],
        criteria: vec![criterion("c1")],
        evidence: vec![
            evidence("c1", Verdict::Failed, 3),
            evidence("c1", Verdict::Passed, 9),
        ],
        result: "all **good**".to_owned(),
        artifacts: Vec::new(),
        usage: Usage {
            requests: 2,
            ..Usage::default()
        },
        learned: vec!["m1".to_owned()],
        recalled: Vec::new(),
        calls: Vec::new(),
    }
}

pub(super) fn reported(task: &Task, message: u64, epoch: u64, state: TaskState) -> Incoming {
    says(
        task,
        message,
        epoch,
        News::Report(Box::new(report(task, state))),
    )
}

pub(super) async fn state(ledger: &Ledger, task: &Task) -> TaskState {
    ledger.find(TaskRef::Id(task.id)).await.unwrap().state
}
