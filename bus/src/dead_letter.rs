//! What nobody could read or finish: kept with its reason, listed newest first.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::keys::WORK_GROUP;
use crate::lease::Lease;
use crate::scripts;
use jiff::Timestamp;
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::{Role, TaskId};
use protocol::limits::ENVELOPE_BYTES;
use serde_json::json;
use std::collections::HashMap;

/// A task whose holders died this often is given up.
pub const CRASH_LIMIT: u64 = 5;
/// Bytes kept of an entry that is too large to keep, and shown of any, in bytes.
pub const PREVIEW_BYTES: usize = 1024;

/// An entry that left its stream unread or unfinished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id among the dead letters of its role.
    pub id: String,
    /// Whose streams it came from.
    pub role: Role,
    /// The stream it was in.
    pub stream: String,
    /// Why, as a sentence.
    pub reason: String,
    /// When it was taken out.
    pub at: Timestamp,
    /// Its size, in bytes.
    pub bytes: u64,
    /// The task, where it was one.
    pub task: Option<TaskId>,
    /// Its first bytes, or all that are kept of one that was asked for; any bytes at all.
    pub bytes_preview: Vec<u8>,
}

impl Bus {
    /// The newest dead letters of all roles, at most `limit`.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadLetter>, BusError> {
        let mut letters = Vec::new();
        for role in self.roles().await? {
            let call = Call::on([self.keys().dead(&role)])
                .arg(limit.max(1))
                .arg(PREVIEW_BYTES);
            let rows = self.run::<Vec<Row>>(&scripts::DEAD_LIST, &call, Again::Yes);
            match rows.await {
                Ok(rows) => letters.extend(rows.into_iter().map(|row| letter(&role, row))),
                // One role hides no other's.
                Err(error) if error.is_about_one() => {
                    tracing::warn!(%role, %error, "its dead letters cannot be read");
                }
                Err(error) => return Err(error),
            }
        }
        letters.sort_by_key(|letter| std::cmp::Reverse(letter.at));
        letters.truncate(limit);
        Ok(letters)
    }

    /// One dead letter with all that is kept of what it held; `None` where there is none (any more).
    pub async fn dead_letter(&self, role: &Role, id: &str) -> Result<Option<DeadLetter>, BusError> {
        let rows: Vec<(String, HashMap<String, Vec<u8>>)> = self
            .query(
                redis::cmd("XRANGE")
                    .arg(self.keys().dead(role))
                    .arg(id)
                    .arg(id),
                Again::Yes,
            )
            .await?;
        Ok(rows.into_iter().next().map(|(id, mut fields)| {
            let mut field = |name: &str| fields.remove(name).unwrap_or_default();
            let row = ["stream", "reason", "at", "size", "task", "body"].map(&mut field);
            let [stream, reason, at, size, task, body] = row;
            letter(
                role,
                [id.into_bytes(), stream, reason, at, size, task, body],
            )
        }))
    }

    /// Takes a dead letter off the list. Saying it twice is fine.
    pub async fn dead_remove(&self, role: &Role, id: &str) -> Result<(), BusError> {
        self.query::<i64>(
            redis::cmd("XDEL").arg(self.keys().dead(role)).arg(id),
            Again::Yes,
        )
        .await
        .map(drop)
    }

    /// How many dead letters are kept.
    pub async fn dead_count(&self) -> Result<u64, BusError> {
        let mut lengths = redis::pipe();
        let roles = self.roles().await?;
        if roles.is_empty() {
            return Ok(0);
        }
        for role in &roles {
            lengths.cmd("XLEN").arg(self.keys().dead(role));
        }
        match self.pipeline::<Vec<u64>>(&lengths, Again::Yes).await {
            Ok(lengths) => return Ok(lengths.iter().sum()),
            Err(error) if error.is_about_one() => {}
            Err(error) => return Err(error),
        }
        let mut count = 0;
        for role in &roles {
            let length = redis::cmd("XLEN").arg(self.keys().dead(role)).to_owned();
            match self.query::<u64>(&length, Again::Yes).await {
                Ok(length) => count += length,
                Err(error) if error.is_about_one() => {}
                Err(error) => return Err(error),
            }
        }
        Ok(count)
    }

    /// Gives a held task up: its entry to the dead letters, a `control` message with the action
    /// `dead` to the supervisor.
    pub(crate) async fn bury(&self, lease: &Lease, reason: &str) -> Result<(), BusError> {
        let mut word = Envelope::new(
            self.team(),
            MessageType::Control,
            lease.role.as_str(),
            "supervisor",
        );
        word.epoch = Some(lease.epoch);
        word.payload.task_id = Some(lease.task);
        word.payload.action = "dead".to_owned();
        word.payload.context = json!({ "reason": reason });
        let names = self.keys();
        let call = Call::on([
            names.task(&lease.role, lease.task),
            names.lease(&lease.lane),
            names.dead(&lease.role),
            names.out(&lease.role),
        ])
        .arg(lease.epoch.0)
        .arg(lease.task)
        .arg(WORK_GROUP)
        .arg(reason)
        .bytes(word.to_bytes()?)
        .arg(ENVELOPE_BYTES)
        .arg(PREVIEW_BYTES);
        let answer: String = self.run(&scripts::BURY, &call, Again::No).await?;
        self.settled(lease, &answer)
    }

    /// Takes an entry that its reader cannot understand out of a stream of `role`.
    pub(crate) async fn refuse(
        &self,
        role: &Role,
        stream: &str,
        group: &str,
        entry: &str,
        reason: &str,
    ) -> Result<(), BusError> {
        tracing::warn!(
            stream,
            entry,
            reason,
            "unreadable entry goes to the dead letters"
        );
        let call = Call::on([stream.to_owned(), self.keys().dead(role)])
            .arg(group)
            .arg(entry)
            .arg(reason)
            .arg(ENVELOPE_BYTES)
            .arg(PREVIEW_BYTES);
        self.run::<String>(&scripts::REFUSE, &call, Again::Yes)
            .await
            .map(drop)
    }
}

/// Id, stream, reason, time, size, task and first bytes; as bytes, since nothing here is trusted.
type Row = [Vec<u8>; 7];

fn letter(role: &Role, row: Row) -> DeadLetter {
    let [id, stream, reason, at, bytes, task, bytes_preview] = row;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let at = text(at).parse().unwrap_or(0);
    DeadLetter {
        id: text(id),
        role: role.clone(),
        stream: text(stream),
        reason: text(reason),
        at: Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH),
        bytes: text(bytes).parse().unwrap_or(0),
        task: text(task).parse().ok(),
        bytes_preview,
    }
}
