//! Runs of schedules on their way: owed, begun until they came to their end, stopped because they ask. A run
//! that is owed stays owed until what it came to is written down, whoever is killed.

use super::standing::{micros, time, unreadable};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::ids::TaskId;
use protocol::schedule::Outcome;
use protocol::task::Principal;
use sqlx::Row;

/// A run whose task is not kept yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwedRun {
    /// The schedule.
    pub schedule: String,
    /// When it was due.
    pub due: Timestamp,
    /// Who asked for it, where it did not begin by itself.
    pub asked_by: Option<Principal>,
    /// The caller's id for it, where somebody asked for it.
    pub request_id: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// It is not begun before then.
    pub again: Option<Timestamp>,
}

/// A run that asks a person something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AskingRun {
    /// The schedule.
    pub schedule: String,
    /// When it was due.
    pub due: Timestamp,
    /// Its task.
    pub task: TaskId,
    /// What is asked, where it is a question.
    pub asked: Option<String>,
}

/// What an owed run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came<'a> {
    /// It has its task.
    Task(TaskId),
    /// No task could be made of it, and why.
    Refused(&'a str),
    /// What makes no task came to its end: what was done.
    Done(&'a str),
    /// It did not: why.
    Failed(&'a str),
}

impl Ledger {
    /// Owes a run beside the schedule's own times: from now on it is begun, whoever is killed. Answers
    /// whether it is new: of two with one request id there is one.
    pub async fn owe_run(&self, run: &OwedRun) -> Result<bool, LedgerError> {
        let mut tx = self.write().await?;
        let same =
            sqlx::query("SELECT due_us FROM schedule_runs WHERE schedule = $1 AND request_id = $2")
                .bind(&run.schedule)
                .bind(&run.request_id)
                .fetch_optional(&mut *tx)
                .await?;
        if same.is_some() {
            return Ok(false);
        }
        let asked = run.asked_by.as_ref();
        let new = sqlx::query(
            "INSERT INTO schedule_runs (schedule, due_us, outcome, number, asked_by, asked_uid, request_id, noted_us)
             VALUES ($1, $2, 'owed', 1, $3, $4, $5, $2) ON CONFLICT (schedule, due_us) DO NOTHING",
        )
        .bind(&run.schedule)
        .bind(micros(run.due))
        .bind(asked.map(|who| who.name.as_str()))
        .bind(asked.map(|who| i64::from(who.uid)))
        .bind(&run.request_id)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(new > 0)
    }

    /// An owed run is begun once more. Answers how often it was, this time among them.
    pub async fn attempt_run(&self, run: &OwedRun) -> Result<u32, LedgerError> {
        self.next_attempt(run, 1, None).await?;
        Ok(run.attempts.saturating_add(1))
    }

    /// An owed run is not begun before `again`; where `counted` is false, as if it had not been begun.
    pub async fn put_off_run(
        &self,
        run: &OwedRun,
        again: Timestamp,
        counted: bool,
    ) -> Result<(), LedgerError> {
        let back = if counted { 0 } else { -1 };
        self.next_attempt(run, back, Some(again)).await
    }

    async fn next_attempt(
        &self,
        run: &OwedRun,
        more: i64,
        again: Option<Timestamp>,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE schedule_runs SET attempts = attempts + $3, again_us = $4
             WHERE schedule = $1 AND due_us = $2 AND outcome = 'owed'",
        )
        .bind(&run.schedule)
        .bind(micros(run.due))
        .bind(more)
        .bind(again.map(micros))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The runs whose task is not kept yet, oldest first.
    pub async fn owed_runs(&self) -> Result<Vec<OwedRun>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT schedule, due_us, asked_by, asked_uid, request_id, attempts, again_us
             FROM schedule_runs WHERE outcome = 'owed' ORDER BY due_us, schedule",
        )
        .fetch_all(&mut *tx)
        .await?;
        let owed = |row: &sqlx::any::AnyRow| {
            let schedule: String = row.try_get("schedule")?;
            let name: Option<String> = row.try_get("asked_by")?;
            let uid: Option<i64> = row.try_get("asked_uid")?;
            let uid = uid.and_then(|uid| u32::try_from(uid).ok());
            let again: Option<i64> = row.try_get("again_us")?;
            Ok(OwedRun {
                due: time(&schedule, row.try_get("due_us")?)?,
                asked_by: name.zip(uid).map(|(name, uid)| Principal { uid, name }),
                request_id: row.try_get("request_id")?,
                attempts: u32::try_from(row.try_get::<i64, _>("attempts")?).unwrap_or(0),
                again: again.map(|us| time(&schedule, us)).transpose()?,
                schedule,
            })
        };
        rows.iter().map(owed).collect()
    }

    /// An owed run has its task, or came to what it came to.
    pub async fn settle_run(
        &self,
        run: &OwedRun,
        came: Came<'_>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        let (outcome, task, why) = match came {
            Came::Task(task) => (Outcome::Started, Some(task), None),
            Came::Refused(why) => (Outcome::Refused, None, Some(why)),
            Came::Done(what) => (Outcome::Done, None, Some(what)),
            Came::Failed(why) => (Outcome::Failed, None, Some(why)),
        };
        sqlx::query(
            "UPDATE schedule_runs SET outcome = $3, task = $4, reason = $5, noted_us = $6
             WHERE schedule = $1 AND due_us = $2 AND outcome = 'owed'",
        )
        .bind(&run.schedule)
        .bind(micros(run.due))
        .bind(outcome.as_str())
        .bind(task.map(|task| task.to_string()))
        .bind(why)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Runs that began by themselves and ask a person something, in their task or in a part of it.
    pub async fn asking_runs(&self) -> Result<Vec<AskingRun>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT r.schedule, r.due_us, r.task, json_extract(q.body, '$.text') AS asked FROM schedule_runs r
             JOIN tasks run ON run.id = r.task
             JOIN tasks t ON t.id = r.task OR t.parent = r.task
             LEFT JOIN questions q ON q.task = t.id
                  AND q.number = (SELECT MAX(number) FROM questions WHERE task = t.id)
             WHERE r.outcome = 'started' AND r.asked_by IS NULL AND run.ended_us IS NULL
               AND t.ended_us IS NULL AND t.state = 'waiting' AND t.reason IN ('input', 'approval')
             ORDER BY r.schedule, r.due_us",
        )
        .fetch_all(&mut *tx)
        .await?;
        let asking = |row: &sqlx::any::AnyRow| {
            let schedule: String = row.try_get("schedule")?;
            let task: String = row.try_get("task")?;
            Ok(AskingRun {
                due: time(&schedule, row.try_get("due_us")?)?,
                task: task
                    .parse()
                    .map_err(|_| unreadable("run", &schedule, task))?,
                asked: row.try_get("asked")?,
                schedule,
            })
        };
        rows.iter().map(asking).collect()
    }

    /// Notes why a run was stopped.
    pub async fn explain_run(
        &self,
        schedule: &str,
        due: Timestamp,
        why: &str,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query("UPDATE schedule_runs SET reason = $3 WHERE schedule = $1 AND due_us = $2")
            .bind(schedule)
            .bind(micros(due))
            .bind(why)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
