//! The one owner of MEMORY: answers agents over the bus and people over the control socket. Files
//! and index are touched on a blocking thread, one question at a time. A memory that cannot be
//! opened costs the answers, not the team; the next question tries again.

use crate::desk::SharedDesk;
use crate::masked;
use bus::ask::{Asked, Questions};
use bus::connect::Bus;
use bus::error::BusError;
use guard::redact::Redactor;
use jiff::Timestamp;
use memory::{Memory, MemoryError};
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::Role;
use protocol::memory::{
    FoundMemory, MemoryAnswer, MemoryFile, MemoryImported, MemoryQuery, MemoryStats, NewMemory,
};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

/// Most records one search returns.
const FOUND: usize = 100;

/// Why memory does not answer.
#[derive(Debug, thiserror::Error)]
pub enum OwnerError {
    /// What memory itself says.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The thread ended early.
    #[error("the memory's thread ended before it could answer: try again")]
    Ended,
}

impl OwnerError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            OwnerError::Memory(error) => error.exit_code(),
            OwnerError::Ended => protocol::exit::FAILED,
        }
    }
}

/// The owner. Cheap to clone.
#[derive(Clone)]
pub struct MemoryOwner {
    root: PathBuf,
    index: PathBuf,
    open: Arc<Mutex<Option<Memory>>>,
}

impl MemoryOwner {
    /// An owner that opens the memory with its first question.
    pub fn new(root: &Path, index: &Path) -> Self {
        Self {
            root: root.to_owned(),
            index: index.to_owned(),
            open: Arc::new(Mutex::new(None)),
        }
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Memory) -> Result<T, MemoryError> + Send + 'static,
    ) -> Result<T, OwnerError> {
        let owner = self.clone();
        spawn_blocking(move || {
            // A question that panicked leaves the files whole: every write of them is atomic.
            let mut open = owner
                .open
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            let memory = match open.take() {
                Some(memory) => memory,
                None => Memory::open(&owner.root, &owner.index)?,
            };
            let answer = work(&memory);
            *open = Some(memory);
            Ok(answer?)
        })
        .await
        .map_err(|_| OwnerError::Ended)?
    }

    /// Keeps a record; the same key is one record. Returns its id.
    pub async fn remember(&self, new: NewMemory) -> Result<String, OwnerError> {
        self.with(move |memory| memory.remember(&new)).await
    }

    /// Finds records, best first.
    pub async fn recall(
        &self,
        query: String,
        project: Option<String>,
        limit: usize,
    ) -> Result<Vec<FoundMemory>, OwnerError> {
        let limit = limit.min(FOUND);
        self.with(move |memory| memory.recall(&query, project.as_deref(), limit))
            .await
    }

    /// The file of a record.
    pub async fn show(&self, id: String) -> Result<String, OwnerError> {
        self.with(move |memory| memory.show(&id)).await
    }

    /// Forgets a record. Gives its title.
    pub async fn forget(&self, id: String, reason: String) -> Result<String, OwnerError> {
        self.with(move |memory| memory.forget(&id, &reason, Timestamp::now()))
            .await
    }

    /// Takes a forgotten record back. Gives its title.
    pub async fn take_back(&self, id: String) -> Result<String, OwnerError> {
        self.with(move |memory| memory.take_back(&id)).await
    }

    /// How it is.
    pub async fn stats(&self) -> Result<MemoryStats, OwnerError> {
        self.with(|memory| memory.stats()).await
    }

    /// Makes the index anew; every tenth of the way is told. Gives how many records there are.
    pub async fn reindex(&self, told: UnboundedSender<String>) -> Result<usize, OwnerError> {
        let tell = move |at: usize, of: usize| {
            let step = of.div_ceil(10).max(1);
            if at > 0 && at.is_multiple_of(step) {
                let _ = told.send(format!("{at} of {of} records"));
            }
        };
        self.with(move |memory| memory.reindex(&mut { tell })).await
    }

    /// Keeps records that were written elsewhere.
    pub async fn import(&self, files: Vec<MemoryFile>) -> Result<MemoryImported, OwnerError> {
        self.with(move |memory| memory.adopt(&files)).await
    }

    /// Answers a question of an agent; what it wants kept is kept as its own, and masked whatever the agent did.
    pub async fn answer(
        &self,
        by: &Role,
        query: MemoryQuery,
        redactor: impl FnOnce() -> Redactor,
    ) -> MemoryAnswer {
        let answer = match query {
            MemoryQuery::Recall {
                query,
                project,
                limit,
            } => self
                .recall(query, project, limit)
                .await
                .map(|memories| MemoryAnswer::Found { memories }),
            MemoryQuery::Remember { memory } => self
                .remember(NewMemory {
                    source: by.to_string(),
                    ..masked::memory(memory, &redactor())
                })
                .await
                .map(|id| MemoryAnswer::Kept { id }),
        };
        answer.unwrap_or_else(|error| MemoryAnswer::Error {
            message: error.to_string(),
        })
    }

    /// Answers what agents ask over the bus. Runs for ever; a question cut off here is asked
    /// again by its agent.
    pub async fn serve(self, desk: SharedDesk) {
        loop {
            let (bus, _) = desk.link.up().await;
            if let Err(error) = self.serve_while_up(&bus, &desk).await {
                tracing::warn!(%error, "questions cannot be read");
                desk.link.noticed(&error);
                sleep(Duration::from_millis(500)).await;
            }
        }
    }

    async fn serve_while_up(&self, bus: &Bus, desk: &SharedDesk) -> Result<(), BusError> {
        let mut questions = Questions::open(bus, "supervisor").await?;
        loop {
            let Some(Asked { by, question }) = questions.next().await? else {
                continue;
            };
            let answer = match read_question(&question) {
                Ok(query) => self.answer(&by, query, || masked::redactor(desk)).await,
                Err(message) => MemoryAnswer::Error { message },
            };
            let answer = envelope_of(bus, &question, answer);
            match bus.answer(&question, &answer).await {
                Err(error) if !error.is_about_one() => return Err(error),
                Err(error) => tracing::warn!(%error, "an answer could not be sent"),
                Ok(()) => {}
            }
        }
    }
}

