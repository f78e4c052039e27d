//! The inside of a sandbox that reaches one granted thing outside: it carries out the typed
//! operations for that thing, and never a program.

mod backup;
mod contained;
mod counted;
mod forge;
mod http;
mod later;
mod names;
mod page;
mod postgres;
mod push;
mod pushed;
mod rows;
mod sqlite;
mod tls;

pub(super) use push::from_its_own as push_from_its_own;

use super::program::Leash;
use super::serve::Done;
use crate::act::Operation;
use crate::outside::{Database, Reach};
use names::Names;
use protocol::acts::{Bound, Tried};
use serde_json::json;
use std::time::{Duration, Instant};

/// Longest wait for the other side, whatever the call allows.
const LONGEST: Duration = Duration::from_secs(60);
/// How much sooner the other side is told to stop than it is given up.
const MARGIN: Duration = Duration::from_secs(2);

/// How an operation failed.
pub(super) enum Failed {
    /// The other side did not take it.
    Refused(String),
    /// Nobody knows whether the other side took it.
    Unknown(String),
}

/// Carries out an operation.
pub(super) fn run(operation: &Operation, reach: &Reach, leash: Leash<'_>) -> Result<Done, String> {
    if let (Operation::DataScan { scan }, Reach::Data { databases, .. }) = (operation, reach) {
        return super::data::scan(scan, databases, leash);
    }
    match (operation, reach) {
        (Operation::BackupDatabase { source, key }, Reach::Backup { database, folder }) => {
            return backup::make(source, key, database, folder, leash);
        }
        (Operation::TryBackup { source, file }, Reach::Kept { folder, .. }) => {
            return backup::try_one(source, file.as_deref(), folder, leash);
        }
        (Operation::GitPush { commit, branch, .. }, Reach::Remote { remote, .. }) => {
            return settled(push::push(&push::Order { commit, branch }, remote, leash));
        }
        _ => {}
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no connection can be made: {e}"))?;
    let left = leash.until.saturating_duration_since(Instant::now());
    let done = runtime.block_on(async {
        let most = left.min(LONGEST);
        let work = carry_out(operation, reach, most.saturating_sub(MARGIN));
        let late = "no answer in time".to_owned();
        tokio::time::timeout(most, work)
            .await
            .unwrap_or(Err(Failed::Unknown(late)))
    });
    settled(done)
}

/// What is told of an operation that ended in one way or another.
fn settled(done: Result<Done, Failed>) -> Result<Done, String> {
    match done {
        Ok(done) => Ok(done),
        Err(Failed::Refused(why)) => Err(why),
        Err(Failed::Unknown(why)) => Ok(Done {
            is_error: true,
            data: json!({ "error": why, "unknown": true }),
            text: why,
        }),
    }
}

async fn carry_out(operation: &Operation, reach: &Reach, most: Duration) -> Result<Done, Failed> {
    match (operation, reach) {
        (
            Operation::HttpRequest {
                method,
                url,
                body,
                json,
                key,
                ..
            },
            Reach::Endpoint { url: base, token },
        ) => {
            let request = http::Request {
                method,
                url,
                body,
                json: *json,
                key: key.as_ref(),
            };
            http::send(&request, base, token.as_ref(), Names::of_host()).await
        }
        (
            Operation::SqlQuery {
                statement,
                params,
                limit,
                ..
            },
            Reach::Database { database, .. },
        ) => match database {
            Database::Sqlite { file } => sqlite::query(file, statement, params, *limit, most),
            Database::Postgres { address, password } => {
                let text = statement;
                let statement = postgres::Statement { text, params };
                postgres::query(address, password.as_ref(), &statement, *limit, most).await
            }
        },
        (
            Operation::SqlExecute {
                statement,
                params,
                key,
                ..
            },
            Reach::Database {
                database,
                write: true,
                bound,
            },
        ) => match database {
            Database::Sqlite { file } => sqlite::execute(file, statement, params, key, bound, most),
            Database::Postgres { address, password } => {
                let text = statement;
                let statement = postgres::Statement { text, params };
                let keyed = postgres::Keyed { key, bound, most };
                postgres::execute(address, password.as_ref(), &statement, &keyed).await
            }
        },
        (Operation::Forge { ask, .. }, Reach::Forge { at }) => forge::carry_out(ask, at).await,
        (Operation::CheckPage { url, text }, Reach::Web { hosts }) => {
            let found = page::check(url, text.as_deref(), (hosts, Names::of_host()), most).await;
            Done::report(&found.map_err(Failed::Refused)?).map_err(Failed::Refused)
        }
        (Operation::HostCertificates { hosts: asked, at }, Reach::Web { hosts }) => {
            let found = tls::certificates(asked, *at, hosts).await;
            Done::report(&found).map_err(Failed::Refused)
        }
        _ => Err(Failed::Refused(
            "this sandbox was opened for something else".to_owned(),
        )),
    }
}

/// What a change would have done that was taken back: because it was tried, or because it is more than it may be.
fn told_taken_back(tried: &Tried, bound: &Bound) -> Done {
    let data = json!({ "tried": tried });
    match bound.broken_by(tried) {
        Some(why) if !bound.trial => Done {
            is_error: true,
            text: format!("refused: {why}: nothing was changed"),
            data: json!({"tried": tried, "above": why}),
        },
        _ => Done::good(format!("would change {}", tried.line()), data),
    }
}

/// What a change did, for people and as data.
fn told_changed(changed: i64, before: bool) -> Done {
    let rows = if changed == 1 { "row" } else { "rows" };
    let text = match before {
        true => format!("{changed} {rows} changed, before the interruption"),
        false => format!("{changed} {rows} changed"),
    };
    Done::good(text, json!({"changed": changed, "before": before}))
}
