//! The real ledger as part of a state. What it comes to depends on what it was told and on nothing
//! else, so every history is played once into the real SQLite ledger, on a task of its own, and
//! remembered; a state holds only which point of that memory it has reached.

use bus::cancel::CancelOutcome;
use jiff::Timestamp;
use protocol::criterion::{Check, Criterion, Evidence, EvidenceSource, Verdict};
use protocol::ids::{Epoch, RequestId, Role, TaskId, TaskRef, TeamName};
use protocol::journal::JournalEntry;
use protocol::postgres::Address;
use protocol::question::{Choice, Question, Said};
use protocol::report::{Progress, TaskReport, Usage};
use protocol::task::{Effort, Principal, Task, Way};
use protocol::task_state::{TaskState, WaitReason};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use supervisor::ledger::fold::{ENDED, Folded, Incoming, News};
use supervisor::ledger::keep::{Kept, NewTask};
use supervisor::ledger::place::Place;
use supervisor::ledger::resume::OwedResume;
use supervisor::ledger::server::Server;
use supervisor::ledger::store::{Ledger, LedgerError};

/// How a holder's report ends its hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum End {
    /// Everything was done and proven.
    Done,
    /// It was told to stop.
    Cancelled,
    /// A person is asked whether this step happened.
    Asks(u8),
}

/// Something the ledger is told. Claims are named by their rank: the first claim of the task is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    /// A holder took the task.
    Claimed(u64),
    /// A holder's report.
    Report(u64, End),
    /// A claim's holder gave the task up for dead.
    Dead(u64),
    /// A person wants it stopped.
    OweStop,
    /// The bus was told to stop it, and this it met; none: it is still to be told.
    Cancel(Option<CancelOutcome>),
    /// It was being stopped and the bus does not know it.
    Gone,
    /// A person answers: it happened, or make it again.
    Answer(bool),
    /// The bus was told to go on from the park of this claim.
    Resumed(u64),
    /// The bus does not have the park.
    ResumeLost,
}

/// What the ledger did with a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reply {
    /// It took it in; `true` where the task came to its end by it.
    Kept(bool),
    /// It knew it.
    Again,
    /// The task had ended here before.
    Ended,
    /// It is of no use for another reason.
    Ignored,
}

/// Where the ledger stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The task's state.
    pub state: TaskState,
    /// The bus is still to be told to stop it.
    pub stop_owed: bool,
    /// The bus is still to be told to go on: the park's claim, and the answer.
    pub resume_owed: Option<(u64, Option<JournalEntry>)>,
}

/// A point of the memory.
pub type Point = usize;

struct Memory {
    runtime: tokio::runtime::Runtime,
    ledger: Ledger,
    _folder: tempfile::TempDir,
    _database: Option<tests::postgres::Database>,
    histories: Vec<Vec<Word>>,
    pages: Vec<Page>,
    points: HashMap<String, Point>,
    known: HashMap<(Point, Word), Result<(Point, Reply), String>>,
}

/// The ledger and what was seen of it.
pub struct Ledgers(Mutex<Memory>);

fn then() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn person() -> Principal {
    Principal {
        uid: 1000,
        name: "ada".to_owned(),
    }
}

fn new_task() -> NewTask {
    NewTask {
        id: TaskId::new(),
        request_id: RequestId::new(),
        asked: "a".to_owned(),
        principal: person(),
        request: "run the tests".to_owned(),
        agent: role(),
        routed_because: "said so".to_owned(),
        way: Way::Anthropic,
        workspace: None,
        effort: Effort::Standard,
        budget: None,
        priority: 5,
        deadline: None,
        due: None,
        retry_of: None,
        accepted: then(),
        parent: None,
        trace: None,
        attachments: Vec::new(),
        parts: Vec::new(),
        ceiling: None,
        host: None,
    }
}

/// The one role of the model.
pub fn role() -> Role {
    Role::try_from("code".to_owned()).unwrap_or_else(|e| panic!("`code` is a role: {e}"))
}

