//! Asks a ledger on a server every few seconds whether it would take a write, so that an idle team whose server
//! became a standby says so by itself. What is wrong is in `status` until it is right again.

use crate::desk::Desk;
use crate::ledger::place::Place;
use crate::ledger::store::LedgerError;
use std::time::Duration;
use tokio::time::sleep;

/// Pause between two looks.
const LOOK: Duration = Duration::from_secs(2);

/// Looks again and again. Runs for ever; a file need not be looked at.
pub async fn keep(desk: &Desk) {
    if matches!(desk.ledger.place(), Place::File(_)) {
        return std::future::pending().await;
    }
    loop {
        sleep(LOOK).await;
        let seen = desk.ledger.probe().await;
        let now = seen.as_ref().err().map(sentence);
        let changed = desk.ledger_trouble.send_if_modified(|before| {
            let changed = *before != now;
            before.clone_from(&now);
            changed
        });
        match (seen, changed) {
            (Err(error @ (LedgerError::Superseded | LedgerError::PutBack)), _) => desk.note(&error),
            (Err(error), true) => tracing::warn!(%error, "the ledger would take no write"),
            (Ok(()), true) => tracing::info!("the ledger takes writes again"),
            _ => {}
        }
    }
}

/// What `status` says of it.
fn sentence(error: &LedgerError) -> String {
    let what = match error {
        LedgerError::Away(why) => format!("the ledger's database does not answer ({why})"),
        error => error.to_string(),
    };
    format!(
        "{what}; requests are refused until it takes writes again, what was accepted is kept and goes on then"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_said_with_what_it_means() {
        for (error, says) in [
            (
                LedgerError::OnlyRead,
                "must name the primary; requests are refused until",
            ),
            (
                LedgerError::Away("gone".to_owned()),
                "does not answer (gone); requests",
            ),
        ] {
            let said = sentence(&error);
            assert!(said.contains(says), "{said}");
        }
    }
}
