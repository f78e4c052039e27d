//! What model calls cost, call by call: told when money is set aside and when the call has ended, so
//! that every sum holds running tasks too. The report of a task is the whole truth about its sum; what
//! it knows beyond the calls that were told is kept as one line more.

use super::records::whole;
use super::standing::{self, from_json, micros, time, to_json};
use super::store::{Ledger, LedgerError};
use super::talks;
use jiff::Timestamp;
use protocol::ids::{Role, ShortId, TaskId};
use protocol::money::MicroUsd;
use protocol::report::Usage;
use sqlx::{AnyConnection, Row};

/// What became of the money of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpendState {
    /// Set aside for a call that is being made.
    Reserved,
    /// Paid for a reply.
    Paid,
    /// Paid for a call that came to nothing.
    Failed,
    /// Charged at its reservation: the call was lost with its holder.
    Lost,
}

impl SpendState {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            SpendState::Reserved => "reserved",
            SpendState::Paid => "paid",
            SpendState::Failed => "failed",
            SpendState::Lost => "lost",
        }
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        [Self::Reserved, Self::Paid, Self::Failed, Self::Lost]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

/// One call, with the task it was made for.
#[derive(Debug, Clone, PartialEq)]
pub struct Spend {
    /// The task's number; `None` for a plain question in the chat.
    pub task: Option<ShortId>,
    /// Who worked on it.
    pub agent: Role,
    /// What the task was asked for, on one line.
    pub request: String,
    /// The model; empty where it is not known.
    pub model: String,
    /// What became of the money.
    pub state: SpendState,
    /// Tokens and money.
    pub usage: Usage,
    /// When.
    pub at: Timestamp,
}

/// Keeps that money was set aside for a step. What was set aside for it before belongs to a call that
/// nobody has the reply of.
pub(super) async fn reserved(
    tx: &mut AnyConnection,
    task: &str,
    step: &str,
    model: &str,
    amount: MicroUsd,
    at: Timestamp,
) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE spends SET state = 'lost' WHERE task = $1 AND step = $2 AND state = 'reserved'",
    )
    .bind(task)
    .bind(step)
    .execute(&mut *tx)
    .await?;
    let usage = Usage {
        requests: 1,
        cost: amount,
        ..Usage::default()
    };
    insert(tx, task, step, model, SpendState::Reserved, &usage, at).await
}

/// Puts what a call used in the place of what was set aside for it.
pub(super) async fn spent(
    tx: &mut AnyConnection,
    task: &str,
    step: &str,
    model: &str,
    usage: &Usage,
    at: Timestamp,
    failed: bool,
) -> Result<(), LedgerError> {
    let state = match failed {
        true => SpendState::Failed,
        false => SpendState::Paid,
    };
    let changed = sqlx::query(
        "UPDATE spends SET state = $3, model = $4, usage = $5, cost_micro_usd = $6, at_us = $7
         WHERE task = $1 AND step = $2 AND state = 'reserved'",
    )
    .bind(task)
    .bind(step)
    .bind(state.as_str())
    .bind(model)
    .bind(to_json("usage", task, usage)?)
    .bind(whole(usage.cost.0))
    .bind(micros(at))
    .execute(&mut *tx)
    .await?
    .rows_affected();
    if changed == 0 {
        insert(tx, task, step, model, state, usage, at).await?;
    }
    // So that `task show` says what a running task has cost.
    let sum = sum(tx, task).await?;
    write_sum(tx, task, &sum).await
}

/// A report came: nothing is in flight any more, and the calls add up to what it says.
pub(super) async fn closed(
    tx: &mut AnyConnection,
    task: &str,
    reported: &Usage,
    at: Timestamp,
) -> Result<(), LedgerError> {
    lose(tx, task).await?;
    let told = sum(tx, task).await?;
    if reported.cost > told.cost {
        let more = beyond(reported, &told);
        return insert(tx, task, "", "", SpendState::Paid, &more, at).await;
    }
    if told.cost > reported.cost {
        // Such as a report that could not be handed in whole: what was paid stays paid.
        return write_sum(tx, task, &told).await;
    }
    Ok(())
}

/// A task ended: what was set aside for calls nobody has the reply of stays charged.
pub(super) async fn ended(tx: &mut AnyConnection, task: &str) -> Result<(), LedgerError> {
    if lose(tx, task).await? == 0 {
        return Ok(());
    }
    let told = sum(tx, task).await?;
    write_sum(tx, task, &told).await
}

async fn lose(tx: &mut AnyConnection, task: &str) -> Result<u64, LedgerError> {
    let lost =
        sqlx::query("UPDATE spends SET state = 'lost' WHERE task = $1 AND state = 'reserved'");
    Ok(lost.bind(task).execute(&mut *tx).await?.rows_affected())
}

