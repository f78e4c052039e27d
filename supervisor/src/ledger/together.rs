//! Requests that come in the same moment are kept in one write: one commit, and so one wait for the disk (and, on a
//! server, one begin, one look at the queue, one taking of numbers), carries all of them. Whoever comes first
//! writes for everybody who has come by then; who comes while that write is under way is in the next one. Nobody
//! is acknowledged before the commit that holds his task, and nobody waits for others to come.

use super::events::Happening;
use super::keep::{self, Kept, NewTask};
use super::store::{Ledger, LedgerError};
use protocol::ids::ShortId;
use protocol::task::Task;
use protocol::task_state::TaskState;
use sqlx::{AnyConnection, AssertSqlSafe, Row};
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex as Lock, PoisonError};
use tokio::sync::{Mutex, oneshot};

/// Most requests of one write.
const MOST: usize = 32;

/// Who waits to be kept.
#[derive(Debug, Default)]
pub(super) struct Together {
    waiting: Lock<Vec<Wish>>,
    /// Held by the one who writes.
    turn: Mutex<()>,
}

/// One that waits.
#[derive(Debug)]
struct Wish {
    new: NewTask,
    queue_limit: u64,
    answer: oneshot::Sender<Result<Kept, LedgerError>>,
}

impl Together {
    fn add(&self, wish: Wish) {
        self.locked().push(wish);
    }

