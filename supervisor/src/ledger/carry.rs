//! A ledger is carried from one database to another: everything in one transaction of the new one, compared table
//! by table before it is kept. The old one is only read, so whatever happens on the way it is as good as before.

use super::catalog::{self, Kind, Table};
use super::error::LedgerError;
use super::place::Place;
use super::tables;
use futures_util::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::any::{AnyArguments, AnyRow};
use sqlx::{AnyConnection, AnyPool, Arguments, AssertSqlSafe, Row};

/// Rows of one statement.
const ROWS: usize = 100;

/// What was carried of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Carried {
    /// Its name.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// A digest of all of them that no order changes.
    digest: u128,
}

/// Why nothing was carried.
#[derive(Debug, thiserror::Error)]
pub enum CarryError {
    /// One of the two.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger at the end of the way went on after the one at its beginning.
    #[error(
        "the ledger in {to} has been written to more often than the one in {from}, so it seems to be the newer one: nothing was carried; to use it as it is, set `ledger.url` to it and run `ai-infra ledger take`"
    )]
    Backwards {
        /// Where it was to be taken from.
        from: String,
        /// Where it was to go.
        to: String,
    },
    /// What arrived is not what was sent.
    #[error(
        "table {table} did not arrive as it was sent ({sent} rows, {arrived} arrived): nothing was kept there"
    )]
    Differs {
        /// Which.
        table: String,
        /// Rows there were.
        sent: u64,
        /// Rows that came.
        arrived: u64,
    },
    /// The two have other tables.
    #[error("table {0} is not the same in both: start both with this ai-infra once")]
    OtherTables(String),
}

impl CarryError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            CarryError::Ledger(error) => error.exit_code(),
            CarryError::Backwards { .. } => protocol::exit::USAGE,
            CarryError::Differs { .. } | CarryError::OtherTables(_) => protocol::exit::FAILED,
        }
    }
}

impl From<sqlx::Error> for CarryError {
    fn from(error: sqlx::Error) -> Self {
        CarryError::Ledger(error.into())
    }
}

/// Carries everything; what was there before is replaced. Nobody may write either of them meanwhile: the caller
/// holds the home's locks. On return the new one is complete and on its disk.
///
/// # Errors
/// When either is not to be had, of a newer binary or of another home, or is not the older one; the new one is
/// then as it was.
pub async fn carry(from: &Place, to: &Place) -> Result<Vec<Carried>, CarryError> {
    let source = from.writer().await?;
    let carried = async {
        let target = to.writer().await?;
        let carried = between(from, &source, to, &target).await;
        target.close().await;
        carried
    };
    let carried = carried.await;
    source.close().await;
    carried
}

async fn between(
    from: &Place,
    source: &AnyPool,
    to: &Place,
    target: &AnyPool,
) -> Result<Vec<Carried>, CarryError> {
    tables::make(from, source).await?;
    tables::make(to, target).await?;
    let mut read = source.begin_with(from.begin_read()).await?;
    let mut write = target.begin().await?;
    from.is_ours(&mut read).await?;
    to.claim(&mut write).await?;
    if number(&mut write, "writes").await? > number(&mut read, "writes").await? {
        return Err(CarryError::Backwards {
            from: from.to_string(),
            to: to.to_string(),
        });
    }
    let epoch = number(&mut write, "epoch").await?;
    let tables = catalog::tables(from, &mut read).await?;
    let there = catalog::tables(to, &mut write).await?;
    same_tables(&tables, &there)?;
    for table in tables.iter().rev() {
        let all = format!("DELETE FROM \"{}\"", table.name);
        sqlx::query(AssertSqlSafe(all)).execute(&mut *write).await?;
    }
    let mut carried = Vec::with_capacity(tables.len());
    for table in &tables {
        let sent = send(table, &mut read, &mut write).await?;
        let arrived = seen(table, &mut write).await?;
        if sent != arrived {
            return Err(CarryError::Differs {
                table: table.name.clone(),
                sent: sent.rows,
                arrived: arrived.rows,
            });
        }
        carried.push(sent);
    }
    // Whoever still has one of the two open writes no more; and it is this home's again.
    sqlx::query("UPDATE meta SET value = $1 WHERE key = 'epoch' AND value < $1")
        .bind(epoch)
        .execute(&mut *write)
        .await?;
    sqlx::query("UPDATE meta SET value = value + 1 WHERE key = 'epoch'")
        .execute(&mut *write)
        .await?;
    sqlx::query("UPDATE meta SET value = 0 WHERE key = 'home'")
        .execute(&mut *write)
        .await?;
    to.claim(&mut write).await?;
    write.commit().await?;
    Ok(carried)
}

async fn number(connection: &mut AnyConnection, key: &'static str) -> Result<i64, CarryError> {
    let found = sqlx::query_scalar("SELECT value FROM meta WHERE key = $1")
        .bind(key)
        .fetch_optional(connection)
        .await?;
    Ok(found.unwrap_or(0))
}

/// Both were made by the same files, so anything else was done by hand.
fn same_tables(ours: &[Table], theirs: &[Table]) -> Result<(), CarryError> {
    let lacks = |all: &[Table], table: &Table| {
        let same = |other: &Table| other.name == table.name && other.columns == table.columns;
        !all.iter().any(same)
    };
    let odd = ours.iter().find(|table| lacks(theirs, table));
    match odd.or(theirs.iter().find(|table| lacks(ours, table))) {
        Some(table) => Err(CarryError::OtherTables(table.name.clone())),
        None => Ok(()),
    }
}

