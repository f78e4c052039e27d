//! The brakes that a person pulled: the team is frozen, a role is paused. This is the truth about
//! them; what Redis holds is made from it.

use super::standing::{micros, time, unreadable};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::document::BrakeLine;
use protocol::ids::Role;
use sqlx::Row;

/// What is held back now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Brakes {
    /// The team is frozen.
    pub frozen: Option<BrakeLine>,
    /// Roles that are paused, by name.
    pub paused: Vec<BrakeLine>,
}

impl Brakes {
    /// The brake on a role (or, without one, on the team), where it is pulled.
    pub fn on(&self, role: Option<&Role>) -> Option<&BrakeLine> {
        match role {
            None => self.frozen.as_ref(),
            Some(_) => self.paused.iter().find(|line| line.role.as_ref() == role),
        }
    }
}

fn key(role: Option<&Role>) -> (&'static str, &str) {
    role.map_or(("team", ""), |role| ("role", role.as_str()))
}

impl Ledger {
    /// What is held back.
    pub async fn brakes(&self) -> Result<Brakes, LedgerError> {
        let mut tx = self.read().await?;
        let rows = sqlx::query("SELECT kind, name, since_us, by_whom FROM brakes ORDER BY name")
            .fetch_all(&mut *tx)
            .await?;
        let mut brakes = Brakes::default();
        for row in &rows {
            let name: String = row.try_get("name")?;
            let mut line = BrakeLine {
                role: None,
                since: time(&name, row.try_get("since_us")?)?,
                by: row.try_get("by_whom")?,
            };
            match row.try_get::<String, _>("kind")?.as_str() {
                "role" => {
                    let role = name.parse().map_err(|e| unreadable("brake", &name, e))?;
                    line.role = Some(role);
                    brakes.paused.push(line);
                }
                // One that a newer binary knows holds everything back.
                _ => brakes.frozen = Some(line),
            }
        }
        Ok(brakes)
    }

    /// Pulls a brake, once: who pulled it first is kept. Answers whether it was not pulled before.
    pub async fn pull_brake(
        &self,
        role: Option<&Role>,
        by: &str,
        at: Timestamp,
    ) -> Result<bool, LedgerError> {
        let (kind, name) = key(role);
        let mut tx = self.write().await?;
        let rows = sqlx::query(
            "INSERT INTO brakes (kind, name, since_us, by_whom) VALUES ($1, $2, $3, $4)
             ON CONFLICT (kind, name) DO NOTHING",
        )
        .bind(kind)
        .bind(name)
        .bind(micros(at))
        .bind(by)
        .execute(&mut *tx)
        .await?
        .rows_affected();
        tx.commit().await?;
        Ok(rows == 1)
    }

    /// Lets go of a brake. Answers whether it was pulled.
    pub async fn release_brake(&self, role: Option<&Role>) -> Result<bool, LedgerError> {
        let (kind, name) = key(role);
        let mut tx = self.write().await?;
        let rows = sqlx::query("DELETE FROM brakes WHERE kind = $1 AND name = $2")
            .bind(kind)
            .bind(name)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(rows == 1)
    }
}
