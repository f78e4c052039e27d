//! Whether a ledger on a server would take a write now, asked while nobody writes: a server that became a standby, or
//! went back to an older state, is noticed within seconds and not with the next request. A disk that was full is
//! remembered until something was kept again.

use super::place::Place;
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use sqlx::Row;
use std::sync::atomic::Ordering;

impl Ledger {
    /// Looks at the server through the connection that writes. A file is not looked at.
    ///
    /// # Errors
    /// What the next write would come to: it is away, a standby, put back, or another supervisor's.
    pub async fn probe(&self) -> Result<(), LedgerError> {
        if matches!(self.place(), Place::File(_)) {
            return Ok(());
        }
        let mut connection = self.writer.acquire().await?;
        self.place().takes_writes(&mut connection).await?;
        let committed = self.committed.load(Ordering::Relaxed);
        let rows = sqlx::query("SELECT key, value FROM meta WHERE key IN ('epoch', 'writes')")
            .fetch_all(&mut *connection)
            .await?;
        let mut found = (0, 0);
        for row in &rows {
            let value: i64 = row.try_get("value")?;
            match row.try_get::<String, _>("key")?.as_str() {
                "epoch" => found.0 = value,
                _ => found.1 = value,
            }
        }
        match found {
            (epoch, _) if epoch > self.epoch() => Err(LedgerError::Superseded),
            (epoch, writes) if epoch < self.epoch() || writes < committed => {
                Err(LedgerError::PutBack)
            }
            _ => Ok(()),
        }
    }

    /// Remembers an error that says that there was no room.
    pub fn saw(&self, error: &LedgerError) {
        if matches!(error, LedgerError::ServerFull | LedgerError::DiskFull) {
            let now = Timestamp::now().as_microsecond();
            self.full.store(now, Ordering::Relaxed);
        }
    }

    /// When there was no room the last time something was to be kept; `None` once something was kept since.
    pub fn was_full(&self) -> Option<Timestamp> {
        let at = self.full.load(Ordering::Relaxed);
        (at > 0).then(|| Timestamp::from_microsecond(at).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}
