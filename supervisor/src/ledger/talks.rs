//! Questions asked of the team's model in the chat, their answers and what they cost. One that was cut
//! off stays charged at what was reserved for it.

use super::keep::keep_principal;
use super::records::{RESULT_BYTES, cut, whole};
use super::spends::{Spend, SpendState};
use super::standing::{self, from_json, micros, time, to_json};
use super::store::{Ledger, LedgerError};
use jiff::{SignedDuration, Timestamp};
use protocol::ids::{RequestId, Role, TaskId};
use protocol::money::MicroUsd;
use protocol::report::Usage;
use protocol::task::Principal;
use sqlx::{AnyConnection, Row};

/// How long a conversation is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// A question that is about to be asked.
#[derive(Debug, Clone)]
pub struct NewTalk<'a> {
    /// What its money is reserved under.
    pub id: TaskId,
    /// The conversation.
    pub conversation: &'a RequestId,
    /// Who asks.
    pub by: &'a Principal,
    /// Which model.
    pub model: &'a str,
    /// The words.
    pub words: &'a str,
    /// What is reserved for the answer.
    pub reserved: MicroUsd,
    /// Now.
    pub at: Timestamp,
}

impl Ledger {
    /// Keeps a question, charged at its reservation until it is known what it cost; old ones are
    /// forgotten.
    pub async fn talk_begins(&self, new: &NewTalk<'_>) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        keep_principal(&mut tx, new.by, new.at).await?;
        let old = new.at.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
        sqlx::query("DELETE FROM talks WHERE asked_us < $1")
            .bind(micros(old))
            .execute(&mut *tx)
            .await?;
        let usage = Usage {
            requests: 1,
            cost: new.reserved,
            ..Usage::default()
        };
        let key = new.id.to_string();
        sqlx::query(
            "INSERT INTO talks (id, conversation, principal_uid, model, asked, state, usage,
                                cost_micro_usd, asked_us)
             VALUES ($1, $2, $3, $4, $5, 'reserved', $6, $7, $8)",
        )
        .bind(&key)
        .bind(new.conversation.as_str())
        .bind(i64::from(new.by.uid))
        .bind(cut(new.model, RESULT_BYTES))
        .bind(cut(new.words, RESULT_BYTES))
        .bind(to_json("usage", &key, &usage)?)
        .bind(whole(new.reserved.0))
        .bind(micros(new.at))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Keeps the answer and what it really cost; without an answer it came to nothing.
    pub async fn talk_ended(
        &self,
        id: TaskId,
        answer: Option<&str>,
        usage: &Usage,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        let key = id.to_string();
        let state = match answer {
            Some(_) => SpendState::Paid,
            None => SpendState::Failed,
        };
        sqlx::query(
            "UPDATE talks SET answer = $2, state = $3, usage = $4, cost_micro_usd = $5, ended_us = $6
             WHERE id = $1",
        )
        .bind(&key)
        .bind(answer.map(|answer| cut(answer, RESULT_BYTES)))
        .bind(state.as_str())
        .bind(to_json("usage", &key, usage)?)
        .bind(whole(usage.cost.0))
        .bind(micros(at))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Nobody has the answer of this one, or of any that was being said: they stay charged.
    pub async fn talks_lost(&self, id: Option<TaskId>) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "UPDATE talks SET state = 'lost'
             WHERE state = 'reserved' AND ($1 = '' OR id = $1)",
        )
        .bind(id.map_or(String::new(), |id| id.to_string()))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The newest questions of a conversation that were answered, oldest first, with their answers.
    pub async fn conversation(
        &self,
        conversation: &RequestId,
        most: u32,
    ) -> Result<Vec<(String, String)>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT asked, answer FROM talks WHERE conversation = $1 AND answer IS NOT NULL
             ORDER BY asked_us DESC, id DESC LIMIT $2",
        )
        .bind(conversation.as_str())
        .bind(i64::from(most))
        .fetch_all(&mut *tx)
        .await?;
        let said = rows.iter().rev();
        said.map(|row| Ok((row.try_get("asked")?, row.try_get("answer")?)))
            .collect()
    }
}

/// What answers since a time have cost or have set aside, in micro-dollars.
pub(super) async fn cost_since(
    tx: &mut AnyConnection,
    since: Timestamp,
) -> Result<i64, LedgerError> {
    let sum = sqlx::query_scalar(
        "SELECT CAST(COALESCE(SUM(cost_micro_usd), 0) AS BIGINT) FROM talks WHERE asked_us >= $1",
    );
    Ok(sum.bind(micros(since)).fetch_one(&mut *tx).await?)
}

/// Every answer since a time, oldest first.
pub(super) async fn since(
    tx: &mut AnyConnection,
    since: Timestamp,
) -> Result<Vec<Spend>, LedgerError> {
    let rows = sqlx::query(
        "SELECT id, model, state, usage, asked_us FROM talks WHERE asked_us >= $1
         ORDER BY asked_us, id",
    )
    .bind(micros(since))
    .fetch_all(&mut *tx)
    .await?;
    let spend = |row: &sqlx::any::AnyRow| {
        let key: String = row.try_get("id")?;
        let state: String = row.try_get("state")?;
        Ok(Spend {
            task: None,
            agent: Role::supervisor(),
            request: String::new(),
            model: row.try_get("model")?,
            state: SpendState::read(&state)
                .ok_or_else(|| standing::unreadable("talk", &key, state))?,
            usage: from_json("usage", &key, &row.try_get::<String, _>("usage")?)?,
            at: time(&key, row.try_get("asked_us")?)?,
        })
    };
    rows.iter().map(spend).collect()
}