/// What `whole` holds beyond `part`.
fn beyond(whole: &Usage, part: &Usage) -> Usage {
    Usage {
        requests: whole.requests.saturating_sub(part.requests),
        input_tokens: whole.input_tokens.saturating_sub(part.input_tokens),
        output_tokens: whole.output_tokens.saturating_sub(part.output_tokens),
        cache_read_tokens: whole
            .cache_read_tokens
            .saturating_sub(part.cache_read_tokens),
        cache_write_tokens: whole
            .cache_write_tokens
            .saturating_sub(part.cache_write_tokens),
        cost: MicroUsd(whole.cost.0.saturating_sub(part.cost.0)),
        saved_micro_usd: whole.saved_micro_usd.saturating_sub(part.saved_micro_usd),
    }
}

/// What the calls of a task used so far; what is only set aside is not spent.
async fn sum(tx: &mut AnyConnection, task: &str) -> Result<Usage, LedgerError> {
    let texts: Vec<String> =
        sqlx::query_scalar("SELECT usage FROM spends WHERE task = $1 AND state <> 'reserved'")
            .bind(task)
            .fetch_all(&mut *tx)
            .await?;
    let mut sum = Usage::default();
    for text in &texts {
        sum.add(&from_json("usage", task, text)?);
    }
    Ok(sum)
}

async fn write_sum(tx: &mut AnyConnection, task: &str, sum: &Usage) -> Result<(), LedgerError> {
    sqlx::query("UPDATE tasks SET usage = $2, cost_micro_usd = $3 WHERE id = $1")
        .bind(task)
        .bind(to_json("usage", task, sum)?)
        .bind(whole(sum.cost.0))
        .execute(&mut *tx)
        .await?;
    Ok(())
}

async fn insert(
    tx: &mut AnyConnection,
    task: &str,
    step: &str,
    model: &str,
    state: SpendState,
    usage: &Usage,
    at: Timestamp,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO spends (task, position, step, model, state, usage, cost_micro_usd, at_us)
         VALUES ($1, (SELECT COALESCE(MAX(position), 0) + 1 FROM spends WHERE task = $1),
                 $2, $3, $4, $5, $6, $7)",
    )
    .bind(task)
    .bind(step)
    .bind(model)
    .bind(state.as_str())
    .bind(to_json("usage", task, usage)?)
    .bind(whole(usage.cost.0))
    .bind(micros(at))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

impl Ledger {
    /// What was spent or is set aside since a time, by tasks that ended, tasks that run and answers.
    pub async fn spent_since(&self, since: Timestamp) -> Result<MicroUsd, LedgerError> {
        let mut tx = self.read().await?;
        let sum: i64 = sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(cost_micro_usd), 0) AS BIGINT) FROM spends WHERE at_us >= $1",
        )
        .bind(micros(since))
        .fetch_one(&mut *tx)
        .await?;
        let talks = talks::cost_since(&mut tx, since).await?;
        Ok(MicroUsd(sum.saturating_add(talks).max(0).unsigned_abs()))
    }

    /// What a task has spent so far and has set aside.
    pub async fn spent_by(&self, task: TaskId) -> Result<MicroUsd, LedgerError> {
        let mut tx = self.read().await?;
        let sum: i64 = sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(cost_micro_usd), 0) AS BIGINT) FROM spends WHERE task = $1",
        )
        .bind(task.to_string())
        .fetch_one(&mut *tx)
        .await?;
        Ok(MicroUsd(sum.max(0).unsigned_abs()))
    }

    /// Every call since a time, oldest first.
    pub async fn spends_since(&self, since: Timestamp) -> Result<Vec<Spend>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT t.id, t.short_id, t.agent, t.task, s.model, s.state, s.usage, s.at_us
             FROM spends s JOIN tasks t ON t.id = s.task WHERE s.at_us >= $1
             ORDER BY s.at_us, t.short_id, s.position",
        )
        .bind(micros(since))
        .fetch_all(&mut *tx)
        .await?;
        let tasks = rows.iter().map(spend_of);
        let mut spends: Vec<Spend> = tasks.collect::<Result<_, _>>()?;
        spends.extend(talks::since(&mut tx, since).await?);
        spends.sort_by_key(|spend| spend.at);
        Ok(spends)
    }
}

/// Of a task as it is kept, the one word that is needed here.
#[derive(serde::Deserialize)]
struct Asked {
    request: String,
}

fn spend_of(row: &sqlx::any::AnyRow) -> Result<Spend, LedgerError> {
    let key: String = row.try_get("id")?;
    let agent: String = row.try_get("agent")?;
    let asked: Asked = from_json("task", &key, &row.try_get::<String, _>("task")?)?;
    let state: String = row.try_get("state")?;
    let state =
        SpendState::read(&state).ok_or_else(|| standing::unreadable("spend", &key, state))?;
    Ok(Spend {
        task: Some(ShortId(
            row.try_get::<i64, _>("short_id")?.max(0).unsigned_abs(),
        )),
        agent: agent
            .parse()
            .map_err(|e| standing::unreadable("agent", &key, e))?,
        request: asked
            .request
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" "),
        model: row.try_get("model")?,
        state,
        usage: from_json("usage", &key, &row.try_get::<String, _>("usage")?)?,
        at: time(&key, row.try_get("at_us")?)?,
    })
}
