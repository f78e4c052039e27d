//! How good people found what tasks brought.

use super::keep::keep_principal;
use super::records::{LINE_BYTES, cut};
use super::standing::{micros, time};
use super::store::{Ledger, LedgerError};
use jiff::Timestamp;
use protocol::ids::TaskId;
use protocol::rating::Rating;
use protocol::task::Principal;
use sqlx::{AnyConnection, Row};

impl Ledger {
    /// Keeps the rating of an ended task; the person's one before is forgotten.
    pub async fn rate(
        &self,
        task: TaskId,
        number: u8,
        remark: Option<&str>,
        by: &Principal,
        at: Timestamp,
    ) -> Result<(), LedgerError> {
        let mut tx = self.write().await?;
        keep_principal(&mut tx, by, at).await?;
        sqlx::query(
            "INSERT INTO ratings (task, principal_uid, number, remark, rated_us)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (task, principal_uid) DO UPDATE
             SET number = excluded.number, remark = excluded.remark, rated_us = excluded.rated_us",
        )
        .bind(task.to_string())
        .bind(i64::from(by.uid))
        .bind(i64::from(number))
        .bind(remark.map(|remark| cut(remark, LINE_BYTES)))
        .bind(micros(at))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Everybody's rating of a task, oldest first.
pub(super) async fn of_task(tx: &mut AnyConnection, key: &str) -> Result<Vec<Rating>, LedgerError> {
    let rows = sqlx::query(
        "SELECT r.*, p.name FROM ratings r JOIN principals p ON p.uid = r.principal_uid
         WHERE r.task = $1 ORDER BY r.rated_us, r.principal_uid",
    )
    .bind(key)
    .fetch_all(&mut *tx)
    .await?;
    let rating = |row: &sqlx::any::AnyRow| {
        let uid: i64 = row.try_get("principal_uid")?;
        Ok(Rating {
            number: u8::try_from(row.try_get::<i64, _>("number")?).unwrap_or_default(),
            remark: row.try_get("remark")?,
            by: Principal {
                uid: u32::try_from(uid).unwrap_or_default(),
                name: row.try_get("name")?,
            },
            at: time(key, row.try_get("rated_us")?)?,
        })
    };
    rows.iter().map(rating).collect()
}
