//! What every room of the supervisor works with: the settings, the ledger, the way to the bus,
//! the memory, the playbooks, and whoever must hear of what was committed.

use crate::bus_link::BusLink;
use crate::hub::Hub;
use crate::ledger::store::{Ledger, LedgerError};
use crate::memory_owner::MemoryOwner;
use crate::route::shelf::Shelf;
use crate::schedules::book::Book;
use config::home::Home;
use config::settings::Settings;
use std::sync::Arc;
use tokio::sync::{Notify, watch};

/// The desk. Shared by every task of the process.
pub struct Desk {
    /// The resolved settings.
    pub settings: Settings,
    /// The home folder.
    pub home: Home,
    /// The ledger; this process is its one writer.
    pub ledger: Ledger,
    /// The way to the bus.
    pub link: BusLink,
    /// Who hears of what was committed.
    pub hub: Hub,
    /// The owner of MEMORY.
    pub memory: MemoryOwner,
    /// The playbooks.
    pub shelf: Shelf,
    /// The schedules.
    pub schedules: Book,
    /// Woken when the outbox should look at once.
    pub outbox: Notify,
    /// Woken when a backup is owed.
    pub backups: Notify,
    /// Woken when a brake was pulled or let go.
    pub braked: Notify,
    /// The same for whoever tells the warden.
    pub owed_to_warden: Notify,
    /// Set once this process may write no more, because another supervisor took over or the ledger
    /// was put back: it ends.
    pub ended: watch::Sender<Option<Over>>,
    /// Why the ledger would take no write just now, as a sentence.
    pub ledger_trouble: watch::Sender<Option<String>>,
}

impl Desk {
    /// Notes an error of the ledger; when another supervisor took over, this process ends.
    pub fn note(&self, error: &LedgerError) {
        self.ledger.saw(error);
        match error {
            LedgerError::Superseded => {
                self.ended.send_replace(Some(Over::Superseded));
            }
            LedgerError::PutBack => {
                self.ended.send_replace(Some(Over::PutBack));
            }
            LedgerError::Away(_) => tracing::warn!(%error, "ledger"),
            LedgerError::Database(_)
            | LedgerError::DiskFull
            | LedgerError::ServerFull
            | LedgerError::OnlyRead
            | LedgerError::NotTaken(_)
            | LedgerError::Server(_)
            | LedgerError::Unreadable { .. } => {
                tracing::error!(%error, "ledger");
            }
            _ => {}
        }
    }
}

/// Why a supervisor writes no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Another one took over.
    Superseded,
    /// The ledger went back to an older state.
    PutBack,
}

/// A desk as tasks share it.
pub type SharedDesk = Arc<Desk>;
