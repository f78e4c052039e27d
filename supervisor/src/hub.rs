//! Tells whoever listens inside the supervisor that something was committed to the ledger. It is a
//! wake-up and a line for whoever watches, never the truth: that is read from the ledger.

use crate::ledger::events::{Event, Happening};
use crate::recent::Recent;
use protocol::board::EventLine;
use std::sync::Arc;
use tokio::sync::broadcast;

/// How many happenings a slow listener may be behind before it misses some.
const BEHIND: usize = 512;

/// The hub. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Hub {
    sender: broadcast::Sender<Arc<Happening>>,
    words: broadcast::Sender<String>,
    recent: Recent,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            sender: broadcast::Sender::new(BEHIND),
            words: broadcast::Sender::new(BEHIND),
            recent: Recent::default(),
        }
    }
}

impl Hub {
    /// Tells what was committed, in order.
    pub fn tell(&self, happenings: Vec<Happening>) {
        for happening in happenings {
            if let Event::State(state) = &happening.event {
                let Happening {
                    task,
                    short_id,
                    agent,
                    ..
                } = &happening;
                tracing::info!(task = %short_id, id = %task, %agent, %state, "state");
            }
            self.recent.note(&happening);
            // Nobody listening is fine.
            let _nobody = self.sender.send(Arc::new(happening));
        }
    }

    /// Says something about the team as a whole, for whoever watches.
    pub fn say(&self, words: String) {
        self.recent.say(&words);
        let _nobody = self.words.send(words);
    }

    /// What was told last, oldest first.
    pub fn recent(&self) -> Vec<EventLine> {
        self.recent.all()
    }

    /// Listens to what is said about the team, from now on.
    pub fn listen_to_words(&self) -> broadcast::Receiver<String> {
        self.words.subscribe()
    }

    /// Listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<Happening>> {
        self.sender.subscribe()
    }
}