fn report(task: &Task, end: End) -> TaskReport {
    let state = match end {
        End::Done => TaskState::Done,
        End::Cancelled => TaskState::Cancelled,
        End::Asks(_) => TaskState::Waiting {
            on: WaitReason::Input,
        },
    };
    let check = Check::File {
        path: "a".to_owned(),
        exists: true,
        contains: None,
        lacks: None,
        sha256: None,
    };
    TaskReport {
        task_id: task.id,
        agent: role(),
        state,
        question: None,
        handoff: None,
        wait: None,
        asked: match end {
            End::Asks(step) => Some(Question {
                step: crate::agent::step_name(step),
                text: "did it happen?".to_owned(),
                known: Vec::new(),
                choices: Choice::ALL.to_vec(),
                ticket: None,
            }),
            _ => None,
        },
        phases: Vec::new(),
        criteria: vec![Criterion {
            id: "c1".to_owned(),
            text: "the file is there".to_owned(),
            check,
            change: false,
        }],
        evidence: vec![Evidence {
            criterion: "c1".to_owned(),
            verdict: Verdict::Passed,
            source: EvidenceSource::File,
            observed: "it is".to_owned(),
            measured: then(),
            tree: None,
        }],
        result: "good".to_owned(),
        artifacts: Vec::new(),
        usage: Usage::default(),
        learned: Vec::new(),
        recalled: Vec::new(),
        calls: Vec::new(),
    }
}

fn incoming(task: &Task, message: String, rank: u64, news: News) -> Incoming {
    Incoming {
        task: task.id,
        message,
        role: role(),
        epoch: Some(Epoch(rank)),
        at: then(),
        news,
    }
}

impl Memory {
    async fn kept(&self) -> Result<Task, LedgerError> {
        match self.ledger.keep(&new_task(), u64::MAX >> 1).await? {
            Kept::New(task, _) | Kept::Again(task) => Ok(*task),
        }
    }

    async fn tell(&self, task: &Task, word: Word) -> Result<Reply, LedgerError> {
        let incoming = match word {
            Word::Claimed(rank) => {
                let news = News::Progress(Progress::Claimed {
                    holder: format!("code-{rank}"),
                    epoch: Epoch(rank),
                    replayed: rank - 1,
                });
                incoming(task, format!("claimed-{rank}"), rank, news)
            }
            Word::Report(rank, end) => {
                let news = News::Report(Box::new(report(task, end)));
                incoming(task, format!("report-{rank}-{end:?}"), rank, news)
            }
            Word::Dead(rank) => {
                let news = News::GivenUp("gave up".to_owned());
                incoming(task, format!("dead-{rank}"), rank, news)
            }
            other => return self.do_with(task, other).await,
        };
        let folded = self.ledger.fold(&[incoming]).await?.pop();
        Ok(match folded {
            Some(Folded::Kept(_)) => Reply::Kept(self.state(task).await?.is_final()),
            Some(Folded::Ignored(ENDED)) => Reply::Ended,
            Some(Folded::Ignored(_)) => Reply::Ignored,
            Some(Folded::Again) | None => Reply::Again,
        })
    }

    async fn do_with(&self, task: &Task, word: Word) -> Result<Reply, LedgerError> {
        let ledger = &self.ledger;
        match word {
            Word::OweStop => ledger.owe_stop(task.id).await?,
            Word::Cancel(met) => {
                ledger.cancel(task.id, met, then()).await?;
            }
            Word::Gone => {
                ledger.end(task.id, TaskState::Cancelled, then()).await?;
            }
            Word::Answer(happened) => {
                let choice = if happened {
                    Choice::Happened
                } else {
                    Choice::Again
                };
                let said = Said {
                    choice: Some(choice),
                    text: None,
                };
                ledger.answer(task.id, None, said, person(), then()).await?;
            }
            Word::Resumed(rank) => ledger.resumed(task.id, Epoch(rank)).await?,
            Word::ResumeLost => {
                if let Some(owed) = self.owed(task).await? {
                    ledger.resume_lost(&owed, "gone", then()).await?;
                }
            }
            Word::Claimed(_) | Word::Report(..) | Word::Dead(_) => {}
        }
        Ok(Reply::Kept(false))
    }

    async fn state(&self, task: &Task) -> Result<TaskState, LedgerError> {
        Ok(self.ledger.find(TaskRef::Id(task.id)).await?.state)
    }

    async fn owed(&self, task: &Task) -> Result<Option<OwedResume>, LedgerError> {
        let owed = self.ledger.resumes_owed(u32::MAX >> 1).await?;
        Ok(owed.into_iter().find(|owed| owed.task == task.id))
    }

