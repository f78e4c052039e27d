//! Opens the ledger and hands out write transactions. Every one of them checks the epoch row, so
//! that a supervisor that was replaced while it slept changes nothing when it wakes up, and counts
//! itself, so that a database that goes back to an older state under us is noticed.

pub use super::error::LedgerError;
use super::place::Place;
use super::tables;
pub use super::tables::SCHEMA;
use super::together::Together;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection, AnyPool, Row, Transaction};
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use tokio::sync::Mutex;

/// The ledger, open. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Ledger {
    pub(super) writer: AnyPool,
    pub(super) reader: AnyPool,
    place: Arc<Place>,
    epoch: i64,
    /// The number of the newest write that is known to be committed.
    pub(super) committed: Arc<AtomicI64>,
    /// When there was no room, in microseconds; 0 where something was kept since.
    pub(super) full: Arc<AtomicI64>,
    folding: Arc<Mutex<()>>,
    pub(super) together: Arc<Together>,
}

/// A write that was begun. Dropped without a commit, nothing of it is kept.
#[derive(Debug)]
pub(super) struct Write {
    tx: Transaction<'static, Any>,
    number: i64,
    committed: Arc<AtomicI64>,
    full: Arc<AtomicI64>,
}

impl Write {
    /// Keeps everything: on return it is on the disk. After an error it is either kept whole or not
    /// at all, and which of the two is not known.
    pub(super) async fn commit(self) -> Result<(), LedgerError> {
        self.tx.commit().await?;
        self.committed.fetch_max(self.number, Ordering::Relaxed);
        self.full.store(0, Ordering::Relaxed);
        Ok(())
    }
}

impl Deref for Write {
    type Target = AnyConnection;
    fn deref(&self) -> &AnyConnection {
        &self.tx
    }
}

impl DerefMut for Write {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        &mut self.tx
    }
}

impl Ledger {
    /// Opens the ledger of a home, makes or migrates its tables, and raises the epoch: from now
    /// on every other supervisor of this ledger is refused. A newer schema is refused untouched.
    ///
    /// # Errors
    /// When it cannot be reached, is of a newer binary or of another home.
    pub async fn open(place: &Place) -> Result<Ledger, LedgerError> {
        let writer = place.writer().await?;
        let opened = Self::over(place, &writer).await;
        if opened.is_err() {
            writer.close().await;
        }
        opened
    }

    async fn over(place: &Place, writer: &AnyPool) -> Result<Ledger, LedgerError> {
        tables::make(place, writer).await?;
        // In a transaction: a commit that fails, on a full disk say, is an error and not silence.
        let mut raise = writer.begin().await?;
        let epoch: i64 = sqlx::query_scalar(
            "UPDATE meta SET value = value + 1 WHERE key = 'epoch' RETURNING value",
        )
        .fetch_one(&mut *raise)
        .await?;
        place.claim(&mut raise).await?;
        raise.commit().await?;
        Ok(Ledger {
            writer: writer.clone(),
            reader: place.reader().await?,
            place: Arc::new(place.clone()),
            epoch,
            committed: Arc::default(),
            full: Arc::default(),
            folding: Arc::default(),
            together: Arc::default(),
        })
    }

    /// Whether this binary may open the ledger of a home, which is not touched.
    ///
    /// # Errors
    /// When a newer binary wrote it, it is another home's, or it cannot be reached or written.
    pub async fn check(place: &Place) -> Result<(), LedgerError> {
        let reader = place.reader().await?;
        let checked = async {
            tables::not_newer(&reader).await?;
            let mut connection = reader.acquire().await?;
            place.takes_writes(&mut connection).await?;
            match tables::stored_schema(&mut connection).await? {
                Some(_) => place.is_ours(&mut connection).await,
                None => Ok(()),
            }
        };
        let checked = checked.await;
        reader.close().await;
        checked
    }

    /// Closes both connections; what was committed is on the disk already.
    pub async fn close(&self) {
        self.reader.close().await;
        self.writer.close().await;
    }

    /// Where it is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Held from folding messages until the bus has let go of them.
    pub fn folding(&self) -> &Mutex<()> {
        &self.folding
    }

    /// The epoch this opening raised.
    pub fn epoch(&self) -> i64 {
        self.epoch
    }

    /// Begins a write. The epoch is checked by a write of its own row, which also takes the lock: of
    /// two who write, one waits for the other, so that no two of them are ever at odds.
    pub(super) async fn write(&self) -> Result<Write, LedgerError> {
        let mut tx = self.writer.begin().await?;
        // Both rows in one statement: on a server each is a round trip.
        let rows = sqlx::query(
            "UPDATE meta SET value = CASE key WHEN 'writes' THEN value + 1 ELSE value END
             WHERE key = 'writes' OR (key = 'epoch' AND value = $1) RETURNING key, value",
        )
        .bind(self.epoch)
        .fetch_all(&mut *tx)
        .await?;
        let mut number = None;
        for row in &rows {
            if row.try_get::<String, _>("key")? == "writes" {
                number = Some(row.try_get::<i64, _>("value")?);
            }
        }
        let Some(number) = number.filter(|_| rows.len() == 2) else {
            return Err(self.not_ours(&mut tx).await);
        };
        if number <= self.committed.load(Ordering::Relaxed) {
            return Err(LedgerError::PutBack);
        }
        Ok(Write {
            tx,
            number,
            committed: self.committed.clone(),
            full: self.full.clone(),
        })
    }

    /// Why the epoch row is not the one this opening wrote: a newer supervisor raised it, or it went back.
    async fn not_ours(&self, tx: &mut AnyConnection) -> LedgerError {
        let found = sqlx::query_scalar::<_, i64>("SELECT value FROM meta WHERE key = 'epoch'")
            .fetch_optional(tx)
            .await;
        match found {
            Ok(Some(epoch)) if epoch > self.epoch => LedgerError::Superseded,
            Ok(_) => LedgerError::PutBack,
            Err(error) => error.into(),
        }
    }

    #[cfg(test)]
    pub(super) async fn writer_for_tests(&self) -> PoolConnection<Any> {
        #![allow(clippy::unwrap_used)]
        self.writer.acquire().await.unwrap()
    }

    /// A connection for a read of one statement, which sees one consistent state by itself: on a server
    /// that is one round trip where a transaction has three.
    pub(super) async fn look(&self) -> Result<PoolConnection<Any>, LedgerError> {
        Ok(self.reader.acquire().await?)
    }

    /// Begins a read of one consistent state.
    pub(super) async fn read(&self) -> Result<Transaction<'static, Any>, LedgerError> {
        Ok(self.reader.begin_with(self.place.begin_read()).await?)
    }
}
