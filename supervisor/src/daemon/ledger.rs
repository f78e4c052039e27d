//! Whether this binary may open the ledger of the home, asked before anything is started: a supervisor
//! that is refused its ledger would only die again and again.

use crate::ledger::place::Place;
use crate::ledger::store::{Ledger, LedgerError};
use crate::ledger::whereabouts;
use config::home::Home;
use config::settings::Settings;

/// Fails where a newer binary wrote the ledger, where it is somewhere else, or its server cannot be reached. Another host's team has none here.
pub(super) async fn check(settings: &Settings, home: &Home) -> Result<(), LedgerError> {
    if settings.joined.is_some() {
        return Ok(());
    }
    match whereabouts::of(settings, home)? {
        Place::File(file) if !file.exists() => Ok(()),
        place => Ledger::check(&place).await,
    }
}
