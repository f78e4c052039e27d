//! What the record is told of a connection: that it is about to be made, and how it ended; and the
//! frost that holds all of them while the team is frozen. The proxy knows no warden: whoever holds the task
//! writes, and answers when it is written.

use super::Connection;
use super::words::Pace;
use serde::{Deserialize, Serialize};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

/// Longest wait for a line that a connection cannot do without.
const PATIENCE: Duration = Duration::from_secs(10);

/// How far a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// Whoever has it written.
pub(super) struct Record(pub(super) mpsc::Sender<Told>);

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
        let asked = written(&self.0, number, stage, connection);
        timeout(PATIENCE, asked).await.map_err(|_| nobody())?
    }
}

fn nobody() -> String {
    "nothing is done without a record, and nobody writes it now".to_owned()
}

/// Has a line written by whoever listens, and waits until it is.
///
/// # Errors
/// A sentence: it is not written.
pub(super) async fn written(
    record: &mpsc::Sender<Told>,
    number: u64,
    stage: Stage,
    connection: Connection,
) -> Result<(), String> {
    let (written, answer) = oneshot::channel();
    let told = Told {
        number,
        stage,
        connection,
        written,
    };
    record.send(told).await.map_err(|_| nobody())?;
    answer.await.map_err(|_| nobody())?
}

/// How it goes on, as it was told last.
#[derive(Debug, Clone, Copy)]
pub(super) struct Held {
    /// Whether bytes may be carried; nothing is known before the first word.
    pub(super) pace: Option<Pace>,
    /// How often it was frozen.
    pub(super) frosts: u64,
}

impl Held {
    /// After another word.
    pub(super) fn then(self, pace: Pace) -> Held {
        let was = self.pace.is_some_and(|pace| pace.frozen);
        Held {
            pace: Some(pace),
            frosts: self.frosts + u64::from(pace.frozen && !was),
        }
    }

    fn carries(self) -> bool {
        self.pace.is_some_and(Pace::carries)
    }
}

/// Whether the team is frozen, and whether the task is surely held.
pub(super) struct Frost(pub(super) watch::Receiver<Held>);

impl Frost {
    /// Waits until bytes may be carried.
    pub(super) async fn thawed(&self) {
        drop(self.watched().await);
    }

    /// Waits until they may, and looks from then on whether it is frozen.
    pub(super) async fn watched(&self) -> Watched {
        let mut watched = self.0.clone();
        loop {
            let held = *watched.borrow_and_update();
            if held.carries() {
                let frosts = held.frosts;
                return Watched { watched, frosts };
            }
            // With whoever says it this process ends.
            if watched.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Looks whether it was frozen since.
pub(super) struct Watched {
    watched: watch::Receiver<Held>,
    frosts: u64,
}

impl Watched {
    /// Whether it was frozen since it was last asked.
    pub(super) fn melted(&mut self) -> bool {
        let held = *self.watched.borrow();
        let since = held.frosts != self.frosts || held.pace.is_none_or(|pace| pace.frozen);
        self.frosts = held.frosts;
        since
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deadline::Deadline;

    #[test]
    fn a_frost_is_counted_once_and_a_renewal_is_none() {
        let until = Deadline::after(Duration::from_secs(60));
        let mut held = Held {
            pace: None,
            frosts: 0,
        };
        assert!(!held.carries(), "before anything was said");
        for (frozen, frosts) in [
            (false, 0),
            (false, 0),
            (true, 1),
            (true, 1),
            (false, 1),
            (true, 2),
        ] {
            held = held.then(Pace { frozen, until });
            assert_eq!((held.frosts, held.carries()), (frosts, !frozen));
        }
    }
}
