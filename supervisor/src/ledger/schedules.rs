//! What is known of schedules, and every run of them. A decision is written down in one
//! transaction: from then on its run is owed, and nothing decides about that time again.

use super::moves;
use super::standing::{micros, time, unreadable};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use pai::schedule::decide::{Decision, Standing, Why};
use protocol::ids::ShortId;
use protocol::schedule::{Outcome, ScheduleRun};
use sqlx::{AnyConnection, Row};
use std::collections::{BTreeMap, BTreeSet};

/// Runs are kept for this long, in microseconds (400 days).
const KEPT_US: i64 = 400 * 24 * 3600 * 1_000_000;
/// So many schedules are begun in one transaction: others write in between.
const AT_ONCE: usize = 500;

/// What is known of a schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct KnownSchedule {
    /// As decisions need it.
    pub standing: Standing,
    /// What its calendar was when that was written.
    pub calendar: String,
    /// Since when it is paused, and by whom.
    pub paused: Option<(Timestamp, String)>,
    /// The last time it came round.
    pub last: Option<ScheduleRun>,
}

impl Ledger {
    /// What is known of every schedule, by name. Few questions however many there are.
    pub async fn schedules(&self) -> Result<BTreeMap<String, KnownSchedule>, LedgerError> {
        let mut tx = self.read().await?;
        let open = sqlx::query_scalar(
            "SELECT schedule FROM schedule_runs WHERE outcome = 'owed'
             UNION
             SELECT schedule FROM schedule_runs
             WHERE task IN (SELECT id FROM tasks WHERE ended_us IS NULL)",
        );
        let open: BTreeSet<String> = open.fetch_all(&mut *tx).await?.into_iter().collect();
        // Each one's newest by the key of the table: years of runs are not read for it.
        let rows = sqlx::query(
            "SELECT s.name, s.calendar, s.settled_us, s.held_us, s.paused_us, s.paused_by,
                    r.due_us, r.outcome, r.asked_by, r.reason AS refused, r.number,
                    t.short_id, t.state, t.reason
             FROM schedules s
             LEFT JOIN schedule_runs r ON r.schedule = s.name AND r.due_us =
                  (SELECT MAX(n.due_us) FROM schedule_runs n WHERE n.schedule = s.name)
             LEFT JOIN tasks t ON t.id = r.task",
        )
        .fetch_all(&mut *tx)
        .await?;
        let mut known = BTreeMap::new();
        for row in &rows {
            let name: String = row.try_get("name")?;
            let at = |us: Option<i64>| us.map(|us| time(&name, us)).transpose();
            let paused = at(row.try_get("paused_us")?)?;
            let by: Option<String> = row.try_get("paused_by")?;
            let standing = Standing {
                settled: time(&name, row.try_get("settled_us")?)?,
                held: at(row.try_get("held_us")?)?,
                running: open.contains(&name),
                paused: paused.is_some(),
            };
            let came: Option<i64> = row.try_get("due_us")?;
            let schedule = KnownSchedule {
                standing,
                calendar: row.try_get("calendar")?,
                paused: paused.map(|since| (since, by.unwrap_or_default())),
                last: came.map(|_| run(row, &name)).transpose()?,
            };
            known.insert(name, schedule);
        }
        Ok(known)
    }

    /// Names of schedules that a person paused.
    pub async fn paused_schedules(&self) -> Result<BTreeSet<String>, LedgerError> {
        let mut tx = self.read().await?;
        let names = sqlx::query_scalar("SELECT name FROM schedules WHERE paused_us IS NOT NULL");
        Ok(names.fetch_all(&mut *tx).await?.into_iter().collect())
    }

    /// Knows a schedule from now on; one that has another calendar than before counts from now on.
    pub async fn begin_schedule(
        &self,
        name: &str,
        calendar: &str,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        self.begin_schedules(&[(name, calendar.to_owned())], now)
            .await
    }

    /// The same for many, each with its calendar: a home may bring thousands at once.
    pub async fn begin_schedules(
        &self,
        all: &[(&str, String)],
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        for some in all.chunks(AT_ONCE) {
            let mut tx = self.write().await?;
            for (name, calendar) in some {
                sqlx::query(
                    "INSERT INTO schedules (name, calendar, settled_us) VALUES ($1, $2, $3)
                     ON CONFLICT (name) DO UPDATE
                     SET calendar = excluded.calendar, settled_us = excluded.settled_us, held_us = NULL
                     WHERE schedules.calendar <> excluded.calendar",
                )
                .bind(*name)
                .bind(calendar.as_str())
                .bind(micros(now))
                .execute(&mut *tx)
                .await?;
            }
            tx.commit().await?;
        }
        Ok(())
    }