    async fn page(&self, task: &Task) -> Result<Page, LedgerError> {
        let owed = self.owed(task).await?;
        Ok(Page {
            state: self.state(task).await?,
            stop_owed: self
                .ledger
                .stops_owed(u32::MAX >> 1)
                .await?
                .contains(&task.id),
            resume_owed: owed.map(|owed| (owed.parked.0, owed.answer)),
        })
    }

    /// Plays a history and one word more on a new task. Two histories meet where the ledger cannot
    /// tell them apart: same page, same words taken in.
    async fn play(
        &self,
        history: &[Word],
        word: Word,
    ) -> Result<(Page, String, Vec<Word>, Reply), LedgerError> {
        let task = self.kept().await?;
        for word in history {
            self.tell(&task, *word).await?;
        }
        let before = self.page(&task).await?;
        let reply = self.tell(&task, word).await?;
        let page = self.page(&task).await?;
        let mut history = history.to_vec();
        if matches!(reply, Reply::Kept(_)) && (page != before || !history.contains(&word)) {
            history.push(word);
        }
        let mut heard: Vec<Word> = history
            .iter()
            .filter(|w| matches!(w, Word::Claimed(_) | Word::Report(..) | Word::Dead(_)))
            .copied()
            .collect();
        heard.sort();
        let label = format!("{page:?} {heard:?}");
        // The bus words of a task that is over are done with; so are those of this play.
        self.ledger.owe_stop(task.id).await?;
        let over = Some(CancelOutcome::Unknown);
        self.ledger.cancel(task.id, over, then()).await?;
        Ok((page, label, history, reply))
    }
}

impl Ledgers {
    /// A new ledger, in memory where the host has such a place; on a server with `TESTS_LEDGER=postgres`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self, String> {
        Self::over(match std::env::var("TESTS_LEDGER").as_deref() {
            Ok("postgres") => tests::postgres::database(),
            _ => None,
        })
    }

    /// One on a server; `None` where none is installed, which is said.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn on_server() -> Result<Option<Self>, String> {
        let database = tests::postgres::database();
        database.map(|one| Self::over(Some(one))).transpose()
    }

    fn over(database: Option<tests::postgres::Database>) -> Result<Self, String> {
        let text = |e: &dyn std::fmt::Display| e.to_string();
        let folder = tempfile::tempdir_in("/dev/shm")
            .or_else(|_| tempfile::tempdir())
            .map_err(|e| text(&e))?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| text(&e))?;
        let place = match &database {
            None => Place::file(folder.path().join("ledger.db")),
            Some(database) => Place::Server(Box::new(Server {
                address: Address::parse(&database.socket_url("postgres"))?.0,
                password: None,
                team: TeamName::try_from("main".to_owned()).map_err(|e| text(&e))?,
                home: "the model".to_owned(),
            })),
        };
        let ledger = runtime
            .block_on(Ledger::open(&place))
            .map_err(|e| text(&e))?;
        let first = Page {
            state: TaskState::Queued,
            stop_owed: false,
            resume_owed: None,
        };
        Ok(Self(Mutex::new(Memory {
            runtime,
            ledger,
            _folder: folder,
            _database: database,
            histories: vec![Vec::new()],
            points: HashMap::from([(format!("{first:?} []"), 0)]),
            pages: vec![first],
            known: HashMap::new(),
        })))
    }

    /// What the ledger says at a point.
    pub fn page(&self, point: Point) -> Page {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pages[point].clone()
    }

    /// Tells the ledger something; where it stands then, and what it did.
    ///
    /// # Errors
    /// When the ledger refuses it, as text.
    pub fn tell(&self, point: Point, word: Word) -> Result<(Point, Reply), String> {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = memory.known.get(&(point, word)) {
            return known.clone();
        }
        let history = memory.histories[point].clone();
        let played = memory.runtime.block_on(memory.play(&history, word));
        let known = match played {
            Err(error) => Err(format!("{word:?}: {error}")),
            Ok((page, label, history, reply)) => {
                let next = memory.pages.len();
                let to = *memory.points.entry(label).or_insert(next);
                if to == next {
                    memory.pages.push(page);
                    memory.histories.push(history);
                }
                Ok((to, reply))
            }
        };
        memory.known.insert((point, word), known.clone());
        known
    }

    /// How many points and words were played.
    pub fn size(&self) -> (usize, usize) {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        (memory.pages.len(), memory.known.len())
    }
}
