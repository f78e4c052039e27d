//! What people and `--json` read: task lines, run documents, task pages, counts. Each is read in
//! one consistent view.

use super::parts;
use super::questions;
use super::ratings;
use super::records::verdict_passed;
use super::standing::{self, from_json, state_of, time, unreadable};
use super::store::{Ledger, LedgerError};
use super::words;
use jiff::Timestamp;
use protocol::criterion::Criterion;
use protocol::document::{
    AttemptLine, CriterionDocument, DOCUMENT_VERSION, RunDocument, TaskLine, TaskPage,
    UsageDocument,
};
use protocol::ids::{ShortId, TaskId, TaskRef};
use protocol::money::MicroUsd;
use protocol::phase::Phase;
use protocol::report::{CallLine, PhaseSpan, Recalled, Usage};
use protocol::task::Task;
use protocol::task_state::TaskState;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, Row};

/// How many tasks are where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Queued.
    pub queued: u64,
    /// Running or being stopped.
    pub running: u64,
    /// Waiting for a person.
    pub waiting: u64,
    /// Waiting for their time.
    pub delayed: u64,
    /// Waiting for a host that is lost.
    pub for_hosts: u64,
}

/// A task and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Open {
    /// The task as accepted.
    pub task: Task,
    /// Its state.
    pub state: TaskState,
    /// When it is to go on, while it waits for a time.
    pub due: Option<Timestamp>,
}

impl Ledger {
    /// The task a person names, and where it stands.
    pub async fn find(&self, task: TaskRef) -> Result<Open, LedgerError> {
        let mut tx = self.look().await?;
        open_of(&find_row(&mut tx, task).await?)
    }

    /// One line about a task.
    pub async fn line(&self, task: TaskRef) -> Result<TaskLine, LedgerError> {
        let mut tx = self.look().await?;
        line_of(&find_row(&mut tx, task).await?)
    }

    /// The newest tasks, newest first.
    pub async fn newest(&self, limit: usize) -> Result<Vec<TaskLine>, LedgerError> {
        let mut tx = self.look().await?;
        let rows = sqlx::query("SELECT * FROM tasks ORDER BY short_id DESC LIMIT $1")
            .bind(limit.min(10_000) as i64)
            .fetch_all(&mut *tx)
            .await?;
        rows.iter().map(line_of).collect()
    }

    /// Tasks that the bus must know, because they are queued, running, being stopped or waiting
    /// for their time or their host, and that come after a number, oldest first, at most `limit`: what the outbox
    /// walks over. Plans are not among them: no agent gets one.
    pub async fn in_hand(&self, after: ShortId, limit: u32) -> Result<Vec<Open>, LedgerError> {
        let mut tx = self.look().await?;
        let rows = sqlx::query(
            "SELECT * FROM tasks
             WHERE ended_us IS NULL AND (state <> 'waiting' OR reason IN ('time', 'host'))
             AND agent <> 'supervisor' AND short_id > $1 ORDER BY short_id LIMIT $2",
        )
        .bind(after.0 as i64)
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
        rows.iter().map(open_of).collect()
    }

    /// The same tasks, but only which they are: read from an index alone, however many there are.
    pub async fn in_hand_ids(
        &self,
        after: ShortId,
        limit: u32,
    ) -> Result<Vec<(ShortId, TaskId)>, LedgerError> {
        let sql = "SELECT short_id, id FROM tasks
             WHERE ended_us IS NULL AND (state <> 'waiting' OR reason IN ('time', 'host'))
             AND agent <> 'supervisor' AND short_id > $1 ORDER BY short_id LIMIT $2";
        self.ids(sql, after, limit).await
    }

    /// The same of every task that has not ended, whatever it waits for.
    pub async fn open_ids(
        &self,
        after: ShortId,
        limit: u32,
    ) -> Result<Vec<(ShortId, TaskId)>, LedgerError> {
        let sql = "SELECT short_id, id FROM tasks
             WHERE ended_us IS NULL AND agent <> 'supervisor' AND short_id > $1
             ORDER BY short_id LIMIT $2";
        self.ids(sql, after, limit).await
    }

    async fn ids(
        &self,
        sql: &'static str,
        after: ShortId,
        limit: u32,
    ) -> Result<Vec<(ShortId, TaskId)>, LedgerError> {
        let mut tx = self.look().await?;
        let query = sqlx::query(sql).bind(after.0 as i64).bind(i64::from(limit));
        let rows = query.fetch_all(&mut *tx).await?;
        rows.iter()
            .map(|row| {
                let id: String = row.try_get("id")?;
                let number = row.try_get::<i64, _>("short_id")?.max(0) as u64;
                let task = id.parse().map_err(|e| unreadable("task id", &id, e))?;
                Ok((ShortId(number), task))
            })
            .collect()
    }

