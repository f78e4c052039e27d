//! What became of a task's patch: kept, applied once, or discarded. The intent to apply is
//! written before the workspace is touched, so that a cut-off apply is known as such.

use super::standing::micros;
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::ids::TaskId;

/// The life of a patch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PatchState {
    /// Nobody did anything with it.
    Kept,
    /// An apply was begun and its end never written.
    Applying,
    /// It is in the workspace.
    Applied,
    /// It and the clone are gone.
    Discarded,
}

const NAMES: [(PatchState, &str); 4] = [
    (PatchState::Kept, "kept"),
    (PatchState::Applying, "applying"),
    (PatchState::Applied, "applied"),
    (PatchState::Discarded, "discarded"),
];

fn name_of(state: PatchState) -> &'static str {
    NAMES
        .iter()
        .find(|(known, _)| *known == state)
        .map_or("kept", |(_, name)| name)
}

/// The state of a name in the ledger.
pub(super) fn named(name: &str) -> PatchState {
    NAMES
        .iter()
        .find(|(_, known)| *known == name)
        .map_or(PatchState::Kept, |(state, _)| *state)
}

impl Ledger {
    /// What became of the patch of a task.
    pub async fn patch_state(&self, task: TaskId) -> Result<PatchState, LedgerError> {
        let mut tx = self.read().await?;
        let name: Option<String> =
            sqlx::query_scalar("SELECT patch_state FROM tasks WHERE id = $1")
                .bind(task.to_string())
                .fetch_optional(&mut *tx)
                .await?;
        let name = name.ok_or_else(|| LedgerError::NoTask(task.to_string()))?;
        Ok(named(&name))
    }

    /// Moves a patch from one state to another; `false` when it was not in `from`, so that of two
    /// who apply at once one does.
    pub async fn patch_move(
        &self,
        task: TaskId,
        from: PatchState,
        to: PatchState,
        at: Timestamp,
    ) -> Result<bool, LedgerError> {
        let mut tx = self.write().await?;
        let rows = sqlx::query(
            "UPDATE tasks SET patch_state = $3, patch_us = $4 WHERE id = $1 AND patch_state = $2",
        )
        .bind(task.to_string())
        .bind(name_of(from))
        .bind(name_of(to))
        .bind(micros(at))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(rows == 1)
    }
}
