//! Planted knocks at the door, and lines that only look like one.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::host::logs::journal;
use crate::host::tree::planted::Planted;

fn at() -> Timestamp {
    "2026-11-18T12:00:00Z".parse().unwrap()
}

fn scanned(host: &Planted, since: &str) -> Logins {
    scan(&host.tree(), since, at(), &Limits::default()).unwrap()
}

fn brief(all: &[Failures]) -> Vec<String> {
    all.iter()
        .map(|one| format!("{} {} {} {}", one.name, one.count, one.unknown, one.others))
        .collect()
}

#[test]
fn the_planted_knocks_are_told_and_no_other() {
    let auth = "\
Nov 18 10:00:00 shop sshd[9]: Invalid user admin from 203.0.113.9 port 4711
Nov 18 10:00:01 shop sshd[9]: Failed password for invalid user admin from 203.0.113.9 port 4711 ssh2
Nov 18 10:00:02 shop sshd[9]: Failed password for ann from 203.0.113.9 port 4711 ssh2
Nov 18 10:00:03 shop sshd[9]: message repeated 2 times: [ Failed password for ann from 203.0.113.9 port 4711 ssh2]
Nov 18 10:01:00 shop sshd[9]: Accepted password for ann from 203.0.113.9 port 4711 ssh2
Nov 18 10:02:00 shop sshd[9]: Failed publickey for bob from 10.0.0.7 port 4711 ssh2
Nov 18 10:02:01 shop sshd[9]: Accepted publickey for bob from 10.0.0.7 port 4711 ssh2: ED25519 SHA256:x
Nov 18 10:03:00 shop app[9]: Failed password for decoy from 198.51.100.1 port 1 ssh2
Nov 18 10:04:00 shop sshd[9]: Received disconnect from 198.51.100.2 port 1:11: Bye
";
    let old =
        "Nov 16 10:00:00 shop sshd[9]: Failed password for old from 198.51.100.3 port 4711 ssh2\n";
    let host = Planted::new(&[
        ("/var/log/auth.log", auth),
        ("/var/log/auth.log.1", old),
        ("/var/log/syslog", auth),
    ]);
    host.put(
        "/var/log/btmp",
        records::written(6, "ann", "203.0.113.9", 1_795_000_000),
    );
    let found = scanned(&host, "today");
    assert_eq!(
        brief(&found.addresses),
        ["203.0.113.9 4 1 2", "10.0.0.7 1 0 1"]
    );
    assert_eq!(
        brief(&found.users),
        ["ann 3 0 1", "admin 1 1 1", "bob 1 0 1"]
    );
    assert_eq!((found.failed, found.by_password, found.unknown), (5, 4, 1));
    assert_eq!(
        (found.worked, found.worked_by_password, found.worked_by_key),
        (2, 1, 1)
    );
    let opened: Vec<_> = found
        .opened
        .iter()
        .map(|o| (o.user.as_str(), o.from.as_str(), o.failures, o.way))
        .collect();
    assert_eq!(opened, [("ann", "203.0.113.9", 4, "password")]);
    assert_eq!(found.sources, ["auth.log"]);
    assert_eq!(scanned(&host, "3 days").failed, 6);
}