fn read_question(question: &Envelope) -> Result<MemoryQuery, String> {
    if question.payload.action != "memory" {
        let action: String = question.payload.action.chars().take(80).collect();
        return Err(format!("the supervisor answers `memory`, not `{action}`"));
    }
    serde_json::from_value(question.payload.context.clone())
        .map_err(|e| format!("that is no question about memory: {e}"))
}

fn envelope_of(bus: &Bus, question: &Envelope, answer: MemoryAnswer) -> Envelope {
    let kind = MessageType::Answer;
    let mut envelope = Envelope::new(bus.team(), kind, "supervisor", &question.source);
    envelope.request_id = Some(question.id.to_string());
    envelope.payload.task_id = question.payload.task_id;
    envelope.payload.action = "memory".to_owned();
    envelope.payload.context = serde_json::to_value(answer).unwrap_or_default();
    envelope
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[tokio::test]
    async fn what_an_agent_wants_kept_is_masked_whatever_it_did() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let owner = MemoryOwner::new(&at("MEMORY"), &at("index"));
        let secret = "hunter2-hunter2";
        let query = json!({"ask": "remember", "memory": {
            "title": format!("of {secret}"), "body": format!("it is {secret}"), "project": null,
            "tags": [], "source": "code", "task": null, "phase": null,
            "evidence": [format!("c1: {secret}")], "key": "task/1"
        }});
        let query: MemoryQuery = serde_json::from_value(query).unwrap();
        let redactor = || Redactor::new([secret.to_owned()]);
        let role: Role = "code".parse().unwrap();
        let MemoryAnswer::Kept { id } = owner.answer(&role, query, redactor).await else {
            panic!("it was not kept");
        };
        let file = owner.show(id).await.unwrap();
        assert!(!file.contains(secret), "{file}");
        assert!(file.matches("[secret]").count() >= 3, "{file}");
    }
}
