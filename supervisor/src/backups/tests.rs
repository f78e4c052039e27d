//! What the settings and what is remembered come to: which schedules there are, what is alarming, how
//! the end of a run is read.
#![allow(clippy::unwrap_used)]

use super::errand::{Ended, read};
use super::jobs;
use super::standing::{Known, standing};
use backup::history::History;
use backup::keep::Size;
use backup::names::SnapshotName;
use config::backup::{BackupSettings, BackupWhat};
use config::env::Env;
use config::home::Home;
use config::load::{Sources, load_from};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use protocol::backup::{BackupStatus, Drilled};
use serde_json::json;
use std::collections::BTreeSet;
use std::path::Path;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// The settings as shipped, with these lines of the environment.
fn settings(pairs: &[(&str, &str)]) -> BackupSettings {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("h"));
    let env = Env::from_pairs(pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())));
    let sources = Sources {
        system: folder.path(),
        home: &home,
        env: &env,
        flags: &[],
    };
    load_from(&sources).unwrap().backup
}

const REMOTE: (&str, &str) = ("AI_INFRA__BACKUP__REMOTE", "/mnt/b");

fn names(settings: &BackupSettings) -> Vec<String> {
    let (schedules, problems) = jobs::schedules(settings, &TimeZone::UTC);
    assert_eq!(problems, Vec::<String>::new());
    let line = |s: &pai::schedule::Schedule| format!("{} {}", s.name, s.calendar.line());
    schedules.iter().map(line).collect()
}

#[test]
fn what_has_a_place_begins_by_itself() {
    assert_eq!(names(&settings(&[])), Vec::<String>::new());
    let all = settings(&[REMOTE]);
    assert_eq!(
        names(&all),
        [
            "backup-code 0 2 * * *",
            "backup-memory 0 3 * * 0",
            "backup-drill 0 5 1 * *"
        ]
    );
    let git = settings(&[("AI_INFRA__BACKUP__REMOTE", "https://h.example/a.git")]);
    assert!(names(&git).contains(&"backup-configuration */30 * * * *".to_owned()));
    // A place of its own is enough; without the home there is nothing to drill.
    let mut own = settings(&[]);
    own.jobs.get_mut("code").unwrap().target = Some("/mnt/code".to_owned());
    assert_eq!(names(&own), ["backup-code 0 2 * * *"]);
    own.jobs.get_mut("code").unwrap().schedule = None;
    assert_eq!(names(&own), Vec::<String>::new());
    let mut wrong = all;
    wrong.jobs.get_mut("code").unwrap().schedule = Some("0 25 * * *".to_owned());
    wrong.zone = Some("Europe/Berlin".to_owned());
    let (good, problems) = jobs::schedules(&wrong, &TimeZone::UTC);
    assert_eq!(good[0].calendar.zone_name(), "Europe/Berlin");
    assert!(
        problems[0].starts_with("backup-code does not begin"),
        "{problems:?}"
    );
    wrong.zone = Some("Mars/Olympus".to_owned());
    assert_eq!(jobs::schedules(&wrong, &TimeZone::UTC).1.len(), 3);
}

fn history(made: &[(&str, &str)]) -> History {
    let folder = tempfile::tempdir().unwrap();
    let mut history = History::load(folder.path());
    for (job, when) in made {
        let size = Size { files: 1, bytes: 1 };
        history.made(&SnapshotName::new(at(when), job), size);
    }
    history
}

fn history_of_none() -> History {
    history(&[])
}

fn check(settings: &BackupSettings, history: &History, paused: &[&str], now: &str) -> BackupStatus {
    let paused: BTreeSet<String> = paused.iter().map(|name| name.to_string()).collect();
    let known = Known {
        history,
        paused: &paused,
        file: Path::new("/h/config/backup.yaml"),
        here: &TimeZone::UTC,
    };
    standing(settings, &known, at(now))
}

#[test]
fn nothing_is_backed_up_until_there_is_a_place() {
    let status = check(&settings(&[]), &history(&[]), &[], "2026-01-05T12:00:00Z");
    let unset = status.unset.unwrap();
    assert!(
        unset.ends_with(
            "echo 'remote: /mnt/disk/backups' >> /h/config/backup.yaml && ai-infra restart"
        ),
        "{unset}"
    );
    assert!(status.alarms.is_empty() && status.jobs.is_empty());
}

