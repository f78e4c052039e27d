//! Planted jobs, broken ones among them, and what only looks like one.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::host::tree::planted::Planted;

fn brief(found: &Jobs) -> Vec<String> {
    let one = |job: &Job| {
        let next = job
            .next
            .as_deref()
            .map_or("-", |next| next.get(5..16).unwrap_or("?"));
        format!(
            "{next} {} {} | {}",
            job.place,
            job.user.as_deref().unwrap_or("-"),
            job.problems.join("; ")
        )
    };
    found.jobs.iter().map(one).collect()
}

#[test]
fn the_planted_jobs_are_told_and_no_other() {
    let host = Planted::new(&[
        (
            "/etc/crontab",
            "SHELL=/bin/sh\n# 1 1 1 1 1 root decoy\n25 6 * * * root test -x /usr/sbin/anacron || run-parts /etc/cron.daily\n0 5 * * * root /usr/bin/backup --all\n",
        ),
        (
            "/etc/cron.d/shop",
            "*/10 * * * * shop /usr/bin/shop sync --token=hunter2hunter\n0 25 * * * shop /usr/bin/shop\n0 1 * * * shop /usr/bin/gone\n",
        ),
        (
            "/etc/cron.d/shop.dpkg-old",
            "* * * * * root /usr/bin/decoy\n",
        ),
        ("/etc/cron.daily/rotate", "#!/bin/sh\n"),
        ("/etc/cron.daily/rotate.sh", "#!/bin/sh\n"),
        (
            "/var/spool/cron/crontabs/ann",
            "0 5 * * * /usr/bin/backup --all\n@reboot /home/ann/start\n",
        ),
        (
            "/etc/systemd/system/trim.timer",
            "[Unit]\nOnCalendar=decoy\n[Timer]\nOnCalendar=weekly\nOnBootSec=15min\n",
        ),
        (
            "/etc/systemd/system/trim.service",
            "[Service]\nExecStart=-/usr/bin/trim -a\n",
        ),
        (
            "/usr/lib/systemd/system/off.timer",
            "[Timer]\nOnCalendar=daily\n",
        ),
        (
            "/etc/systemd/system/lost.timer",
            "[Timer]\nOnCalendar=daily\n",
        ),
        (
            "/etc/systemd/system/lost.timer.d/x.conf",
            "[Timer]\nOnCalendar=\nOnCalendar=*-*-* 04:00\n",
        ),
        ("/usr/bin/backup", ""),
        ("/usr/bin/shop", ""),
        ("/usr/bin/trim", ""),
        ("/proc/1/comm", "systemd\n"),
        ("/proc/50/comm", "cron\n"),
    ]);
    for name in ["trim", "lost"] {
        host.link(
            &format!("/etc/systemd/system/timers.target.wants/{name}.timer"),
            &format!("/etc/systemd/system/{name}.timer"),
        );
    }
    let script = host.place("/etc/cron.daily/rotate");
    std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    let at = "2026-11-21T03:20:00Z".parse().unwrap();
    let found = scan(&host.tree(), at, &Limits::default()).unwrap();
    assert_eq!(
        brief(&found),
        [
            "11-21 03:30 /etc/cron.d/shop:1 shop | ",
            "11-21 04:00 lost.timer - | lost.service, which it starts, is not there or runs nothing",
            "11-21 05:00 /etc/crontab:4 root | /var/spool/cron/crontabs/ann:1 runs the same command",
            "11-21 05:00 /var/spool/cron/crontabs/ann:1 ann | /etc/crontab:4 runs the same command",
            "11-21 06:25 /etc/cron.daily/rotate root | ",
            "11-22 01:00 /etc/cron.d/shop:3 shop | its program /usr/bin/gone does not exist",
            "11-23 00:00 trim.timer - | ",
            "- /etc/cron.d/shop:2 shop | cron ignores it: `0 25 * * *` is no time that comes",
            "- /etc/cron.daily/rotate.sh root | its name keeps it from being run: only letters, digits, - and _ may be in it",
            "- /var/spool/cron/crontabs/ann:2 ann | ",
        ]
    );
    assert_eq!(
        (found.cron_runs, found.systemd_runs, found.broken),
        (Some(true), Some(true), 6)
    );
    assert!(!serde_json::to_string(&found).unwrap().contains("hunter2"));
    let trim = found
        .jobs
        .iter()
        .find(|job| job.place == "trim.timer")
        .unwrap();
    assert_eq!(
        (trim.when.as_str(), trim.command.as_str()),
        ("weekly, OnBootSec=15min", "-/usr/bin/trim -a")
    );
}

#[test]
fn a_host_without_jobs_has_none() {
    let found = scan(
        &Planted::new(&[]).tree(),
        Timestamp::UNIX_EPOCH,
        &Limits::default(),
    )
    .unwrap();
    assert_eq!(
        (
            found.jobs.len(),
            found.broken,
            found.cron_runs,
            found.systemd_runs
        ),
        (0, 0, None, None)
    );
}
