//! How far each host's record of acts was seen to go, kept away from the record itself.

use super::standing::{micros, time};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::audit::AnchorLine;
use sqlx::Row;

/// Who remembers, in the words of `audit verify`.
pub const LEDGER: &str = "the ledger";

impl Ledger {
    /// Remembers how far a host's record goes. A shorter one than was seen before changes nothing.
    pub async fn anchor(
        &self,
        host: &str,
        seq: u64,
        hash: &str,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query(
            "INSERT INTO audit_anchors (host, seq, hash, seen_us) VALUES ($1, $2, $3, $4)
             ON CONFLICT (host) DO UPDATE
             SET seq = excluded.seq, hash = excluded.hash, seen_us = excluded.seen_us
             WHERE excluded.seq > audit_anchors.seq",
        )
        .bind(host)
        .bind(seq as i64)
        .bind(hash)
        .bind(micros(at))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Every host's.
    pub async fn anchors(&self) -> Result<Vec<AnchorLine>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query("SELECT * FROM audit_anchors")
            .fetch_all(&mut *tx)
            .await?;
        let line = |row: &sqlx::any::AnyRow| {
            let host: String = row.try_get("host")?;
            Ok(AnchorLine {
                by: LEDGER.to_owned(),
                seq: row.try_get::<i64, _>("seq")?.max(0) as u64,
                hash: row.try_get("hash")?,
                at: time(&host, row.try_get("seen_us")?)?,
                host,
            })
        };
        let mut all: Vec<AnchorLine> = rows.iter().map(line).collect::<Result<_, LedgerError>>()?;
        all.sort_by(|a, b| a.host.cmp(&b.host));
        Ok(all)
    }

    /// Forgets them: what comes out of a backup was not all read in one moment, so a record that was put
    /// back may end before the line its ledger remembers.
    pub async fn forget_anchors(&self) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM audit_anchors")
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
