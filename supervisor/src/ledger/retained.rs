//! What the history still refers to: asked before anything old is let go.

use super::patch::{PatchState, named};
use super::standing::time;
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row};
use std::collections::{BTreeMap, BTreeSet};

/// How many numbers are asked about at once.
const NUMBERS: usize = 200;
/// How many rows are read at once.
const PAGE: i64 = 500;

/// A task that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Since when.
    pub at: Timestamp,
    /// Whether it is done: its patch may still be put in place.
    pub done: bool,
    /// What became of its patch.
    pub patch: PatchState,
}

impl Ledger {
    /// Those of the tasks with these numbers that are over.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn ended(&self, numbers: &[u64]) -> Result<BTreeMap<u64, Ended>, LedgerError> {
        let mut all = BTreeMap::new();
        for some in numbers.chunks(NUMBERS) {
            let some: Vec<String> = some.iter().map(u64::to_string).collect();
            let text = format!(
                "SELECT short_id, state, ended_us, patch_state FROM tasks WHERE ended_us IS NOT NULL AND short_id IN ({})",
                some.join(", ")
            );
            // Numbers of our own, and as many as there are: not worth to be remembered.
            let query = sqlx::query(AssertSqlSafe(text)).persistent(false);
            for row in query.fetch_all(&mut *self.look().await?).await? {
                let number: i64 = row.try_get("short_id")?;
                let at = time("ended", row.try_get("ended_us")?)?;
                let patch = named(&row.try_get::<String, _>("patch_state")?);
                let done = row.try_get::<String, _>("state")? == "done";
                all.insert(number.max(0).unsigned_abs(), Ended { at, done, patch });
            }
        }
        Ok(all)
    }

    /// When the oldest task that is open was accepted; `None` where none is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn oldest_open(&self) -> Result<Option<Timestamp>, LedgerError> {
        let oldest: Option<i64> =
            sqlx::query_scalar("SELECT MIN(accepted_us) FROM tasks WHERE ended_us IS NULL")
                .fetch_one(&mut *self.look().await?)
                .await?;
        oldest.map(|us| time("open", us)).transpose()
    }

    /// Those of the names of blobs that stand in no task and in nothing that happened to one. Everything is read
    /// once, some at a time, and nobody waits for it meanwhile.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn unnamed(
        &self,
        mut names: BTreeSet<String>,
    ) -> Result<BTreeSet<String>, LedgerError> {
        let mut after = 0_i64;
        while !names.is_empty() {
            let rows = sqlx::query(
                "SELECT short_id, task, result, artifacts FROM tasks WHERE short_id > $1
                 ORDER BY short_id LIMIT $2",
            )
            .bind(after)
            .bind(PAGE)
            .fetch_all(&mut *self.look().await?)
            .await?;
            let Some(last) = rows.last() else { break };
            after = last.try_get("short_id")?;
            for row in &rows {
                for column in ["task", "result", "artifacts"] {
                    take_out(&mut names, &row.try_get::<String, _>(column)?);
                }
            }
        }
        let mut after = (String::new(), 0_i64);
        while !names.is_empty() {
            let rows = sqlx::query(
                "SELECT task, position, body FROM events WHERE task > $1 OR (task = $1 AND position > $2)
                 ORDER BY task, position LIMIT $3",
            )
            .bind(&after.0)
            .bind(after.1)
            .bind(PAGE)
            .fetch_all(&mut *self.look().await?)
            .await?;
            let Some(last) = rows.last() else { break };
            after = (last.try_get("task")?, last.try_get("position")?);
            for row in &rows {
                take_out(&mut names, &row.try_get::<String, _>("body")?);
            }
        }
        Ok(names)
    }
}

/// Takes out every name that stands in a text.
fn take_out(names: &mut BTreeSet<String>, text: &str) {
    let words = text.split(|c: char| !c.is_ascii_hexdigit());
    for word in words.filter(|word| word.len() == 64) {
        names.remove(word);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_any_text() {
        let (a, b) = ("a".repeat(64), "b".repeat(64));
        let mut names = BTreeSet::from([a.clone(), b.clone()]);
        take_out(
            &mut names,
            &format!("{{\"sha256\":\"{a}\",\"longer\":\"{b}b\"}}"),
        );
        assert_eq!(names, BTreeSet::from([b]));
    }
}