/// As OpenSSH 9.2 of Debian 12 wrote it: seven wrong passwords, one right one, and a client that left without trying any.
#[test]
fn a_try_that_is_told_three_times_is_one() {
    let auth = "\
Nov 18 10:25:17 vm sshd[49]: pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=127.0.0.1  user=root
Nov 18 10:25:20 vm sshd[49]: Failed password for root from 127.0.0.1 port 50394 ssh2
Nov 18 10:25:21 vm sshd[49]: Connection closed by authenticating user root 127.0.0.1 port 50394 [preauth]
Nov 18 10:25:23 vm sshd[53]: Failed password for root from 127.0.0.1 port 50410 ssh2
Nov 18 10:25:23 vm sshd[53]: Connection closed by authenticating user root 127.0.0.1 port 50410 [preauth]
Nov 18 10:25:25 vm sshd[57]: Failed password for root from 127.0.0.1 port 50414 ssh2
Nov 18 10:25:26 vm sshd[57]: Connection closed by authenticating user root 127.0.0.1 port 50414 [preauth]
Nov 18 10:25:29 vm sshd[61]: Failed password for root from 127.0.0.1 port 48342 ssh2
Nov 18 10:25:30 vm sshd[61]: Connection closed by authenticating user root 127.0.0.1 port 48342 [preauth]
Nov 18 10:25:33 vm sshd[65]: Failed password for ann from 127.0.0.1 port 48346 ssh2
Nov 18 10:25:35 vm sshd[65]: Connection closed by authenticating user ann 127.0.0.1 port 48346 [preauth]
Nov 18 10:25:37 vm sshd[69]: Failed password for ann from 127.0.0.1 port 33906 ssh2
Nov 18 10:25:38 vm sshd[69]: Connection closed by authenticating user ann 127.0.0.1 port 33906 [preauth]
Nov 18 10:25:38 vm sshd[73]: Invalid user nobodyknows from 127.0.0.1 port 33918
Nov 18 10:25:38 vm sshd[73]: pam_unix(sshd:auth): check pass; user unknown
Nov 18 10:25:41 vm sshd[73]: Failed password for invalid user nobodyknows from 127.0.0.1 port 33918 ssh2
Nov 18 10:25:42 vm sshd[73]: Connection closed by invalid user nobodyknows 127.0.0.1 port 33918 [preauth]
Nov 18 10:25:42 vm sshd[77]: Accepted password for ann from 127.0.0.1 port 33928 ssh2
Nov 18 10:26:00 vm sshd[80]: Connection closed by authenticating user bob 127.0.0.1 port 48346 [preauth]
";
    // Bob's connection has the port that one of Ann's had, long after.
    let auth = auth.replace("10:26:00 vm", "11:26:00 vm");
    let host = Planted::new(&[
        ("/var/log/auth.log", auth.as_str()),
        (
            "/var/log/apt/eipp.log.xz",
            "decoy: cannot be read, and holds no logins",
        ),
    ]);
    let found = scanned(&host, "today");
    assert_eq!(
        brief(&found.users),
        ["root 4 0 1", "ann 2 0 1", "bob 1 0 1", "nobodyknows 1 1 1"]
    );
    assert_eq!((found.failed, found.by_password, found.unknown), (8, 7, 1));
    assert_eq!((found.worked, found.opened[0].failures), (1, 7));
    assert_eq!(found.unread, []);
}

#[test]
fn the_journal_and_btmp_tell_where_no_log_does() {
    let host = Planted::new(&[]);
    host.put(
        "/var/log/journal/0123/system.journal",
        journal::samples::plain(),
    );
    let found = scanned(&host, "today");
    assert_eq!(
        (brief(&found.addresses), found.sources.as_slice()),
        (
            vec!["203.0.113.9 1 1 1".to_owned()],
            &["journal".to_owned()][..]
        )
    );
    let host = Planted::new(&[]);
    let mut records = records::written(6, "root", "203.0.113.9", at().as_second() as u32 - 60);
    records.extend(records::written(6, "root", "203.0.113.9", 1_000_000)); // decoy: long ago
    records.extend(records::written(
        6,
        "",
        "203.0.113.9",
        at().as_second() as u32 - 60,
    )); // decoy: no name
    records.extend([1; 20]); // cut off
    host.put("/var/log/btmp", records);
    let found = scanned(&host, "1 hour");
    assert_eq!(
        (found.failed, brief(&found.users), found.sources.as_slice()),
        (1, vec!["root 1 0 1".to_owned()], &["btmp".to_owned()][..])
    );
}

#[test]
fn a_quiet_door_is_quiet() {
    let host = Planted::new(&[(
        "/var/log/auth.log",
        "Nov 18 10:00:00 shop sshd[9]: Server listening on 0.0.0.0 port 22.\n",
    )]);
    let found = scanned(&host, "today");
    assert_eq!((found.failed, found.worked, found.sources.len()), (0, 0, 1));
    assert_eq!(scanned(&Planted::new(&[]), "today").sources.len(), 0);
}
