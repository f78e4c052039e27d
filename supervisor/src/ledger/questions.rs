//! What tasks asked people. A question is kept with the report that parked its task; its answer, kept
//! with who gave it, lets the task go on in the same transaction. The first answer counts.

use super::events::Happening;
use super::resume::{OwedResume, resume_in};
use super::standing::{self, Standing, from_json, micros, time, to_json};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::document::QuestionDocument;
use protocol::envelope::micros as to_micros;
use protocol::ids::{ShortId, TaskId};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::question::{Answered, Question, Said, misfit};
use protocol::task::Principal;
use protocol::task_state::{StateName, TaskState, WaitReason};
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// What answering came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// The task goes on.
    Now(OwedResume, Vec<Happening>),
    /// The same was said before.
    Again,
}

impl Ledger {
    /// Takes the answer to a question of a task, by its number or the newest.
    pub async fn answer(
        &self,
        task: TaskId,
        number: Option<u64>,
        said: Said,
        by: Principal,
        at: Timestamp,
    ) -> Result<Taken, LedgerError> {
        let mut tx = self.write().await?;
        let mut standing = standing::find(&mut tx, task)
            .await?
            .ok_or_else(|| LedgerError::NoTask(task.to_string()))?;
        let asked = of_task(&mut tx, &standing.key(), standing.short_id).await?;
        let document = chosen(&asked, number).map_err(|why| refused(&standing, why))?;
        if let Some(before) = &document.answer {
            return match before.said == said {
                true => Ok(Taken::Again),
                false => Err(refused(
                    &standing,
                    format!(
                        "question {} was answered `{}` by {} already: the first answer counts",
                        document.number, before.said, before.by.name
                    ),
                )),
            };
        }
        let newest = asked.last().map(|last| last.number);
        let waits = standing.state.name() == StateName::Waiting;
        if !waits || newest != Some(document.number) {
            let why = format!(
                "question {} is no longer open: the task is {}",
                document.number, standing.state
            );
            return Err(refused(&standing, why));
        }
        if let Some(why) = misfit(&document.question, &said) {
            return Err(refused(&standing, why));
        }
        let answer = Answered {
            said,
            by,
            at: to_micros(at),
        };
        let entry = entry(&mut tx, &standing, &document, &answer).await?;
        sqlx::query("UPDATE questions SET answer = $3 WHERE task = $1 AND number = $2")
            .bind(standing.key())
            .bind(document.number as i64)
            .bind(to_json("answer", &standing.key(), &answer)?)
            .execute(&mut *tx)
            .await?;
        let (owed, told) = resume_in(&mut tx, &mut standing, Some(&entry), at).await?;
        tx.commit().await?;
        Ok(Taken::Now(owed, told))
    }

    /// The questions that wait for an answer, oldest first, at most `limit`.
    pub async fn open_questions(&self, limit: u32) -> Result<Vec<QuestionDocument>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT q.*, t.short_id FROM questions q JOIN tasks t ON t.id = q.task
             WHERE q.answer IS NULL AND t.state = 'waiting' AND t.reason IN ('input', 'approval')
             AND q.number = (SELECT MAX(number) FROM questions WHERE task = q.task)
             ORDER BY q.asked_us, t.short_id LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        let document = |row: &AnyRow| {
            let short: i64 = row.try_get("short_id")?;
            document_of(row, ShortId(short.max(0) as u64))
        };
        rows.iter().map(document).collect()
    }
}

/// The question that is meant, or why there is none.
fn chosen(asked: &[QuestionDocument], number: Option<u64>) -> Result<QuestionDocument, String> {
    let newest = asked
        .last()
        .ok_or("it has asked nothing".to_owned())?
        .clone();
    let Some(number) = number else {
        return Ok(newest);
    };
    asked
        .iter()
        .find(|question| question.number == number)
        .cloned()
        .ok_or(format!(
            "it has no question {number}: the newest is {}",
            newest.number
        ))
}

fn refused(standing: &Standing, why: String) -> LedgerError {
    LedgerError::Answer {
        short_id: standing.short_id,
        why,
    }
}

/// The journal entry of an answer: whoever takes the task reads it at the step that asked.
async fn entry(
    tx: &mut AnyConnection,
    standing: &Standing,
    document: &QuestionDocument,
    answer: &Answered,
) -> Result<JournalEntry, LedgerError> {
    let key = standing.key();
    let epoch: i64 = sqlx::query_scalar("SELECT parked_epoch FROM tasks WHERE id = $1")
        .bind(&key)
        .fetch_one(&mut *tx)
        .await?;
    Ok(JournalEntry {
        v: JOURNAL_VERSION,
        epoch: protocol::ids::Epoch(epoch.max(0) as u64),
        at: answer.at,
        step: document.question.step.clone(),
        kind: EntryKind::Answer,
        body: serde_json::to_value(answer).map_err(|e| standing::unreadable("answer", &key, e))?,
    })
}

/// Keeps the question of a task that was parked for an answer.
pub(super) async fn ask(
    tx: &mut AnyConnection,
    standing: &Standing,
    to: &TaskState,
    question: Option<&Question>,
    at: Timestamp,
) -> Result<(), LedgerError> {
    let asks = [WaitReason::Input, WaitReason::Approval];
    let (Some(question), TaskState::Waiting { on: reason }) = (question, to) else {
        return Ok(());
    };
    if !asks.contains(reason) {
        return Ok(());
    }
    let key = standing.key();
    sqlx::query(
        "INSERT INTO questions (task, number, body, asked_us)
         VALUES ($1, (SELECT COUNT(*) + 1 FROM questions WHERE task = $1), $2, $3)",
    )
    .bind(&key)
    .bind(to_json("question", &key, question)?)
    .bind(micros(at))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Every question of a task, oldest first.
pub(super) async fn of_task(
    tx: &mut AnyConnection,
    key: &str,
    short_id: ShortId,
) -> Result<Vec<QuestionDocument>, LedgerError> {
    let rows = sqlx::query("SELECT * FROM questions WHERE task = $1 ORDER BY number")
        .bind(key)
        .fetch_all(&mut *tx)
        .await?;
    rows.iter().map(|row| document_of(row, short_id)).collect()
}

fn document_of(row: &AnyRow, task: ShortId) -> Result<QuestionDocument, LedgerError> {
    let key: String = row.try_get("task")?;
    let answer: Option<String> = row.try_get("answer")?;
    Ok(QuestionDocument {
        task,
        number: row.try_get::<i64, _>("number")?.max(0) as u64,
        question: from_json("question", &key, &row.try_get::<String, _>("body")?)?,
        asked: time(&key, row.try_get("asked_us")?)?,
        answer: answer
            .map(|text| from_json("answer", &key, &text))
            .transpose()?,
    })
}
