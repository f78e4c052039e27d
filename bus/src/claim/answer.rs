//! What the claim script says, read from its answer.

use super::ROUND;
use crate::error::BusError;
use protocol::ids::{Epoch, TaskId};
use redis::{FromRedisValue, Value};
use std::time::Duration;
use tokio::time::Instant;

/// What one run of the claim script says.
pub(super) enum Answer {
    /// These are held now.
    Work(Vec<Claimed>),
    /// Many entries were thrown out; there may be work behind them.
    Again,
    /// There is nothing.
    None(Idle),
}

/// What is known since a claim that found nothing.
pub(super) struct Idle {
    /// The wake that was the last one at that moment.
    pub(super) wake: String,
    /// When to look again at the latest.
    pub(super) due: Instant,
}

/// A task as the script hands it out.
pub(super) struct Claimed {
    pub(super) task: TaskId,
    pub(super) epoch: Epoch,
    pub(super) lane: String,
    pub(super) attempts: u64,
    pub(super) crashes: u64,
    pub(super) cancel: bool,
    pub(super) body: Vec<u8>,
}

/// Task id, epoch, lane, attempts, crashes, cancel, envelope.
type Row = (String, u64, String, u64, u64, i64, Vec<u8>);

/// Reads an answer.
pub(super) fn read(value: Value) -> Result<Answer, BusError> {
    let words: Vec<Value> = take(value)?;
    let mut words = words.into_iter();
    let mut next = || words.next().ok_or_else(odd);
    match take::<String>(next()?)?.as_str() {
        "again" => Ok(Answer::Again),
        "none" => {
            let wait: i64 = take(next()?)?;
            let wait = u64::try_from(wait).map_or(ROUND, Duration::from_millis);
            let due = Instant::now() + wait.min(ROUND);
            let wake = take(next()?)?;
            Ok(Answer::None(Idle { wake, due }))
        }
        "work" => Ok(Answer::Work(words.map(claimed).collect::<Result<_, _>>()?)),
        _ => Err(odd()),
    }
}

fn claimed(value: Value) -> Result<Claimed, BusError> {
    let (task, epoch, lane, attempts, crashes, cancel, body): Row = take(value)?;
    Ok(Claimed {
        task: task.parse().map_err(|_| odd())?,
        epoch: Epoch(epoch),
        lane,
        attempts,
        crashes,
        cancel: cancel != 0,
        body,
    })
}

fn odd() -> BusError {
    BusError::Redis("the claim script answered in an unknown form".to_owned())
}

fn take<T: FromRedisValue>(value: Value) -> Result<T, BusError> {
    redis::from_redis_value(value).map_err(|e| BusError::Redis(e.to_string()))
}
