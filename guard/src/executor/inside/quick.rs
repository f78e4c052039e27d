//! QuickChecks: syntax of data files, read here, and the project's own quick commands.

use super::place;
use super::program::{Leash, Program};
use super::serve::Done;
use inspect::limits::Limits;
use inspect::quick_checks::{in_process, judge, list, total};
use protocol::limits::OUTPUT_BYTES;
use std::time::Duration;

/// Longest run of one check.
const CHECK: Duration = Duration::from_secs(120);

pub(super) fn run(leash: Leash<'_>) -> Result<Done, String> {
    let mut checks = in_process(place::root(), &Limits::default()).map_err(|e| e.to_string())?;
    for command in list(place::root()) {
        let program = Program {
            argv: command.argv.clone(),
            cwd: command.cwd.clone(),
            env: Vec::new(),
            keep: OUTPUT_BYTES,
        };
        let checked = match program.run(leash.shorter(CHECK)) {
            Ok(ended) => judge(&command, ended.exit, &ended.stdout, &ended.stderr),
            // As a shell says it: there is no such program.
            Err(e) => judge(&command, Some(127), "", &e.to_string()),
        };
        checks.extend(checked);
    }
    let report = total(checks);
    let mut text = format!("{} passed, {} failed\n", report.passed, report.failed);
    for check in &report.checks {
        let mark = if check.passed { "ok" } else { "FAILED" };
        text.push_str(&format!("{mark} {} {}\n", check.name, check.observed));
    }
    let data = serde_json::to_value(&report).map_err(|e| e.to_string())?;
    Ok(Done::good(text, data))
}
