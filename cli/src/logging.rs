//! Logs of the long-running processes: JSON lines in `logs/<process>.log` of the home.

use crate::failure::Failure;
use config::home::Home;
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::Mutex;
use tracing_subscriber::EnvFilter;

/// Sends everything of `level` and above to the process's log file.
pub fn to_file(home: &Home, process: &str, level: &str) -> Result<(), Failure> {
    let path = home.logs().join(format!("{process}.log"));
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .map_err(|error| Failure::usage(format!("cannot write {}: {error}", path.display())))?;
    // Libraries are told to be quiet: their debug lines may hold what was sent.
    let filter = EnvFilter::try_new(format!(
        "{level},hyper=warn,reqwest=warn,rustls=warn,sqlx=warn"
    ))
    .map_err(|error| Failure::usage(format!("log.level is wrong: {error}")))?;
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(Mutex::new(file))
        .try_init()
        .map_err(|error| Failure::usage(format!("the log cannot be started: {error}")))
}
