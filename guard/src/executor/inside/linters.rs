//! Linters: the project's own checkers, one after the other, in check mode. What the files look like
//! before and after shows whether one of them wrote.

use super::place;
use super::program::{Leash, Program};
use super::serve::Done;
use inspect::limits::Limits;
use inspect::lint::{Check, Checker, State, judge, list, total, without};
use inspect::walk;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

/// Longest run of one checker.
const CHECK: Duration = Duration::from_secs(600);
/// Bytes of output kept of a checker.
const KEEP: usize = 16 * 1024 * 1024;

type Looks = BTreeMap<String, (u64, Option<SystemTime>)>;

pub(super) fn run(leash: Leash<'_>) -> Result<Done, String> {
    let before = looks()?;
    let limits = Limits::default();
    let checkers = list(place::root(), &limits);
    let checks = checkers.iter().map(|checker| one(checker, leash)).collect();
    let after = looks()?;
    let changed: Vec<String> = before
        .iter()
        .filter(|(name, look)| after.get(*name) != Some(look))
        .map(|(name, _)| name)
        .chain(after.keys().filter(|name| !before.contains_key(*name)))
        .cloned()
        .collect();
    let report = total(checks, changed);
    let mut text = format!("{} findings\n", report.findings);
    for check in &report.checks {
        let note = check.note.as_deref().unwrap_or_default();
        text.push_str(&format!(
            "{} in {}: {:?}, {} findings {note}\n",
            check.name, check.dir, check.state, check.findings
        ));
    }
    let data = serde_json::to_value(&report).map_err(|e| e.to_string())?;
    Ok(Done::good(text, data))
}

fn one(checker: &Checker, leash: Leash<'_>) -> Check {
    if let Some(why) = &checker.cannot {
        return without(checker, State::Missing, why);
    }
    let program = Program {
        argv: checker.argv.clone(),
        cwd: checker.cwd.clone(),
        env: Vec::new(),
        keep: KEEP,
    };
    match program.run(leash.shorter(CHECK)) {
        Ok(ended) if ended.timed_out || ended.cancelled => {
            let seconds = ended.took.as_secs();
            without(
                checker,
                State::Failed,
                &format!("stopped after {seconds} s"),
            )
        }
        Ok(ended) if ended.truncated => {
            without(checker, State::Failed, "it printed more than is read")
        }
        Ok(ended) => judge(checker, ended.exit, &ended.stdout, &ended.stderr),
        // As a shell says it: there is no such program.
        Err(_) => judge(checker, Some(127), "", ""),
    }
}

/// Length and time of every file that is not ignored.
fn looks() -> Result<Looks, String> {
    let walk = walk::files(place::root(), &Limits::default()).map_err(|e| e.to_string())?;
    let look = |seen: walk::Seen| {
        let changed = seen.path.metadata().and_then(|m| m.modified()).ok();
        (seen.name, (seen.bytes, changed))
    };
    Ok(walk.files.into_iter().map(look).collect())
}
