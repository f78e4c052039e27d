//! Since when running tasks are in their phases.

use super::standing::time;
use super::store::{Ledger, LedgerError};
use protocol::board::PhaseLine;
use protocol::ids::ShortId;
use sqlx::Row;

impl Ledger {
    /// The phase of every running task began then. A task whose agent has said nothing yet is left out.
    pub async fn phases_of_running(&self) -> Result<Vec<PhaseLine>, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query(
            "SELECT t.id, t.short_id, MAX(p.started_us) AS since FROM tasks t
             JOIN phases p ON p.task = t.id
             WHERE t.state = 'running' AND p.ended_us IS NULL GROUP BY t.id, t.short_id",
        )
        .fetch_all(&mut *tx)
        .await?;
        let line = |row: &sqlx::any::AnyRow| {
            let id: String = row.try_get("id")?;
            Ok(PhaseLine {
                task: ShortId(row.try_get::<i64, _>("short_id")?.max(0) as u64),
                since: time(&id, row.try_get("since")?)?,
            })
        };
        rows.iter().map(line).collect()
    }
}
