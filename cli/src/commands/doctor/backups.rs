//! The backups: whether there are any, and what is alarming about them, also while the team is down.

use super::{Finding, How, finding};
use crate::render::list::ago;
use crate::render::text::safe;
use config::home::Home;
use config::settings::Settings;
use jiff::Timestamp;
use protocol::backup::BackupStatus;
use std::collections::BTreeSet;
use supervisor::backups::standing;

/// What is seen; a running team knows which schedules a person paused.
pub fn look(settings: Option<&Settings>, home: &Home, told: Option<BackupStatus>) -> Vec<Finding> {
    let Some(settings) = settings.filter(|settings| settings.joined.is_none()) else {
        return Vec::new();
    };
    let now = Timestamp::now();
    let own = || standing::of_home(&settings.backup, home, &BTreeSet::new(), now);
    judged(&told.unwrap_or_else(own), now)
}

fn judged(status: &BackupStatus, now: Timestamp) -> Vec<Finding> {
    const WHAT: &str = "backups";
    if let Some(unset) = &status.unset {
        let (seen, next) = parted(unset);
        return vec![finding(WHAT, How::Odd, seen, next)];
    }
    let of = |how: How| {
        move |said: &String| {
            let (seen, next) = parted(said);
            finding(WHAT, how, seen, next)
        }
    };
    let mut findings: Vec<Finding> = status.alarms.iter().map(of(How::Bad)).collect();
    findings.extend(status.notes.iter().map(of(How::Odd)));
    if findings.is_empty() {
        let job = |line: &protocol::backup::BackupJobLine| {
            let made = line.made.map_or("none yet".to_owned(), |at| ago(at, now));
            format!("{} {made}", safe(&line.job))
        };
        let jobs: Vec<String> = status.jobs.iter().map(job).collect();
        findings.push(finding(WHAT, How::Good, jobs.join(", "), ""));
    }
    findings
}

/// A sentence, and the command at its end.
fn parted(said: &str) -> (&str, &str) {
    let at = [": ai-infra ", ": echo "]
        .iter()
        .find_map(|begin| said.rfind(begin));
    match at {
        Some(at) => (&said[..at], &said[at + 2..]),
        None => (said, ""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_stands_alone() {
        let status = BackupStatus {
            alarms: vec!["backup of code failed: away: ai-infra backup run code".to_owned()],
            notes: vec!["the clock is odd".to_owned()],
            ..BackupStatus::default()
        };
        let seen = judged(&status, Timestamp::UNIX_EPOCH);
        let next: Vec<_> = seen.iter().map(|f| (f.how, f.next.as_deref())).collect();
        let expected = [
            (How::Bad, Some("ai-infra backup run code")),
            (How::Odd, None),
        ];
        assert_eq!(next, expected);
        assert_eq!(seen[0].seen, "backup of code failed: away");
    }
}