    /// How many tasks are where; the parts of a plan count, and the plan itself before it begins.
    pub async fn counts(&self) -> Result<Counts, LedgerError> {
        let mut tx = self.look().await?;
        let rows = sqlx::query(
            "SELECT state, reason, COUNT(*) AS many FROM tasks
             WHERE ended_us IS NULL AND (agent <> 'supervisor' OR reason = 'time')
             GROUP BY state, reason",
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut counts = Counts::default();
        for row in &rows {
            let many = row.try_get::<i64, _>("many")?.max(0) as u64;
            let wait: Option<String> = row.try_get("reason")?;
            match row.try_get::<String, _>("state")?.as_str() {
                "queued" => counts.queued += many,
                "waiting" if wait.as_deref() == Some("time") => counts.delayed += many,
                "waiting" if wait.as_deref() == Some("host") => counts.for_hosts += many,
                "waiting" => counts.waiting += many,
                _ => counts.running += many,
            }
        }
        Ok(counts)
    }

    /// The run document of a task.
    pub async fn document(&self, task: TaskRef) -> Result<RunDocument, LedgerError> {
        let mut tx = self.read().await?;
        let row = find_row(&mut tx, task).await?;
        document_of(&mut tx, &row).await
    }

    /// Everything about a task.
    pub async fn page(&self, task: TaskRef) -> Result<TaskPage, LedgerError> {
        let mut tx = self.read().await?;
        let row = find_row(&mut tx, task).await?;
        let Open { task, .. } = open_of(&row)?;
        let key = task.id.to_string();
        Ok(TaskPage {
            document: document_of(&mut tx, &row).await?,
            attempts: attempts(&mut tx, &key).await?,
            calls: calls(&mut tx, &key).await?,
            recalled: recalled(&mut tx, &key).await?,
            learned: texts(
                &mut tx,
                "SELECT id FROM learned WHERE task = $1 ORDER BY position",
                &key,
            )
            .await?,
            notes: texts(
                &mut tx,
                "SELECT text FROM notes WHERE task = $1 ORDER BY position",
                &key,
            )
            .await?,
            task,
        })
    }
}

async fn find_row(tx: &mut AnyConnection, task: TaskRef) -> Result<AnyRow, LedgerError> {
    let row = match task {
        TaskRef::Short(ShortId(number)) => {
            sqlx::query("SELECT * FROM tasks WHERE short_id = $1")
                .bind(i64::try_from(number).unwrap_or(-1))
                .fetch_optional(&mut *tx)
                .await?
        }
        TaskRef::Id(id) => {
            sqlx::query("SELECT * FROM tasks WHERE id = $1")
                .bind(id.to_string())
                .fetch_optional(&mut *tx)
                .await?
        }
    };
    row.ok_or_else(|| LedgerError::NoTask(task.to_string()))
}

fn open_of(row: &AnyRow) -> Result<Open, LedgerError> {
    let key: String = row.try_get("id")?;
    let mut task: Task = from_json("task", &key, &row.try_get::<String, _>("task")?)?;
    // It may have been handed on since it was accepted.
    let agent: String = row.try_get("agent")?;
    task.agent = agent
        .parse()
        .map_err(|e| standing::unreadable("agent", &key, e))?;
    // And people may have given it another limit.
    task.budget = words::budget_of(row)?.or(task.budget);
    Ok(Open {
        task,
        state: state_of(row, &key)?,
        due: row
            .try_get::<Option<i64>, _>("due_us")?
            .map(|us| time(&key, us))
            .transpose()?,
    })
}

fn line_of(row: &AnyRow) -> Result<TaskLine, LedgerError> {
    let Open { task, state, due } = open_of(row)?;
    let ended: Option<i64> = row.try_get("ended_us")?;
    Ok(TaskLine {
        ended: ended.map(|us| time(&task.id.to_string(), us)).transpose()?,
        task_id: task.id,
        short_id: task.short_id,
        state,
        due,
        agent: task.agent,
        request: one_line(&task.request),
        accepted: task.accepted,
        cost: MicroUsd(row.try_get::<i64, _>("cost_micro_usd")?.max(0) as u64),
        parent: task.parent.map(|parent| parent.short_id),
    })
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

async fn document_of(tx: &mut AnyConnection, row: &AnyRow) -> Result<RunDocument, LedgerError> {
    let Open { task, state, due } = open_of(row)?;
    let key = task.id.to_string();
    let usage: String = row.try_get("usage")?;
    let usage = match usage.as_str() {
        "{}" => Usage::default(),
        text => from_json("usage", &key, text)?,
    };
    let wait = row
        .try_get::<Option<String>, _>("wait")?
        .map(|text| from_json("wait", &key, &text))
        .transpose()?;
    let plan = parts::document(tx, task.id).await?;
    let (usage, question, questions) = match &plan {
        None => (
            usage,
            row.try_get("question")?,
            questions::of_task(tx, &key, task.short_id).await?,
        ),
        Some(_) => {
            let (question, questions) = parts::questions(tx, &key).await?;
            (parts::usage(tx, &key).await?, question, questions)
        }
    };
    Ok(RunDocument {
        version: DOCUMENT_VERSION,
        task_id: task.id,
        short_id: task.short_id,
        state,
        due,
        // What an earlier wait was about is of no interest once it is over.
        wait: wait.filter(|_| due.is_some()),
        agent: task.agent,
        children: parts::children(tx, &key).await?,
        plan,
        phases: phases(tx, &key).await?,
        criteria: criteria(tx, &key).await?,
        result: row.try_get("result")?,
        waits: None,
        question,
        questions,
        words: words::of_task(tx, &key).await?,
        ratings: ratings::of_task(tx, &key).await?,
        artifacts: from_json("artifacts", &key, &row.try_get::<String, _>("artifacts")?)?,
        usage: UsageDocument::from(&usage),
        attempts: attempts(tx, &key).await?.len() as u64,
        trace_id: task.trace.map(|trace| trace.id()),
    })
}

fn phase_of(row: &AnyRow, key: &str) -> Result<Phase, LedgerError> {
    let name: String = row.try_get("phase")?;
    Phase::from_name(&name).ok_or_else(|| unreadable("phase", key, name))
}

async fn phases(tx: &mut AnyConnection, key: &str) -> Result<Vec<PhaseSpan>, LedgerError> {
    let rows = sqlx::query(
        "SELECT phase, started_us, ended_us FROM phases WHERE task = $1 ORDER BY started_us",
    )
    .bind(key)
    .fetch_all(&mut *tx)
    .await?;
    let mut spans = Vec::with_capacity(rows.len());
    for row in &rows {
        let ended: Option<i64> = row.try_get("ended_us")?;
        spans.push(PhaseSpan {
            phase: phase_of(row, key)?,
            started: time(key, row.try_get("started_us")?)?,
            ended: ended.map(|us| time(key, us)).transpose()?,
        });
    }
    // Phases that began in the same microsecond stay in the order of the algorithm.
    spans.sort_by_key(|span| (span.started, span.phase));
    Ok(spans)
}

pub(super) async fn criteria(
    tx: &mut AnyConnection,
    key: &str,
) -> Result<Vec<CriterionDocument>, LedgerError> {
    let rows = sqlx::query(
        "SELECT c.body, e.verdict, e.observed FROM criteria c
         LEFT JOIN evidence e ON e.task = c.task AND e.criterion = c.id AND e.measured_us =
           (SELECT MAX(l.measured_us) FROM evidence l WHERE l.task = c.task AND l.criterion = c.id)
         WHERE c.task = $1 ORDER BY c.position",
    )
    .bind(key)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter()
        .map(|row| {
            let body: String = row.try_get("body")?;
            let criterion: Criterion = from_json("criterion", key, &body)?;
            let verdict: Option<String> = row.try_get("verdict")?;
            Ok(CriterionDocument {
                id: criterion.id,
                text: criterion.text,
                check: criterion.check,
                passed: verdict.as_deref().and_then(verdict_passed),
                evidence: row.try_get("observed")?,
            })
        })
        .collect()
}

async fn attempts(tx: &mut AnyConnection, key: &str) -> Result<Vec<AttemptLine>, LedgerError> {
    let rows = sqlx::query(
        "SELECT epoch, number, holder, started_us, replayed FROM attempts
         WHERE task = $1 ORDER BY epoch",
    )
    .bind(key)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(AttemptLine {
                number: row.try_get::<i64, _>("number")?.max(0) as u64,
                holder: row.try_get("holder")?,
                epoch: row.try_get::<i64, _>("epoch")?.max(0) as u64,
                started: time(key, row.try_get("started_us")?)?,
                replayed: row.try_get::<i64, _>("replayed")?.max(0) as u64,
            })
        })
        .collect()
}