    /// Forgets where a schedule stands whose file is gone. Its runs stay.
    pub async fn end_schedule(&self, name: &str) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query("DELETE FROM schedules WHERE name = $1")
            .bind(name)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// Writes a decision down. Answers whether it still fitted what was known.
    pub async fn decide_schedule(
        &self,
        name: &str,
        before: &Standing,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        let mut tx = self.write().await?;
        let moved = sqlx::query(
            "UPDATE schedules SET settled_us = $3, held_us = $4 WHERE name = $1 AND settled_us = $2",
        )
        .bind(name)
        .bind(micros(before.settled))
        .bind(micros(decision.settled))
        .bind(decision.held.map(micros))
        .execute(&mut *tx)
        .await?
        .rows_affected();
        if moved == 0 {
            return Ok(false);
        }
        if let Some(out) = decision.left_out {
            let outcome = match out.why {
                Why::Missed => Outcome::Missed,
                Why::Overlap => Outcome::Overlap,
            };
            let number = i64::try_from(out.count).unwrap_or(i64::MAX);
            note(&mut tx, name, out.due, outcome, number, now).await?;
        }
        if let Some(due) = decision.start {
            note(&mut tx, name, due, Outcome::Owed, 1, now).await?;
        }
        forget_old(&mut tx, name, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Pauses a schedule, or lets it go on: with its next time, without what came round meanwhile.
    /// Answers whether that changed anything.
    pub async fn pause_schedule(
        &self,
        name: &str,
        by: Option<&str>,
        now: Timestamp,
    ) -> Result<bool, LedgerError> {
        let mut tx = self.write().await?;
        let query = match by {
            Some(by) => sqlx::query(
                "UPDATE schedules SET paused_us = $2, paused_by = $3, held_us = NULL
                 WHERE name = $1 AND paused_us IS NULL",
            )
            .bind(name)
            .bind(micros(now))
            .bind(by),
            None => sqlx::query(
                "UPDATE schedules SET paused_us = NULL, paused_by = NULL,
                        settled_us = CASE WHEN settled_us < $2 THEN $2 ELSE settled_us END
                 WHERE name = $1 AND paused_us IS NOT NULL",
            )
            .bind(name)
            .bind(micros(now)),
        };
        let changed = query.execute(&mut *tx).await?.rows_affected() > 0;
        tx.commit().await?;
        Ok(changed)
    }

    /// Every schedule counts from now on: what came round before is not made up for, and no run
    /// that was owed is begun. For a ledger that comes out of a backup.
    pub async fn rebase_schedules(&self, why: &str, now: Timestamp) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        sqlx::query("UPDATE schedules SET settled_us = $1, held_us = NULL WHERE settled_us < $1")
            .bind(micros(now))
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "UPDATE schedule_runs SET outcome = 'refused', reason = $1, noted_us = $2
             WHERE outcome = 'owed'",
        )
        .bind(why)
        .bind(micros(now))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// What became of the last times a schedule came round, newest first.
    pub async fn schedule_runs(
        &self,
        name: &str,
        limit: u32,
    ) -> Result<Vec<ScheduleRun>, LedgerError> {
        let mut tx = self.read().await?;
        runs_of(&mut tx, name, limit).await
    }
}

async fn runs_of(
    tx: &mut AnyConnection,
    name: &str,
    limit: u32,
) -> Result<Vec<ScheduleRun>, LedgerError> {
    let rows = sqlx::query(
        "SELECT r.due_us, r.outcome, r.asked_by, r.reason AS refused, r.number,
                t.short_id, t.state, t.reason
         FROM schedule_runs r LEFT JOIN tasks t ON t.id = r.task
         WHERE r.schedule = $1 ORDER BY r.due_us DESC LIMIT $2",
    )
    .bind(name)
    .bind(i64::from(limit))
    .fetch_all(&mut *tx)
    .await?;
    rows.iter().map(|row| run(row, name)).collect()
}

fn run(row: &sqlx::any::AnyRow, name: &str) -> Result<ScheduleRun, LedgerError> {
    let outcome = |word: String| Outcome::of(&word).ok_or_else(|| unreadable("run", name, word));
    let state: Option<String> = row.try_get("state")?;
    let carried: Option<String> = row.try_get("reason")?;
    let short_id: Option<i64> = row.try_get("short_id")?;
    Ok(ScheduleRun {
        due: time(name, row.try_get("due_us")?)?,
        outcome: outcome(row.try_get("outcome")?)?,
        number: row.try_get::<i64, _>("number")?.max(0).unsigned_abs(),
        asked_by: row.try_get("asked_by")?,
        reason: row.try_get("refused")?,
        task: short_id.map(|id| ShortId(id.max(0).unsigned_abs())),
        state: state.and_then(|state| moves::decode(&state, carried.as_deref())),
    })
}

async fn note(
    tx: &mut AnyConnection,
    name: &str,
    due: Timestamp,
    outcome: Outcome,
    number: i64,
    now: Timestamp,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO schedule_runs (schedule, due_us, outcome, number, noted_us)
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (schedule, due_us) DO NOTHING",
    )
    .bind(name)
    .bind(micros(due))
    .bind(outcome.as_str())
    .bind(number)
    .bind(micros(now))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

async fn forget_old(tx: &mut AnyConnection, name: &str, now: Timestamp) -> Result<(), LedgerError> {
    sqlx::query(
        "DELETE FROM schedule_runs WHERE schedule = $1 AND due_us < $2 AND outcome <> 'owed'",
    )
    .bind(name)
    .bind(micros(now).saturating_sub(KEPT_US))
    .execute(&mut *tx)
    .await?;
    Ok(())
}
