//! Planted logs with errors and with what only looks like one.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::host::tree::planted::Planted;

fn at() -> Timestamp {
    "2026-11-18T12:00:00Z".parse().unwrap()
}

fn scanned(host: &Planted, since: &str, unit: Option<&str>) -> LogErrors {
    scan(&host.tree(), since, unit, at(), &Limits::default()).unwrap()
}

fn brief(found: &LogErrors) -> Vec<String> {
    let one = |g: &Group| {
        format!(
            "{}x {}: {} [{}]",
            g.count,
            g.program,
            g.pattern,
            g.logs.join(" ")
        )
    };
    found.groups.iter().map(one).collect()
}

fn shop() -> Planted {
    let mut syslog = String::new();
    // The same seven errors that the journal holds, on the host's clock, one hour ahead of UTC.
    for n in 0..7 {
        syslog += &format!(
            "Nov 18 12:{:02}:20 shop shop[9]: payment {} failed: gateway 10.0.0.{n} timed out after {} ms\n",
            18 + n,
            1000 + n,
            300 + n
        );
    }
    syslog += "Nov 18 12:30:00 shop cron[9]: (root) CMD (echo no errors)\n";
    syslog += "Nov 18 12:31:00 shop shop[9]: error count = 0\n";
    let host = Planted::new(&[
        ("/var/log/syslog", &syslog),
        (
            "/var/log/syslog.1",
            "Nov 16 12:00:00 shop shop[9]: an old error: disk failed\n",
        ),
        (
            "/var/log/nginx/error.log",
            "2026/11/18 12:01:00 [error] 7#7: *3 connect() failed (111: Connection refused), client: 203.0.113.4, server: shop\n2026/11/18 12:02:00 [error] 7#7: *9 connect() failed (111: Connection refused), client: 203.0.113.5, server: shop\n2026/11/18 12:03:00 [warn] 7#7: *9 a client request body is buffered after an error\n",
        ),
        (
            "/var/log/nginx/access.log",
            "203.0.113.4 - - [18/Nov/2026:11:01:00 +0000] \"GET /cart?token=abc HTTP/1.1\" 502 1 \"-\" \"error\"\n203.0.113.4 - - [18/Nov/2026:11:01:01 +0000] \"GET /error.html HTTP/1.1\" 200 1 \"-\" \"-\"\n",
        ),
        (
            "/var/log/postgresql/postgresql-15-main.log",
            "2026-11-18 11:05:00.000 UTC [4] shop@shop FATAL:  password authentication failed for user \"shop\"\n2026-11-18 11:05:00.000 UTC [4] DETAIL:  error in pg_hba\n2026-11-18 11:06:00.000 UTC [4] ERROR:  connect string postgres://shop:hunter2hunter@db/shop\n",
        ),
        ("/proc/sys/kernel/hostname", "shop1"),
    ]);
    host.put(
        "/etc/localtime",
        std::fs::read("/usr/share/zoneinfo/Europe/Berlin").unwrap_or_default(),
    );
    host.put(
        "/var/log/journal/0123/system.journal",
        journal::samples::compact(),
    );
    host
}

#[test]
fn the_planted_errors_are_told_and_no_other() {
    if !std::path::Path::new("/usr/share/zoneinfo/Europe/Berlin").exists() {
        eprintln!("skipped: no time zones; `apt-get install tzdata` gets them");
        return;
    }
    let found = scanned(&shop(), "today", None);
    let lines = brief(&found);
    assert_eq!(
        lines[..2],
        [
            "7x shop: payment <n> failed: gateway <ip> timed out after <n> ms [journal syslog]",
            "2x nginx: [error] <n>#<n>: *<n> connect() failed (<n>: Connection refused) [nginx/error.log]",
        ]
    );
    let rest: Vec<String> = lines[2..]
        .iter()
        .map(|line| line.chars().take(50).collect())
        .collect();
    assert_eq!(
        rest,
        [
            "1x backup: cannot upload: part-<n> missing; part-<",
            "1x kernel: Out of memory: Killed process <n> (java",
            "1x nginx: GET /cart answered <n> [nginx/access.log",
            "1x postgresql: [<n>] ERROR: connect string postgre",
            "1x postgresql: [<n>] shop@shop FATAL: password aut",
        ]
    );
    assert_eq!((found.total, found.kinds, found.logs), (14, 7, 5));
    let first = &found.groups[0];
    assert_eq!(
        (first.first.as_str(), first.last.as_str()),
        ("2026-11-18 12:18:20+01:00", "2026-11-18 12:24:20+01:00")
    );
    assert_eq!(first.unit.as_deref(), Some("shop.service"));
    assert!(!serde_json::to_string(&found).unwrap().contains("hunter2"));
    assert_eq!(found.since, "2026-11-18 00:00:00+01:00");
    assert_eq!(found.unread, []);
}

#[test]
fn one_unit_alone_and_a_shorter_time() {
    let host = shop();
    assert_eq!(scanned(&host, "today", Some("nginx")).total, 3);
    assert_eq!(scanned(&host, "today", Some("shop.service")).kinds, 1);
    assert_eq!(scanned(&host, "today", Some("redis")).total, 0);
    assert_eq!(scanned(&host, "30 minutes", None).total, 0);
    assert!(
        scanned(&host, "5 days", None)
            .groups
            .iter()
            .any(|g| g.example.contains("an old error"))
    );
    let wrong = scan(&host.tree(), "soon", None, at(), &Limits::default())
        .unwrap_err()
        .to_string();
    assert!(
        wrong.contains("`soon`") && wrong.contains("yesterday"),
        "{wrong}"
    );
}

#[test]
fn quiet_logs_hold_nothing() {
    let host = Planted::new(&[(
        "/var/log/syslog",
        "Nov 18 11:00:00 shop cron[9]: (root) CMD (true)\n",
    )]);
    let found = scanned(&host, "today", None);
    assert_eq!(
        (found.total, found.groups.len(), found.logs, found.lines),
        (0, 0, 1, 1)
    );
    let bare = scanned(&Planted::new(&[]), "today", None);
    assert_eq!((bare.total, bare.logs), (0, 0));
}
