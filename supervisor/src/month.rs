//! What the month has cost, told to Redis from the ledger: the gate in front of every model call stands on Redis, and
//! one that is new or forgot everything must not begin again at nothing. It is told at each connection, before
//! anything is sent, and now and then, so that a month is known before it begins.

use crate::desk::Desk;
use crate::intake::month_start;
use crate::ledger::store::{Ledger, LedgerError};
use bus::connect::Bus;
use bus::error::BusError;
use jiff::{Timestamp, ToSpan};
use std::time::Duration;
use tokio::time::sleep;

/// Pause between two times it is told. A month is told from the moment it is the next one.
const PAUSE: Duration = Duration::from_secs(600);

/// Why it was not told.
#[derive(Debug, thiserror::Error)]
pub enum MonthError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Redis.
    #[error(transparent)]
    Bus(#[from] BusError),
}

/// Tells what this month has cost so far, and the next.
///
/// # Errors
/// When ledger or Redis do not answer.
pub async fn tell(bus: &Bus, ledger: &Ledger, now: Timestamp) -> Result<(), MonthError> {
    for start in starts(now) {
        let spent = ledger.spent_since(start).await?;
        bus.month_is(&start.strftime("%Y-%m").to_string(), spent)
            .await?;
    }
    Ok(())
}

/// When this month began, and when the next one begins.
fn starts(now: Timestamp) -> [Timestamp; 2] {
    let this = month_start(now);
    // No month has more than 31 days, and 32 days from its first lie in the next.
    let next = this.checked_add((32 * 24).hours()).unwrap_or(this);
    [this, month_start(next)]
}

/// Tells it before anything is sent. A sum that Redis does not take keeps nobody from connecting: it
/// is told again, and until then no model is called.
///
/// # Errors
/// When ledger or Redis do not answer.
pub async fn tell_first(bus: &Bus, ledger: &Ledger, now: Timestamp) -> Result<(), MonthError> {
    match tell(bus, ledger, now).await {
        Err(MonthError::Bus(error)) if error.is_about_one() => {
            tracing::warn!(%error, "redis does not take what the month has cost");
            Ok(())
        }
        told => told,
    }
}

/// Tells it again and again. Runs for ever.
pub async fn keep(desk: &Desk) {
    loop {
        sleep(PAUSE).await;
        let (bus, _) = desk.link.up().await;
        match tell(&bus, &desk.ledger, Timestamp::now()).await {
            Ok(()) => {}
            Err(MonthError::Ledger(error)) => desk.note(&error),
            Err(MonthError::Bus(error)) => desk.link.noticed(&error),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_month_and_the_next_one() {
        for (now, this, next) in [
            ("2026-01-31T23:59:59Z", "2026-01", "2026-02"),
            ("2026-12-01T00:00:00Z", "2026-12", "2027-01"),
            ("2028-02-29T12:00:00Z", "2028-02", "2028-03"),
        ] {
            let names = starts(now.parse().unwrap()).map(|at| at.strftime("%Y-%m").to_string());
            assert_eq!(names, [this, next]);
        }
    }
}