    /// The next ones, in the order they came; a request id that is among them already waits for the next write.
    fn take(&self) -> Vec<Wish> {
        let mut waiting = self.locked();
        let mut taken: Vec<Wish> = Vec::new();
        let mut left = Vec::new();
        for wish in waiting.drain(..) {
            let id = &wish.new.request_id;
            match taken.len() < MOST && taken.iter().all(|one| one.new.request_id != *id) {
                true => taken.push(wish),
                false => left.push(wish),
            }
        }
        *waiting = left;
        taken
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Vec<Wish>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Keeps a task, queued or waiting for its time; on return it is on the disk. The tasks that
    /// are queued are bounded, and so are those that wait for their time.
    ///
    /// # Errors
    /// When it is refused, or the ledger does not take it.
    pub async fn keep(&self, new: &NewTask, queue_limit: u64) -> Result<Kept, LedgerError> {
        let (answer, answered) = oneshot::channel();
        self.together.add(Wish {
            new: new.clone(),
            queue_limit,
            answer,
        });
        // A task of its own: whoever asks may go away, and the others still wait for this write.
        let ledger = self.clone();
        tokio::spawn(async move {
            let _turn = ledger.together.turn.lock().await;
            let wishes = ledger.together.take();
            if !wishes.is_empty() {
                ledger.write_all(wishes).await;
            }
        });
        match answered.await {
            Ok(said) => said,
            // The process ends.
            Err(_) => Err(LedgerError::Away("the supervisor ends".to_owned())),
        }
    }

    /// Keeps all of them in one write; where that fails for a reason that may be one task's alone, each by itself.
    async fn write_all(&self, wishes: Vec<Wish>) {
        let asked: Vec<(&NewTask, u64)> = wishes.iter().map(|w| (&w.new, w.queue_limit)).collect();
        let came = self.keep_all(&asked).await;
        if let Err(error) = &came {
            self.saw(error);
        }
        let said = match came {
            Err(error) if asked.len() > 1 => match of_all(&error) {
                Some(_) => asked.iter().map(|_| Err(of_all(&error))).collect(),
                None => Vec::new(),
            },
            Err(error) => vec![Err(Some(error))],
            Ok(said) => said.into_iter().map(|said| said.map_err(Some)).collect(),
        };
        if said.is_empty() {
            for wish in wishes {
                let alone = self.keep_all(&[(&wish.new, wish.queue_limit)]).await;
                let said =
                    alone.and_then(|mut said| said.pop().unwrap_or_else(|| Err(passed_over())));
                let _gone = wish.answer.send(said);
            }
            return;
        }
        for (wish, said) in wishes.into_iter().zip(said) {
            let said = said.map_err(|error| error.unwrap_or_else(passed_over));
            let _gone = wish.answer.send(said);
        }
    }

    /// One write for all. Answers what each came to; an error is everybody's, and nothing was kept.
    async fn keep_all(
        &self,
        asked: &[(&NewTask, u64)],
    ) -> Result<Vec<Result<Kept, LedgerError>>, LedgerError> {
        let mut tx = self.write().await?;
        let known = known(&mut tx, asked).await?;
        let mut said: Vec<Option<Result<Kept, LedgerError>>> = Vec::with_capacity(asked.len());
        let mut fresh = Vec::new();
        for (at, (new, _)) in asked.iter().enumerate() {
            let stored = known.get(new.request_id.as_str());
            if stored.is_none() {
                fresh.push(at);
            }
            said.push(stored.map(|stored| stored.same_as(new)));
        }
        let mut wanted = Vec::with_capacity(fresh.len());
        for (at, room) in with_room(&mut tx, asked, &fresh).await? {
            match room {
                Ok(()) => wanted.push(at),
                Err(full) => said[at] = Some(Err(full)),
            }
        }
        for (at, kept) in insert_all(&mut tx, asked, &wanted).await? {
            said[at] = Some(Ok(kept));
        }
        // Nothing was written: nothing need reach the disk.
        if !wanted.is_empty() {
            tx.commit().await?;
        }
        let said = said.into_iter();
        Ok(said
            .map(|said| said.unwrap_or_else(|| Err(passed_over())))
            .collect())
    }
}

/// What is kept under a request id.
struct Stored {
    asked: String,
    task: Task,
}

impl Stored {
    fn same_as(&self, new: &NewTask) -> Result<Kept, LedgerError> {
        match self.asked == new.asked {
            true => Ok(Kept::Again(Box::new(self.task.clone()))),
            false => Err(LedgerError::OtherRequest {
                request_id: new.request_id.as_str().to_owned(),
                short_id: self.task.short_id,
            }),
        }
    }
}

/// Those that were kept before, by request id.
async fn known(
    tx: &mut AnyConnection,
    asked: &[(&NewTask, u64)],
) -> Result<HashMap<String, Stored>, LedgerError> {
    let places: Vec<String> = (1..=asked.len()).map(|at| format!("${at}")).collect();
    let text = format!(
        "SELECT id, request_id, asked, task FROM tasks WHERE request_id IN ({})",
        places.join(", ")
    );
    let mut query = sqlx::query(AssertSqlSafe(text));
    for (new, _) in asked {
        query = query.bind(new.request_id.as_str().to_owned());
    }
    let mut known = HashMap::new();
    for row in query.fetch_all(&mut *tx).await? {
        let id: String = row.try_get("id")?;
        let stored = Stored {
            asked: row.try_get("asked")?,
            task: super::standing::from_json("task", &id, &row.try_get::<String, _>("task")?)?,
        };
        known.insert(row.try_get("request_id")?, stored);
    }
    Ok(known)
}

/// Which of the new ones there is room for. All at once, as long as there is room for all.
async fn with_room(
    tx: &mut AnyConnection,
    asked: &[(&NewTask, u64)],
    fresh: &[usize],
) -> Result<Vec<(usize, Result<(), LedgerError>)>, LedgerError> {
    let mut said = Vec::with_capacity(fresh.len());
    for due in [false, true] {
        let waits = |at: &&usize| (keep::first_state(asked[**at].0) != TaskState::Queued) == due;
        let kind: Vec<usize> = fresh.iter().filter(waits).copied().collect();
        let (Some(first), Some(limit)) = (kind.first(), kind.iter().map(|at| asked[*at].1).min())
        else {
            continue;
        };
        let state = keep::first_state(asked[*first].0);
        match keep::has_room(tx, &state, kind.len() as u64, limit).await {
            Ok(()) => said.extend(kind.into_iter().map(|at| (at, Ok(())))),
            Err(LedgerError::QueueFull(_)) => {
                let mut taken = 0;
                for at in kind {
                    match keep::has_room(tx, &state, taken + 1, asked[at].1).await {
                        Ok(()) => {
                            taken += 1;
                            said.push((at, Ok(())));
                        }
                        Err(full @ LedgerError::QueueFull(_)) => said.push((at, Err(full))),
                        Err(error) => return Err(error),
                    }
                }
            }
            Err(error) => return Err(error),
        }
    }
    // Numbers are given in the order in which they came.
    said.sort_by_key(|(at, _)| *at);
    Ok(said)
}

/// Writes those there is room for.
async fn insert_all(
    tx: &mut AnyConnection,
    asked: &[(&NewTask, u64)],
    wanted: &[usize],
) -> Result<Vec<(usize, Kept)>, LedgerError> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let mut people = HashSet::new();
    for at in wanted {
        let (new, _) = asked[*at];
        if people.insert(new.principal.uid) {
            keep::keep_principal(tx, &new.principal, new.accepted).await?;
        }
    }
    let first = keep::take_numbers(tx, wanted.len() as u64).await?;
    let mut kept = Vec::with_capacity(wanted.len());
    for (number, at) in (first..).zip(wanted) {
        let (task, happening): (Task, Happening) =
            keep::insert_numbered(tx, asked[*at].0, ShortId(number)).await?;
        kept.push((*at, Kept::New(Box::new(task), happening)));
    }
    Ok(kept)
}

/// The same error for one more, where it is not about one task alone.
fn of_all(error: &LedgerError) -> Option<LedgerError> {
    Some(match error {
        LedgerError::Superseded => LedgerError::Superseded,
        LedgerError::PutBack => LedgerError::PutBack,
        LedgerError::DiskFull => LedgerError::DiskFull,
        LedgerError::ServerFull => LedgerError::ServerFull,
        LedgerError::OnlyRead => LedgerError::OnlyRead,
        LedgerError::Away(why) => LedgerError::Away(why.clone()),
        _ => return None,
    })
}

/// What cannot be: a request of a write of which nothing was said.
fn passed_over() -> LedgerError {
    LedgerError::Away("the request was passed over".to_owned())
}