/// One value of a row.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Whole(Option<i64>),
    Truth(Option<bool>),
    Number(Option<f64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

/// Reads every row of a table from one and writes it to the other.
async fn send(
    table: &Table,
    from: &mut AnyConnection,
    to: &mut AnyConnection,
) -> Result<Carried, CarryError> {
    let mut sum = Sum::default();
    let mut waiting: Vec<Vec<Cell>> = Vec::with_capacity(ROWS);
    let select = select(table);
    let mut rows = sqlx::query(AssertSqlSafe(select)).fetch(from);
    while let Some(row) = rows.try_next().await? {
        let cells = cells(table, &row)?;
        sum.add(&cells);
        waiting.push(cells);
        if waiting.len() == ROWS {
            write(table, std::mem::take(&mut waiting), to).await?;
        }
    }
    write(table, waiting, to).await?;
    Ok(sum.of(table))
}

/// What a table holds now.
async fn seen(table: &Table, connection: &mut AnyConnection) -> Result<Carried, CarryError> {
    let mut sum = Sum::default();
    let mut rows = sqlx::query(AssertSqlSafe(select(table))).fetch(connection);
    while let Some(row) = rows.try_next().await? {
        sum.add(&cells(table, &row)?);
    }
    Ok(sum.of(table))
}

/// The oldest task first: a part of a plan names its plan, which has a smaller number.
fn select(table: &Table) -> String {
    let columns = table.columns.iter().map(|(name, kind)| match kind {
        // As a number: the driver for both knows no truth in a file.
        Kind::Truth => {
            format!("CASE WHEN \"{name}\" THEN 1 WHEN NOT \"{name}\" THEN 0 END AS \"{name}\"")
        }
        _ => format!("\"{name}\""),
    });
    let columns: Vec<String> = columns.collect();
    let order = match table.name.as_str() {
        "tasks" => " ORDER BY short_id",
        _ => "",
    };
    format!(
        "SELECT {} FROM \"{}\"{order}",
        columns.join(", "),
        table.name
    )
}

fn cells(table: &Table, row: &AnyRow) -> Result<Vec<Cell>, sqlx::Error> {
    let cell = |(name, kind): &(String, Kind)| {
        let name = name.as_str();
        Ok(match kind {
            Kind::Whole => Cell::Whole(row.try_get(name)?),
            Kind::Truth => {
                let number: Option<i64> = row.try_get(name)?;
                Cell::Truth(number.map(|number| number != 0))
            }
            Kind::Number => Cell::Number(row.try_get(name)?),
            // An old file may hold what no server takes.
            Kind::Text => {
                let text: Option<String> = row.try_get(name)?;
                Cell::Text(text.map(|text| text.replace('\0', "\u{2400}")))
            }
            Kind::Bytes => Cell::Bytes(row.try_get(name)?),
        })
    };
    table.columns.iter().map(cell).collect()
}

async fn write(
    table: &Table,
    rows: Vec<Vec<Cell>>,
    to: &mut AnyConnection,
) -> Result<(), CarryError> {
    if rows.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = table
        .columns
        .iter()
        .map(|(name, _)| format!("\"{name}\""))
        .collect();
    let mut number = 0;
    let mut values = Vec::with_capacity(rows.len());
    let mut arguments = AnyArguments::default();
    for row in rows {
        let mut places = Vec::with_capacity(row.len());
        for cell in row {
            number += 1;
            places.push(format!("${number}"));
            let added = match cell {
                Cell::Whole(value) => arguments.add(value),
                Cell::Truth(value) => arguments.add(value),
                Cell::Number(value) => arguments.add(value),
                Cell::Text(value) => arguments.add(value),
                Cell::Bytes(value) => arguments.add(value),
            };
            added.map_err(sqlx::Error::Encode)?;
        }
        values.push(format!("({})", places.join(", ")));
    }
    let insert = format!(
        "INSERT INTO \"{}\" ({}) VALUES {}",
        table.name,
        names.join(", "),
        values.join(", ")
    );
    sqlx::query_with(AssertSqlSafe(insert), arguments)
        .execute(to)
        .await?;
    Ok(())
}

/// Rows counted and their digests added up.
#[derive(Default)]
struct Sum {
    rows: u64,
    digest: u128,
}

impl Sum {
    fn add(&mut self, row: &[Cell]) {
        let mut digest = Sha256::new();
        for cell in row {
            let (mark, bytes) = match cell {
                Cell::Whole(value) => (1, value.map(|value| value.to_be_bytes().to_vec())),
                Cell::Truth(value) => (2, value.map(|value| vec![u8::from(value)])),
                Cell::Number(value) => {
                    (3, value.map(|value| value.to_bits().to_be_bytes().to_vec()))
                }
                Cell::Text(value) => (4, value.as_ref().map(|value| value.as_bytes().to_vec())),
                Cell::Bytes(value) => (5, value.clone()),
            };
            digest.update([mark, u8::from(bytes.is_some())]);
            let bytes = bytes.unwrap_or_default();
            digest.update((bytes.len() as u64).to_be_bytes());
            digest.update(bytes);
        }
        let mut first = [0; 16];
        first.copy_from_slice(&digest.finalize()[..16]);
        self.rows += 1;
        self.digest = self.digest.wrapping_add(u128::from_be_bytes(first));
    }

    fn of(self, table: &Table) -> Carried {
        Carried {
            table: table.name.clone(),
            rows: self.rows,
            digest: self.digest,
        }
    }
}
