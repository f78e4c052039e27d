//! Whether this binary may open the ledger of the home, asked before anything is started: a supervisor
//! that is refused its ledger would only die again and again.

use crate::ledger::store::{Ledger, LedgerError};
use config::home::Home;
use config::settings::Settings;

/// Fails where a newer binary wrote the ledger. Another host's team has none here.
pub(super) async fn check(settings: &Settings, home: &Home) -> Result<(), LedgerError> {
    let file = home.ledger();
    match settings.joined.is_none() && file.exists() {
        true => Ledger::check(&file).await,
        false => Ok(()),
    }
}
