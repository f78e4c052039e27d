//! Tells a person elsewhere that a task waits for them: each question once on each way that is set up, tried again
//! with growing pauses and then given up, a few a minute. What was told is kept in a small file beside the
//! sockets; where that is lost, or a supervisor dies between the telling and the keeping, it is told again.

use crate::desk::Desk;
use ::notices::again::{A_MINUTE, pause};
use ::notices::notice::{Kind, Notice};
use ::notices::{Way, Ways};
use config::private_file;
use jiff::Timestamp;
use protocol::document::QuestionDocument;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(1);
/// Most questions of one look, and the largest file, in bytes.
const PAGE: u32 = 500;
const FILE_BYTES: u64 = 1 << 20;

/// What became of one notice on one way.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Told {
    /// Tries that failed.
    failed: u32,
    /// Not before.
    due: Option<Timestamp>,
    /// It was taken, or given up.
    over: bool,
}

#[derive(Default, Serialize, Deserialize)]
struct File {
    v: u32,
    told: BTreeMap<String, Told>,
}

/// Tells again and again. Runs for ever.
pub async fn keep(desk: &Desk) {
    let ways = match Ways::of(&desk.settings.notices) {
        Ok(ways) => ways,
        Err(error) => {
            let said = format!("nobody is told elsewhere that something waits: {error}");
            tracing::error!(said);
            desk.hub.say(said);
            return std::future::pending().await;
        }
    };
    if ways.all().is_empty() {
        return std::future::pending().await;
    }
    let mut teller = Teller::open(desk);
    loop {
        match desk.ledger.open_questions(PAGE).await {
            Ok(asked) => teller.look(desk, &ways, &asked).await,
            Err(error) => desk.note(&error),
        }
        sleep(PAUSE).await;
    }
}

struct Teller {
    path: PathBuf,
    told: BTreeMap<String, Told>,
    /// When the last few were sent.
    sent: VecDeque<Instant>,
}

impl Teller {
    fn open(desk: &Desk) -> Self {
        let path = desk.home.run().join("notices.json");
        let kept = private_file::read(&path, FILE_BYTES).ok().flatten();
        let kept = kept.and_then(|text| serde_json::from_slice::<File>(&text).ok());
        Self {
            path,
            told: kept.unwrap_or_default().told,
            sent: VecDeque::new(),
        }
    }

    async fn look(&mut self, desk: &Desk, ways: &Ways, asked: &[QuestionDocument]) {
        let key = |one: &QuestionDocument, way: Way| {
            format!("{}/{}/{}", one.task, one.number, way.as_str())
        };
        let before = self.told.len();
        let open: Vec<String> = (asked.iter())
            .flat_map(|one| ways.all().into_iter().map(move |way| key(one, way)))
            .collect();
        self.told.retain(|told, _| open.contains(told));
        let mut changed = before != self.told.len();
        for one in asked {
            for way in ways.all() {
                let told = self.told.entry(key(one, way)).or_default().clone();
                let now = Timestamp::now();
                if told.over || told.due.is_some_and(|due| now < due) || !self.may() {
                    continue;
                }
                let told = tell(desk, ways, way, one, told).await;
                self.told.insert(key(one, way), told);
                changed = true;
            }
        }
        if changed {
            self.keep();
        }
    }

    /// Whether one more may be sent in this minute.
    fn may(&mut self) -> bool {
        let now = Instant::now();
        let minute = Duration::from_secs(60);
        self.sent.retain(|at| now.duration_since(*at) < minute);
        let may = self.sent.len() < A_MINUTE;
        if may {
            self.sent.push_back(now);
        }
        may
    }

    fn keep(&self) {
        let file = File {
            v: 1,
            told: self.told.clone(),
        };
        let text = serde_json::to_vec(&file).unwrap_or_default();
        if let Err(error) = private_file::write(&self.path, &text) {
            tracing::warn!(%error, "what was told is not kept");
        }
    }
}

async fn tell(desk: &Desk, ways: &Ways, way: Way, one: &QuestionDocument, told: Told) -> Told {
    let kind = match &one.question.ticket {
        Some(ticket) => Kind::Leave(ticket.id),
        None => Kind::Question,
    };
    let team = desk.settings.team.name.as_str();
    let there = one
        .question
        .ticket
        .as_ref()
        .and_then(|ticket| ticket.host.as_deref());
    let of = (team, there.unwrap_or(&desk.settings.host));
    let notice = Notice::of(kind, of, one.task, one.number, one.asked);
    let Err(error) = ways.tell(way, &notice).await else {
        tracing::info!(task = %one.task, way = way.as_str(), "told");
        return Told { over: true, ..told };
    };
    let failed = told.failed + 1;
    let next = pause(failed);
    tracing::warn!(task = %one.task, %error, failed, again = next.is_some(), "not told");
    if next.is_none() {
        desk.hub
            .say(format!("nobody was told that {} waits: {error}", one.task));
    }
    Told {
        failed,
        due: next.and_then(|pause| Timestamp::now().checked_add(pause).ok()),
        over: next.is_none(),
    }
}
