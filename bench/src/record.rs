//! What a line of the record costs whoever writes it: the two lines around each act, and those that must outlive a
//! power cut first, beside an append and fsync of the same size on the same disk.

use crate::numbers::percentile;
use crate::table::Row;
use crate::team::{BenchError, fail};
use config::home::Home;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};
use warden::audit::line::{Entry, Stage};
use warden::client::Client;

/// Lines of each kind.
const LINES: usize = 300;

/// Measures on a team that runs.
pub(crate) fn rows(home: &Path) -> Result<Vec<Row>, BenchError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(fail)?;
    let mut warden = Client::new(&Home::at(home), Duration::from_secs(5));
    let mut taken = |safe: bool| {
        let mut each = Vec::with_capacity(LINES);
        for _ in 0..LINES {
            let began = Instant::now();
            let noted = runtime.block_on(warden.note(&entry(), safe));
            noted.map_err(fail)?;
            each.push(began.elapsed().as_secs_f64() * 1e6);
        }
        Ok::<_, BenchError>(each)
    };
    let (mut lazy, mut safe) = (taken(false)?, taken(true)?);
    let mut disk = appended(home)?;
    Ok(vec![
        Row::new(
            "a line of the record, p50",
            percentile(&mut lazy, 0.5),
            "µs",
        ),
        Row::new(
            "a line of the record, p99",
            percentile(&mut lazy, 0.99),
            "µs",
        ),
        Row::new(
            "a line that outlives a power cut, p50",
            percentile(&mut safe, 0.5),
            "µs",
        )
        .beside(percentile(&mut disk, 0.5)),
    ])
}

/// A line such as the one before an act.
fn entry() -> Entry {
    Entry {
        principal: "ada(1000)".to_owned(),
        agent: "code@host#1234".to_owned(),
        task: "t142".to_owned(),
        call: "execute/3/step".to_owned(),
        epoch: 1,
        level: 1,
        ticket: String::new(),
        tool: "Bash".to_owned(),
        args_sha256: "a".repeat(64),
        summary: "cargo test --workspace".to_owned(),
        stage: Stage::Before,
        outcome: String::new(),
    }
}

/// An append and an fsync of a line's size, each in microseconds.
fn appended(home: &Path) -> Result<Vec<f64>, BenchError> {
    let path = home.join("bench-appends");
    let mut file = std::fs::File::create(path).map_err(fail)?;
    let mut each = Vec::with_capacity(LINES);
    for _ in 0..LINES {
        let began = Instant::now();
        file.write_all(&[b'x'; 640]).map_err(fail)?;
        file.sync_data().map_err(fail)?;
        each.push(began.elapsed().as_secs_f64() * 1e6);
    }
    Ok(each)
}
