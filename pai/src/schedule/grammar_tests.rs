//! Files of schedules that are read, and what is wrong with those that are not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;

const WHOLE: &str = r#"
schedule: 1
name: nightly-tests
when: "30 2 * * MON-FRI"
zone: Europe/Berlin
playbook: run-tests
params: {only: unit}
workspace: /srv/shop
agent: qa
effort: quick
budget_usd: 0.5
level: 0
priority: 2
timeout: 1h
missed: skip
grace: 90s
overlap: wait
jitter: 10m
repeated_hour: first
"#;

#[test]
fn a_whole_one_is_read() {
    let read = parse(WHOLE, &TimeZone::UTC).unwrap();
    assert_eq!(read.name, "nightly-tests");
    assert_eq!(read.calendar.line(), "30 2 * * MON-FRI");
    assert_eq!(read.calendar.zone_name(), "Europe/Berlin");
    assert!(
        matches!(&read.job, Job::Playbook(name, params) if name == "run-tests" && params.len() == 1)
    );
    assert_eq!(read.grace, SignedDuration::from_secs(90));
    assert_eq!(read.jitter, SignedDuration::from_mins(10));
    assert_eq!((read.missed, read.overlap), (Missed::Skip, Overlap::Wait));
    assert_eq!((read.priority, read.level), (2, Some(Level::Restricted)));
}

#[test]
fn the_shortest_one_is_read() {
    let here = TimeZone::get("Asia/Tokyo").unwrap();
    let read = parse(
        "schedule: 1\nname: a\nwhen: '@daily'\nask: look over this\n",
        &here,
    )
    .unwrap();
    assert_eq!(read.calendar.zone_name(), "Asia/Tokyo");
    assert_eq!((read.missed, read.overlap), (Missed::Once, Overlap::Skip));
    assert_eq!(read.priority, 3);
}

#[test]
fn a_plan_can_begin_by_itself() {
    let text = "schedule: 1\nname: a\nwhen: '@daily'\nplan:\n  plan: 1\n  name: b\n  tasks:\n    - {id: x, ask: run the tests}\n";
    assert!(matches!(
        parse(text, &TimeZone::UTC).unwrap().job,
        Job::Plan(_)
    ));
}

#[test]
fn what_is_wrong_is_named() {
    let change = |from: &str, to: &str| WHOLE.replace(from, to);
    for (text, part) in [
        (change("schedule: 1", "schedule: 2"), "version 2"),
        (change("schedule: 1", "schedule: 0"), "`schedule` must be 1"),
        (
            change("name: nightly-tests", "name: Nightly"),
            "`Nightly` is no name",
        ),
        (
            change("30 2 * * MON-FRI", "30 25 * * *"),
            "`when` `30 25 * * *`",
        ),
        (
            change("Europe/Berlin", "Europe/Berlijn"),
            "`Europe/Berlijn` is no time zone",
        ),
        (
            change("workspace: /srv/shop", "workspace: shop"),
            "`workspace` must be an absolute path",
        ),
        (change("priority: 2", "priority: 11"), "`priority` is 11"),
        (
            change("budget_usd: 0.5", "budget_usd: -1"),
            "`budget_usd` is no amount",
        ),
        (
            change("timeout: 1h", "timeout: 2 fortnights"),
            "`timeout` `2 fortnights` is not a time",
        ),
        (
            change("jitter: 10m", "jitter: 25h"),
            "`jitter` `25h` is not a time",
        ),
        (
            change("grace: 90s", "grace: -1s"),
            "`grace` `-1s` is not a time",
        ),
        (change("level: 0", "level: 4"), "level 4 does not exist"),
        (change("overlap: wait", "overlap: queue"), "queue"),
        (
            change("playbook: run-tests", "playbok: run-tests"),
            "unknown key `playbok`",
        ),
        (
            change("playbook: run-tests", "ask: x"),
            "`params` belong to a `playbook`",
        ),
        (
            change("playbook: run-tests", "playbook: run-tests\nask: x"),
            "keep one of the three",
        ),
        (
            change("playbook: run-tests\nparams: {only: unit}", ""),
            "`ask` is missing",
        ),
        ("- 1".to_owned(), ""),
        ("x".repeat(LARGEST + 1), "bytes"),
    ] {
        let said = parse(&text, &TimeZone::UTC).unwrap_err().to_string();
        assert!(said.contains(part), "{part}: {said}");
    }
}
