//! Recall and remember: questions to the memory's one owner, over the bus.

use bus::connect::Bus;
use jiff::{SignedDuration, Timestamp};
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::Role;
use protocol::memory::{FoundMemory, MemoryAnswer, MemoryQuery, NewMemory};
use std::time::Duration;

/// How long an agent waits for the owner; work goes on without memory rather than not at all.
const PATIENCE: Duration = Duration::from_secs(3);

/// Why memory did not answer; a sentence for the task's notes.
#[derive(Debug, thiserror::Error)]
#[error("memory did not answer: {0}")]
pub struct NoMemory(String);

/// Finds what was learned before.
pub async fn recall(
    bus: &Bus,
    role: &Role,
    instance: &str,
    query: &str,
    project: Option<String>,
) -> Result<Vec<FoundMemory>, NoMemory> {
    let query = MemoryQuery::Recall {
        query: query.to_owned(),
        project,
        limit: 5,
    };
    match ask(bus, role, instance, &query).await? {
        MemoryAnswer::Found { memories } => Ok(memories),
        MemoryAnswer::Error { message } => Err(NoMemory(message)),
        MemoryAnswer::Kept { .. } => Err(NoMemory("it answered another question".to_owned())),
    }
}

/// Keeps a record; the same key twice is one record.
pub async fn remember(
    bus: &Bus,
    role: &Role,
    instance: &str,
    memory: NewMemory,
) -> Result<String, NoMemory> {
    match ask(bus, role, instance, &MemoryQuery::Remember { memory }).await? {
        MemoryAnswer::Kept { id } => Ok(id),
        MemoryAnswer::Error { message } => Err(NoMemory(message)),
        MemoryAnswer::Found { .. } => Err(NoMemory("it answered another question".to_owned())),
    }
}

async fn ask(
    bus: &Bus,
    role: &Role,
    instance: &str,
    query: &MemoryQuery,
) -> Result<MemoryAnswer, NoMemory> {
    let failed = |e: &dyn std::fmt::Display| NoMemory(e.to_string());
    let mut envelope = Envelope::new(bus.team(), MessageType::Query, instance, "supervisor");
    envelope.payload.action = "memory".to_owned();
    envelope.payload.context = serde_json::to_value(query).map_err(|e| failed(&e))?;
    let patience = SignedDuration::try_from(PATIENCE).unwrap_or(SignedDuration::ZERO);
    envelope.deadline = Some(Timestamp::now() + patience);
    let answered = bus.ask(role, &envelope, PATIENCE).await;
    let answer = answered.map_err(|e| failed(&e))?;
    serde_json::from_value(answer.payload.context).map_err(|e| failed(&e))
}