#[test]
fn late_is_what_was_due_and_is_not_there() {
    let all = settings(&[REMOTE]);
    let made = [
        ("code", "2026-01-05T02:00:03Z"),
        ("memory", "2026-01-04T03:00:09Z"),
    ];
    let history = history(&made);
    let late = |paused: &[&str], now: &str| check(&all, &history, paused, now).alarms;
    assert_eq!(late(&[], "2026-01-06T02:59:59Z"), Vec::<String>::new());
    let said = late(&[], "2026-01-06T03:00:01Z");
    assert_eq!(
        said,
        [
            "backup of code is late: it was due at 2026-01-06 02:00 UTC and the newest good one is of 2026-01-05 02:00 UTC: ai-infra backup run code"
        ]
    );
    assert_eq!(
        late(&["backup-code"], "2026-01-06T03:00:01Z"),
        Vec::<String>::new()
    );
    assert_eq!(
        late(&[], "2026-01-12T12:00:00Z").len(),
        2,
        "the weekly one too"
    );
    // One that never was is owed at once and not late.
    let none = check(&all, &history_of_none(), &[], "2026-01-06T12:00:00Z");
    assert_eq!(none.alarms, Vec::<String>::new());
    assert_eq!(none.jobs.len(), 2);
    assert_eq!(none.jobs[0].next, Some(at("2026-01-07T02:00:00Z")));
}

#[test]
fn what_failed_shrank_or_was_found_is_alarming() {
    let all = settings(&[REMOTE]);
    let now = "2026-01-05T12:00:00Z";
    let mut known = history(&[("code", "2026-01-05T02:00:00Z")]);
    known.failed("memory", at("2026-01-05T03:00:00Z"), "away".to_owned());
    let said = check(&all, &known, &[], now).alarms;
    let expected =
        "backup of memory failed at 2026-01-05 03:00 UTC: away: ai-infra backup run memory";
    assert_eq!(said, [expected]);
    let large = Size {
        files: 100,
        bytes: 100,
    };
    known.made(
        &SnapshotName::new(at("2026-01-05T04:00:00Z"), "memory"),
        large,
    );
    let small = Size {
        files: 10,
        bytes: 10,
    };
    known.made(
        &SnapshotName::new(at("2026-01-05T05:00:00Z"), "memory"),
        small,
    );
    let said = check(&all, &known, &[], now).alarms;
    assert!(
        said.len() == 1 && said[0].starts_with("backup of memory: "),
        "{said:?}"
    );
    known.drill = Some(Drilled {
        at: at(now),
        snapshot: "x".to_owned(),
        good: false,
        said: "one thing differs".to_owned(),
    });
    known.key_unseen = true;
    let status = check(&all, &known, &[], now);
    assert!(status.alarms[1].contains("drill of 2026-01-05 12:00 UTC found something"));
    assert!(status.notes[0].ends_with("ai-infra backup key"));
    // A place that is none is said, and the other job is looked at.
    let mut odd = all;
    odd.jobs.get_mut("code").unwrap().target = Some("nowhere".to_owned());
    assert_eq!(odd.jobs["memory"].what, BackupWhat::Home);
    let status = check(&odd, &history(&[]), &[], now);
    assert!(
        status.alarms[0].contains("is not an absolute path"),
        "{status:?}"
    );
    assert_eq!(status.jobs.len(), 1);
}

#[test]
fn the_end_of_a_run_is_read() {
    let job = |more: serde_json::Value| {
        let mut job = json!({"job": "code", "snapshot": null, "files": 3, "bytes": 9, "sent": 2,
            "notes": [], "alarm": null, "error": null});
        job.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        json!({"version": 1, "jobs": [job]}).to_string()
    };
    let done = |said: &str, loud| Ended::Done {
        said: said.to_owned(),
        loud,
    };
    let failed = |why: &str, for_good| Ended::Failed {
        why: why.to_owned(),
        for_good,
    };
    for (code, out, err, expected) in [
        (
            0,
            job(json!({"snapshot": "S"})),
            "",
            done("S: 3 files, 9 bytes, 2 sent", false),
        ),
        (
            1,
            job(json!({"snapshot": "S", "alarm": "shrank", "notes": ["a", "b"]})),
            "",
            done("S: 3 files, 9 bytes, 2 sent; shrank; a and 1 more", true),
        ),
        (
            0,
            job(json!({"notes": ["nothing there"]})),
            "",
            done("nothing there", false),
        ),
        (5, job(json!({"error": "away"})), "", failed("away", false)),
        (4, job(json!({"error": "somebody prunes"})), "", Ended::Busy),
        (4, String::new(), "error: runs already\n", Ended::Busy),
        (
            2,
            String::new(),
            "error: no key\n  hint\n",
            failed("no key", true),
        ),
        (
            255,
            String::new(),
            "",
            failed("it ended with code 255 and no word", false),
        ),
        (
            3,
            r#"{"jobs": [], "configuration": {"sent": ["a"], "came": [], "waiting": ["b", "c"]}}"#
                .to_owned(),
            "",
            done("1 files sent, 2 files waiting for a person", false),
        ),
        (
            5,
            r#"{"jobs": [], "configuration": null}"#.to_owned(),
            "✗ configuration: away\n",
            failed("configuration: away", false),
        ),
        (
            1,
            r#"{"said": "one thing differs"}"#.to_owned(),
            "",
            done("one thing differs", true),
        ),
        (
            1,
            "{".to_owned(),
            "",
            failed("it ended with code 1 and no word", false),
        ),
    ] {
        assert_eq!(
            read(code, out.as_bytes(), err.as_bytes()),
            expected,
            "{code} {out}"
        );
    }
}
