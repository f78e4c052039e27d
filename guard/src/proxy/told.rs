//! What the record is told of a connection: that it is about to be made, and how it ended; and the
//! frost that holds all of them while the team is frozen. The proxy knows no warden: whoever started
//! it writes, and answers when it is written.

use super::Connection;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// Longest wait for a line that a connection cannot do without.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// It is allowed, and about to be made.
    Begins,
    /// It was made, or failed, and is over.
    Ended,
    /// It was not allowed.
    Refused,
}

/// One thing that is to be written down.
#[derive(Debug)]
pub struct Told {
    /// Which connection of this proxy, from 1.
    pub number: u64,
    /// How far it is.
    pub stage: Stage,
    /// What is known of it.
    pub connection: Connection,
    /// Takes the answer once it is written, or why it could not be.
    pub written: oneshot::Sender<Result<(), String>>,
}

/// Whoever writes, if anybody does.
pub(super) struct Record(pub(super) Option<mpsc::Sender<Told>>);

impl Record {
    /// Has it written that a connection is about to be made.
    ///
    /// # Errors
    /// A sentence: it must not be made.
    pub(super) async fn begins(&self, number: u64, connection: &Connection) -> Result<(), String> {
        self.tell(number, Stage::Begins, connection.clone()).await
    }

    /// Has it written how a connection ended. One whose end cannot be written has happened all the same.
    pub(super) async fn ended(&self, number: u64, connection: Connection) {
        let stage = match connection.begun {
            true => Stage::Ended,
            false => Stage::Refused,
        };
        let _logged_by_who_writes = self.tell(number, stage, connection).await;
    }

    async fn tell(&self, number: u64, stage: Stage, connection: Connection) -> Result<(), String> {
        let Some(record) = &self.0 else {
            return Ok(());
        };
        let nobody = || "nothing is done without a record, and nobody writes it now".to_owned();
        let (written, answer) = oneshot::channel();
        let told = Told {
            number,
            stage,
            connection,
            written,
        };
        let asked = async {
            record.send(told).await.map_err(|_| nobody())?;
            answer.await.map_err(|_| nobody())?
        };
        timeout(PATIENCE, asked).await.map_err(|_| nobody())?
    }
}

/// Whether the team is frozen. Without anybody who could freeze it, it is not.
pub(super) struct Frost(pub(super) watch::Receiver<bool>);

impl Frost {
    /// Waits until it is not.
    pub(super) async fn thawed(&self) {
        drop(self.watched().await);
    }

    /// Waits until it is not, and looks from then on whether it is.
    pub(super) async fn watched(&self) -> Watched {
        let mut watched = self.0.clone();
        // An error says that nobody freezes it any more.
        drop(watched.wait_for(|frozen| !frozen).await);
        Watched(watched)
    }
}

/// Looks whether it was frozen since.
pub(super) struct Watched(watch::Receiver<bool>);

impl Watched {
    /// Whether it is frozen, or was since it was last asked.
    pub(super) fn melted(&mut self) -> bool {
        self.0.has_changed().unwrap_or(false) || *self.0.borrow_and_update()
    }
}