async fn calls(tx: &mut AnyConnection, key: &str) -> Result<Vec<CallLine>, LedgerError> {
    let rows = sqlx::query(
        "SELECT phase, tool, summary, took_ms, CASE WHEN is_error THEN 1 ELSE 0 END AS failed FROM calls
         WHERE task = $1 ORDER BY position",
    )
    .bind(key)
    .fetch_all(&mut *tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(CallLine {
                phase: phase_of(row, key)?,
                tool: row.try_get("tool")?,
                summary: row.try_get("summary")?,
                took_ms: row.try_get::<i64, _>("took_ms")?.max(0) as u64,
                is_error: row.try_get::<i64, _>("failed")? == 1,
            })
        })
        .collect()
}

async fn recalled(tx: &mut AnyConnection, key: &str) -> Result<Vec<Recalled>, LedgerError> {
    let rows =
        sqlx::query("SELECT id, title, score FROM recalled WHERE task = $1 ORDER BY position")
            .bind(key)
            .fetch_all(&mut *tx)
            .await?;
    rows.iter()
        .map(|row| {
            Ok(Recalled {
                id: row.try_get("id")?,
                title: row.try_get("title")?,
                score: row.try_get::<f64, _>("score")? as f32,
            })
        })
        .collect()
}

async fn texts(
    tx: &mut AnyConnection,
    query: &'static str,
    key: &str,
) -> Result<Vec<String>, LedgerError> {
    Ok(sqlx::query_scalar(query)
        .bind(key)
        .fetch_all(&mut *tx)
        .await?)
}
