//! Calls that reach out of the sandbox: requests to granted endpoints, statements for granted data
//! sources, and a commit in the clone. Each that changes something carries the key of its step.

use super::{PlanError, View, input, paths, wrong};
use crate::act::{Key, Operation};
use crate::outside::{METHODS, below, changes};
use serde::Deserialize;
use serde_json::Value;

const BODY_BYTES: usize = 1024 * 1024;
const STATEMENT_BYTES: usize = 64 * 1024;
const MOST_PARAMS: usize = 1000;
const MESSAGE_BYTES: usize = 16 * 1024;
const ROWS: u64 = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct HttpInput {
    endpoint: String,
    #[serde(default)]
    method: Option<String>,
    #[serde(default)]
    path: Option<String>,
    #[serde(default)]
    body: Option<Value>,
}

pub(super) fn http(value: &Value, view: &View) -> Result<Operation, PlanError> {
    const TOOL: &str = "HttpRequest";
    let given: HttpInput = input(TOOL, value)?;
    let method = given.method.unwrap_or_else(|| "GET".to_owned());
    let method = method.to_ascii_uppercase();
    if !METHODS.contains(&method.as_str()) {
        return Err(wrong(
            TOOL,
            format!("the method is one of {}", METHODS.join(", ")),
        ));
    }
    // An endpoint that is not granted is told by the gate, with those that are.
    let granted = view.outside.endpoints.get(&given.endpoint);
    let base = granted.map_or("", |endpoint| endpoint.url.as_str());
    let path = given.path.unwrap_or_default();
    if !path.is_empty() && !path.starts_with(['/', '?']) {
        return Err(wrong(
            TOOL,
            "`path` starts with / and is below the endpoint",
        ));
    }
    let url = format!("{}{path}", base.trim_end_matches('/'));
    if granted.is_some() && !below(&url, base) {
        return Err(wrong(TOOL, "`path` leads out of the endpoint"));
    }
    let (body, json) = match given.body {
        None | Some(Value::Null) => (String::new(), false),
        Some(Value::String(text)) => (text, false),
        Some(other) => (other.to_string(), true),
    };
    if body.len() > BODY_BYTES || (!body.is_empty() && !changes(&method)) {
        return Err(wrong(
            TOOL,
            "a body has at most 1 MB and goes with POST, PUT, PATCH or DELETE",
        ));
    }
    let header = granted.and_then(|endpoint| endpoint.key_header.clone());
    let key = header.filter(|_| changes(&method)).map(|header| Key {
        header,
        value: view.key.clone(),
    });
    Ok(Operation::HttpRequest {
        endpoint: given.endpoint,
        method,
        url,
        body,
        json,
        key,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SqlInput {
    source: String,
    statement: String,
    #[serde(default)]
    params: Vec<Value>,
}

fn sql(tool: &'static str, value: &Value) -> Result<SqlInput, PlanError> {
    let given: SqlInput = input(tool, value)?;
    // Some databases read no further than a NUL.
    let odd = given.statement.contains('\0');
    if odd || given.statement.trim().is_empty() || given.statement.len() > STATEMENT_BYTES {
        return Err(wrong(
            tool,
            "`statement` is one SQL statement of at most 64 kB, without NUL",
        ));
    }
    let plain = |value: &Value| !matches!(value, Value::Array(_) | Value::Object(_));
    if given.params.len() > MOST_PARAMS || !given.params.iter().all(plain) {
        return Err(wrong(
            tool,
            "`params` is a list of at most 1000 plain values",
        ));
    }
    Ok(given)
}

pub(super) fn query(value: &Value) -> Result<Operation, PlanError> {
    let given = sql("SqlQuery", value)?;
    Ok(Operation::SqlQuery {
        source: given.source,
        statement: given.statement,
        params: given.params,
        limit: ROWS,
    })
}

pub(super) fn execute(value: &Value, view: &View) -> Result<Operation, PlanError> {
    let given = sql("SqlExecute", value)?;
    Ok(Operation::SqlExecute {
        source: given.source,
        statement: given.statement,
        params: given.params,
        key: view.key.clone(),
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitInput {
    message: String,
    #[serde(default)]
    paths: Vec<String>,
}

pub(super) fn commit(value: &Value, view: &View) -> Result<Operation, PlanError> {
    const TOOL: &str = "GitCommit";
    let given: CommitInput = input(TOOL, value)?;
    let message = given.message.trim();
    if message.is_empty() || message.len() > MESSAGE_BYTES || message.contains('\0') {
        return Err(wrong(TOOL, "`message` has 1 to 16384 bytes"));
    }
    let paths = given.paths.iter().map(|path| paths::clean(path));
    Ok(Operation::GitCommit {
        message: message.to_owned(),
        paths: paths.collect::<Result<_, _>>()?,
        key: view.key.clone(),
    })
}
