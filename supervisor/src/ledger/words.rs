//! What people said to tasks that were open. A word is kept with who said it before anybody is told;
//! `told` remembers, over any crash, whom the bus must still be told about.

use super::events::{self, Event, Happening};
use super::keep::keep_principal;
use super::records::whole;
use super::standing::{self, from_json, micros, time, to_json};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::envelope::micros as to_micros;
use protocol::ids::{Epoch, TaskId};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::money::MicroUsd;
use protocol::report::Progress;
use protocol::task::Principal;
use protocol::task_state::TaskState;
use protocol::word::{MOST_WORDS, Spoken, Word, WordDocument};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// Something the bus must still be told.
#[derive(Debug, Clone, PartialEq)]
pub struct OwedWord {
    /// To which task.
    pub task: TaskId,
    /// Its number there.
    pub number: u64,
    /// The words, as an entry for the task's journal.
    pub entry: Option<JournalEntry>,
    /// The new limit on its cost.
    pub cap: Option<MicroUsd>,
}

impl Ledger {
    /// Keeps what a person says to an open task. Answers its number and what followers hear.
    pub async fn say(
        &self,
        task: TaskId,
        said: &Spoken,
        by: &Principal,
        at: Timestamp,
    ) -> Result<(u64, Vec<Happening>), LedgerError> {
        let mut tx = self.write().await?;
        let standing = standing::find(&mut tx, task)
            .await?
            .ok_or_else(|| LedgerError::NoTask(task.to_string()))?;
        let (key, short_id) = (standing.key(), standing.short_id);
        let refused = |why: String| LedgerError::Answer { short_id, why };
        if standing.state.is_final() || standing.state == TaskState::Cancelling {
            return Err(refused(format!("it is {} already", standing.state)));
        }
        let many: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM words WHERE task = $1")
            .bind(&key)
            .fetch_one(&mut *tx)
            .await?;
        let number = many.max(0) as u64 + 1;
        if number > MOST_WORDS {
            return Err(refused(format!(
                "{MOST_WORDS} things were said to it already, which is the limit: cancel it and say the whole request anew"
            )));
        }
        keep_principal(&mut tx, by, at).await?;
        sqlx::query(
            "INSERT INTO words (task, number, said, principal_uid, said_us)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(&key)
        .bind(whole(number))
        .bind(to_json("word", &key, said)?)
        .bind(i64::from(by.uid))
        .bind(micros(at))
        .execute(&mut *tx)
        .await?;
        let progress = match said {
            Spoken::Words(text) => Progress::Said {
                number,
                text: text.clone(),
                by: by.name.clone(),
            },
            Spoken::Budget(limit) => {
                budget(&mut tx, &key, *limit).await?;
                let text = format!("may cost {limit} from now on, says {}", by.name);
                super::records::note(&mut tx, &key, &text).await?;
                Progress::Note { text }
            }
        };
        let event = Event::Progress(progress);
        events::append(&mut tx, &key, None, &event).await?;
        tx.commit().await?;
        Ok((number, vec![standing.happening(event)]))
    }

    /// What the bus must still be told of tasks that have not ended, in order, at most `limit`.
    pub async fn words_owed(&self, limit: u32) -> Result<Vec<OwedWord>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT w.*, p.name, t.short_id FROM words w JOIN tasks t ON t.id = w.task
             JOIN principals p ON p.uid = w.principal_uid
             WHERE w.told = 0 AND t.ended_us IS NULL ORDER BY t.short_id, w.number LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        rows.iter().map(owed_of).collect()
    }

    /// The bus was told a word, or (`late`) the task had ended by then.
    pub async fn word_told(
        &self,
        task: TaskId,
        number: u64,
        late: bool,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query("UPDATE words SET told = $3 WHERE task = $1 AND number = $2")
            .bind(task.to_string())
            .bind(whole(number))
            .bind(if late { 2_i64 } else { 1 })
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The bus forgot a task, which begins anew there: everything that was said to it is owed again.
    pub async fn owe_words_again(&self, task: TaskId) -> Result<(), LedgerError> {
        let mut read = self.read().await?;
        let said: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM words WHERE task = $1")
            .bind(task.to_string())
            .fetch_one(&mut *read)
            .await?;
        drop(read);
        if said == 0 {
            return Ok(());
        }
        let mut tx = self.write().await?;
        sqlx::query("UPDATE words SET told = 0, heard_us = NULL WHERE task = $1 AND told = 1")
            .bind(task.to_string())
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}

async fn budget(tx: &mut AnyConnection, key: &str, limit: MicroUsd) -> Result<(), LedgerError> {
    sqlx::query("UPDATE tasks SET budget_micro_usd = $2 WHERE id = $1")
        .bind(key)
        .bind(whole(limit.0))
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Whoever works on a task took a word in.
pub(super) async fn heard(
    tx: &mut AnyConnection,
    key: &str,
    number: u64,
    at: Timestamp,
) -> Result<(), LedgerError> {
    sqlx::query("UPDATE words SET told = 1, heard_us = $3 WHERE task = $1 AND number = $2")
        .bind(key)
        .bind(whole(number))
        .bind(micros(at))
        .execute(&mut *tx)
        .await?;
    Ok(())
}

/// Everything that was said to a task, oldest first.
pub(super) async fn of_task(
    tx: &mut AnyConnection,
    key: &str,
) -> Result<Vec<WordDocument>, LedgerError> {
    let rows = sqlx::query(
        "SELECT w.*, p.name FROM words w JOIN principals p ON p.uid = w.principal_uid
         WHERE w.task = $1 ORDER BY w.number",
    )
    .bind(key)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter().map(document_of).collect()
}

fn document_of(row: &AnyRow) -> Result<WordDocument, LedgerError> {
    let key: String = row.try_get("task")?;
    let uid: i64 = row.try_get("principal_uid")?;
    Ok(WordDocument {
        number: row.try_get::<i64, _>("number")?.max(0) as u64,
        said: from_json("word", &key, &row.try_get::<String, _>("said")?)?,
        by: Principal {
            uid: u32::try_from(uid).unwrap_or_default(),
            name: row.try_get("name")?,
        },
        at: time(&key, row.try_get("said_us")?)?,
        heard: row
            .try_get::<Option<i64>, _>("heard_us")?
            .map(|us| time(&key, us))
            .transpose()?,
    })
}

fn owed_of(row: &AnyRow) -> Result<OwedWord, LedgerError> {
    let key: String = row.try_get("task")?;
    let document = document_of(row)?;
    let (entry, cap) = match document.said {
        Spoken::Words(text) => {
            let word = Word {
                number: document.number,
                text,
                by: document.by,
            };
            let body =
                serde_json::to_value(word).map_err(|e| standing::unreadable("word", &key, e))?;
            let entry = JournalEntry {
                v: JOURNAL_VERSION,
                // Nobody's claim: people speak.
                epoch: Epoch(0),
                at: to_micros(document.at),
                step: format!("word/{}", document.number),
                kind: EntryKind::Word,
                body,
            };
            (Some(entry), None)
        }
        Spoken::Budget(limit) => (None, Some(limit)),
    };
    Ok(OwedWord {
        task: key
            .parse()
            .map_err(|e| standing::unreadable("task id", &key, e))?,
        number: document.number,
        entry,
        cap,
    })
}

/// The limit that holds for a task, where one was told since it was accepted.
pub(super) fn budget_of(row: &AnyRow) -> Result<Option<MicroUsd>, LedgerError> {
    let limit: Option<i64> = row.try_get("budget_micro_usd")?;
    Ok(limit.map(|limit| MicroUsd(limit.max(0) as u64)))
}
