//! The inside of a sandbox that reaches one granted thing outside: it carries out the typed
//! operations for that thing, and never a program.

mod http;
mod sqlite;

use super::program::Leash;
use super::serve::Done;
use crate::act::Operation;
use crate::outside::Reach;
use serde_json::json;
use std::time::{Duration, Instant};

/// Longest wait for the other side, whatever the call allows.
const LONGEST: Duration = Duration::from_secs(60);

/// How an operation failed.
pub(super) enum Failed {
    /// The other side did not take it.
    Refused(String),
    /// Nobody knows whether the other side took it.
    Unknown(String),
}

/// Carries out an operation.
pub(super) fn run(operation: &Operation, reach: &Reach, leash: Leash<'_>) -> Result<Done, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|e| format!("no connection can be made: {e}"))?;
    let left = leash.until.saturating_duration_since(Instant::now());
    let done = runtime.block_on(async {
        let work = carry_out(operation, reach);
        let late = "no answer in time".to_owned();
        tokio::time::timeout(left.min(LONGEST), work)
            .await
            .unwrap_or(Err(Failed::Unknown(late)))
    });
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

async fn carry_out(operation: &Operation, reach: &Reach) -> Result<Done, Failed> {
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
            http::send(&request, base, token.as_ref()).await
        }
        (
            Operation::SqlQuery {
                statement,
                params,
                limit,
                ..
            },
            Reach::Sqlite { file, .. },
        ) => sqlite::query(file, statement, params, *limit).await,
        (
            Operation::SqlExecute {
                statement,
                params,
                key,
                ..
            },
            Reach::Sqlite { file, write: true },
        ) => sqlite::execute(file, statement, params, key).await,
        _ => Err(Failed::Refused(
            "this sandbox was opened for something else".to_owned(),
        )),
    }
}
