//! The playbooks of a host: what their scans answer on a busy one and on a quiet one, and the reports word for word.

use super::*;

/// A host with something of everything.
pub fn busy() -> World {
    json!({
        "ListeningPorts": {"at": "2026-11-21T03:00:00Z", "hostname": "shop1", "container": "docker", "unowned": 1, "unread": [{"path": "/proc/*/fd", "why": "permission denied"}],
            "listening": [
                {"proto": "tcp", "port": 80, "addresses": ["0.0.0.0", "::"], "reach": "world", "user": "root", "program": "nginx", "pid": 80, "unit": "nginx.service", "private": null},
                {"proto": "tcp", "port": 6379, "addresses": ["0.0.0.0"], "reach": "world", "user": "redis", "program": null, "pid": null, "unit": null, "private": "Redis"},
                {"proto": "tcp", "port": 8080, "addresses": ["10.0.0.10"], "reach": "network", "user": "shop", "program": "shop", "pid": 9, "unit": null, "private": null},
                {"proto": "tcp", "port": 5432, "addresses": ["127.0.0.1"], "reach": "host", "user": "postgres", "program": "postgres", "pid": 7, "unit": "postgresql@15-main.service", "private": null}]},
        "LogErrors": {"at": "2026-11-21T03:00:00Z", "since": "2026-11-20 03:00:00+00:00", "hostname": "shop1", "kinds": 3, "total": 1210, "logs": 4, "lines": 51234,
            "unread": [{"path": "/var/log/private", "why": "permission denied"}],
            "groups": [
                {"program": "shop", "unit": "shop.service", "pattern": "payment <n> failed", "example": "payment 1006 failed", "count": 1208, "first": "2026-11-20 04:00:00+00:00", "last": "2026-11-21 02:59:00+00:00", "logs": ["journal", "syslog"]},
                {"program": "CRON", "unit": "cron.service", "pattern": "cannot run", "example": "cannot run", "count": 1, "first": "2026-11-20 05:00:00+00:00", "last": "2026-11-20 05:00:00+00:00", "logs": ["journal"]},
                {"program": "nginx", "unit": null, "pattern": "[error] <n>", "example": "[error] 7", "count": 1, "first": "2026-11-20 06:00:00+00:00", "last": "2026-11-20 06:00:00+00:00", "logs": ["nginx/error.log"]}]},
        "CertificateExpiry": {"at": "2026-11-21T03:00:00Z", "hostname": "shop1", "files": 4, "unread": [], "missing": ["/etc/ssl/gone.pem, named in /etc/nginx/nginx.conf"],
            "elsewhere": ["/srv/far.pem, named in /etc/nginx/nginx.conf"],
            "certificates": [
                {"path": "/etc/ssl/old.pem", "used_by": [], "subject": "old.example", "names": [], "issuer": "Test Root", "from": "2025-01-01T00:00:00Z", "until": "2026-11-20T00:00:00Z", "days_left": -2, "expired": true, "self_signed": false, "chain": 1, "problems": []},
                {"path": "/etc/letsencrypt/live/shop/fullchain.pem", "used_by": ["/etc/nginx/nginx.conf"], "subject": "shop.example", "names": ["shop.example", "www.shop.example"], "issuer": "R3", "from": "2026-09-01T00:00:00Z", "until": "2026-12-03T00:00:00Z", "days_left": 12, "expired": false, "self_signed": false, "chain": 2, "problems": ["its chain is out of order"]},
                {"path": "/etc/ssl/own.pem", "used_by": [], "subject": "own", "names": ["own.example"], "issuer": "own", "from": "2026-09-01T00:00:00Z", "until": "2027-12-03T00:00:00Z", "days_left": 377, "expired": false, "self_signed": true, "chain": 1, "problems": []}]},
        "TimersAndCron": {"at": "2026-11-21T03:00:00Z", "now": "2026-11-21 03:00:00+00:00", "hostname": "shop1", "cron_runs": false, "systemd_runs": true, "broken": 1, "unread": [],
            "jobs": [
                {"place": "/etc/crontab:4", "kind": "cron", "when": "0 5 * * *", "next": "2026-11-21 05:00:00+00:00", "user": "root", "command": "/usr/bin/backup --all", "problems": []},
                {"place": "trim.timer", "kind": "timer", "when": "weekly", "next": "2026-11-23 00:00:00+00:00", "user": null, "command": "/usr/bin/trim", "problems": []},
                {"place": "/etc/cron.d/shop:2", "kind": "cron", "when": "0 25 * * *", "next": null, "user": "shop", "command": "/usr/bin/shop", "problems": ["cron ignores it: `0 25 * * *` is no time that comes"]}]},
        "DiskUsage": {"at": "2026-11-21T03:00:00Z", "hostname": "shop1", "path": "/", "disk_total": 50_000_000_000_u64, "disk_used": 45_000_000_000_u64, "disk_free": 5_000_000_000_u64,
            "bytes": 40_000_000_000_u64, "files": 312_000, "folders": [{"path": "/var/log/shop", "bytes": 20_000_000_000_u64}, {"path": "/srv/media", "bytes": 9_000_000_000_u64}],
            "largest": [{"path": "/var/log/shop/app.log", "bytes": 18_000_000_000_u64}], "growing": [{"path": "/var/log", "what": "logs", "bytes": 21_000_000_000_u64}],
            "deleted": [{"path": "/var/log/old.log", "bytes": 4_000_000_000_u64, "program": "shop", "pid": 9}], "other_disks": ["/data"], "closed": 2,
            "unread": [{"path": "/root", "why": "permission denied"}]},
        "PendingUpdates": {"at": "2026-11-21T03:00:00Z", "hostname": "shop1", "manager": "apt", "system": "Debian 12", "installed": 512, "total": 2, "security": 1, "held": ["kept"],
            "updates": [{"name": "openssl", "arch": "amd64", "installed": "3.0-1", "available": "3.0-2", "security": true, "phased": false},
                {"name": "curl", "arch": "amd64", "installed": "7.88-1", "available": "7.88-2", "security": false, "phased": true}],
            "lists": 3, "lists_at": "2026-11-01T00:00:00Z", "lists_days": 20, "pinned": true, "reboot": true, "reboot_for": ["libc6"], "kernel": "6.1.0-9-amd64", "kernel_waits": "6.1.0-13-amd64", "unread": []},
        "FailedLogins": {"at": "2026-11-21T03:00:00Z", "since": "2026-11-20 03:00:00+00:00", "hostname": "shop1", "failed": 1203, "by_password": 1200, "unknown": 900, "worked": 3, "worked_by_password": 1, "worked_by_key": 2,
            "addresses": [{"name": "203.0.113.9", "count": 1202, "unknown": 900, "others": 40, "first": "2026-11-20 04:00:00+00:00", "last": "2026-11-21 02:00:00+00:00"},
                {"name": "10.0.0.7", "count": 1, "unknown": 0, "others": 1, "first": "2026-11-20 05:00:00+00:00", "last": "2026-11-20 05:00:00+00:00"}], "addresses_in_all": 2,
            "users": [{"name": "root", "count": 1203, "unknown": 0, "others": 2, "first": "2026-11-20 04:00:00+00:00", "last": "2026-11-21 02:00:00+00:00"}], "users_in_all": 41,
            "opened": [{"user": "ann", "from": "203.0.113.9", "at": "2026-11-21 02:01:00+00:00", "failures": 1202, "way": "password"}], "sources": ["journal"], "unread": []},
        "ProcessTop": {"at": "2026-11-21T03:00:00Z", "hostname": "shop1", "cpus": 4, "memory": 8_000_000_000_u64, "processes": 212, "counts_shared": true, "programs_seen": 61, "programs": [
                {"name": "postgres", "processes": 12, "memory": 2_000_000_000_u64, "swapped": 0, "cpu_now": 12.5, "users": ["postgres"], "units": ["postgresql@15-main.service"], "settled_s": 90_000, "pid": 700},
                {"name": "python3 app.py", "processes": 1, "memory": 90_000_000, "swapped": 4096, "cpu_now": 98.0, "users": ["ann", "shop"], "units": [], "settled_s": 61, "pid": 9}]},
        "ServiceUnits": {"at": "2026-11-21T03:00:00Z", "hostname": "shop1", "systemd": true, "started": "2026-11-01 00:00:00+00:00", "journal": true,
            "failed": [{"unit": "shop.service", "at": "2026-11-20 03:00:00+00:00", "said": "shop.service: Failed with result 'exit-code'.", "times": 4}], "stopped": ["idle.service"],
            "running": ["hand.service", "nginx.service"], "by_hand": ["hand.service"], "enabled": 12, "unread": []},
    })
}

/// A host with nothing to find.
pub fn quiet() -> World {
    json!({
        "ListeningPorts": {"at": "2026-11-21T03:00:00Z", "hostname": "bare", "container": null, "unowned": 0, "unread": [], "listening": []},
        "LogErrors": {"at": "2026-11-21T03:00:00Z", "since": "2026-11-20 03:00:00+00:00", "hostname": "bare", "kinds": 0, "total": 0, "logs": 2, "lines": 90, "unread": [], "groups": []},
        "CertificateExpiry": {"at": "2026-11-21T03:00:00Z", "hostname": "bare", "files": 0, "unread": [], "missing": [], "elsewhere": [], "certificates": []},
        "TimersAndCron": {"at": "2026-11-21T03:00:00Z", "now": "2026-11-21 03:00:00+00:00", "hostname": "bare", "cron_runs": null, "systemd_runs": null, "broken": 0, "unread": [], "jobs": []},
        "DiskUsage": {"at": "2026-11-21T03:00:00Z", "hostname": "bare", "path": "/srv", "disk_total": 1_000_000_000, "disk_used": 500_000_000, "disk_free": 400_000_000, "bytes": 0, "files": 0,
            "folders": [], "largest": [], "growing": [], "deleted": [], "other_disks": [], "closed": 0, "unread": []},
        "PendingUpdates": {"at": "2026-11-21T03:00:00Z", "hostname": "bare", "manager": "apt", "system": "Debian 12", "installed": 100, "total": 0, "security": 0, "held": [], "updates": [],
            "lists": 3, "lists_at": "2026-11-21T00:00:00Z", "lists_days": 0, "pinned": false, "reboot": false, "reboot_for": [], "kernel": "6.1.0-9-amd64", "kernel_waits": null, "unread": []},
        "FailedLogins": {"at": "2026-11-21T03:00:00Z", "since": "2026-11-20 03:00:00+00:00", "hostname": "bare", "failed": 0, "by_password": 0, "unknown": 0, "worked": 0, "worked_by_password": 0, "worked_by_key": 0,
            "addresses": [], "addresses_in_all": 0, "users": [], "users_in_all": 0, "opened": [], "sources": ["auth.log"], "unread": []},
        "ProcessTop": {"at": "2026-11-21T03:00:00Z", "hostname": "bare", "cpus": 1, "memory": 1_000_000_000, "processes": 0, "counts_shared": false, "programs_seen": 0, "programs": []},
        "ServiceUnits": {"at": "2026-11-21T03:00:00Z", "hostname": "bare", "systemd": false, "started": "2026-11-01 00:00:00+00:00", "journal": false, "failed": [], "stopped": [], "running": [], "by_hand": [], "enabled": 2, "unread": []},
    })
}

fn check(name: &str, world: &World, expected: &str) {
    assert_eq!(report(name, &params_of(name), world), expected, "{name}");
}

#[test]
fn ports() {
    check(
        "listening-ports",
        &busy(),
        "\
2 ports of shop1 can be reached from every address; 1 of them should hardly be: Redis.
- From everywhere: 6379/tcp a program that could not be seen, user redis; Redis is usually kept private
- From everywhere: 80/tcp nginx (nginx.service), user root
- From a private network: 8080/tcp on 10.0.0.10, shop, user shop
- From this host alone: 5432/tcp postgres (postgresql@15-main.service), user postgres

A firewall in front is not looked at: it may let fewer through.
This is a container (docker): ports of the machine around it are not seen.
The program of one port could not be seen; a team that runs as root sees more.",
    );
    check(
        "listening-ports",
        &quiet(),
        "Nobody listens on any port of bare.",
    );
}

#[test]
fn errors_in_logs() {
    check(
        "log-errors",
        &busy(),
        "\
1,210 errors of 3 kinds on shop1 since 2026-11-20 03:00 UTC; secrets are masked:
- 1,208× shop: payment 1006 failed
  in journal, syslog, from 2026-11-20 04:00 UTC to 2026-11-21 02:59 UTC
- 1× CRON (cron.service): cannot run
  in journal, at 2026-11-20 05:00 UTC
- 1× nginx: [error] 7
  in nginx/error.log, at 2026-11-20 06:00 UTC

51,234 lines of 4 logs read. A line counts by its level where it names one, else by its words.
Not read: /var/log/private (permission denied).",
    );
    check(
        "log-errors",
        &quiet(),
        "No errors on bare since 2026-11-20 03:00 UTC: 90 lines of 2 logs read.",
    );
}

#[test]
fn certificates() {
    check(
        "certificate-expiry",
        &busy(),
        "\
1 certificate expired, 1 certificate with under 30 days left, 1 certificate with a fault, 1 certificate missing on shop1, of 3 seen.
- old.example: expired 2 days ago, on 2026-11-20; signed by Test Root (/etc/ssl/old.pem)
- shop.example, www.shop.example: 12 days left, until 2026-12-03; signed by R3 (/etc/letsencrypt/live/shop/fullchain.pem, served by /etc/nginx/nginx.conf)
  - its chain is out of order
- own.example: 377 days left, until 2027-12-03; signed by itself (/etc/ssl/own.pem)
- Missing: /etc/ssl/gone.pem, named in /etc/nginx/nginx.conf
- Not looked at, ask with its path: /srv/far.pem, named in /etc/nginx/nginx.conf",
    );
    check(
        "certificate-expiry",
        &quiet(),
        "I found no certificate that a server of bare is set to serve, nor one of certbot or in /etc/ssl.",
    );
}

#[test]
fn timers() {
    check(
        "timers-and-cron",
        &busy(),
        "\
3 jobs are set to run by themselves on shop1, 1 of them needs a look. Next at 2026-11-21 05:00 UTC: /usr/bin/backup --all.
- Needs a look: /etc/cron.d/shop:2 `0 25 * * *` runs /usr/bin/shop (user shop)
  - cron ignores it: `0 25 * * *` is no time that comes
- 2026-11-21 05:00 UTC: /usr/bin/backup --all (/etc/crontab:4, `0 5 * * *`, user root)
- 2026-11-23 00:00 UTC: /usr/bin/trim (trim.timer, `weekly`)

No cron runs here: what is written for it does not run until one does.",
    );
    check(
        "timers-and-cron",
        &quiet(),
        "Nothing runs by itself on bare: no crontab holds a job, and no timer is enabled.",
    );
}

#[test]
fn what_fills_a_disk() {
    check(
        "disk-usage",
        &busy(),
        "\
The disk of / on shop1 is 90 % full, 45.0 GB of 50.0 GB; the most in one place: /var/log/shop with 20.0 GB.
- 20.0 GB in /var/log/shop (44 % of what is used)
- 9.0 GB in /srv/media (20 % of what is used)
- Largest file: /var/log/shop/app.log, 18.0 GB
- Grows by itself: /var/log (logs), 21.0 GB
- Deleted and still open: /var/log/old.log, 4.0 GB, held by shop (process 9); the room is free once it is restarted

40.0 GB in 312,000 files were seen. Not entered: 2 folders that may not be read (/root), other disks (/data).
Nothing was removed.",
    );
    check(
        "disk-usage",
        &quiet(),
        "\
/srv on bare holds no files; its disk is 56 % full.

Nothing was removed.",
    );
}

#[test]
fn updates() {
    check(
        "pending-updates",
        &busy(),
        "\
2 updates wait for shop1 (Debian 12), 1 of them for security.
- Security: openssl 3.0-1 → 3.0-2
- curl 7.88-1 → 7.88-2 (given to some hosts first, apt may leave it out)
- Held back by a person: kept
- A restart is asked for by libc6
- Kernel 6.1.0-13-amd64 is installed and waits for a restart; 6.1.0-9-amd64 runs

The lists were fetched 20 days ago: newer updates are not known here, `apt-get update` fetches them. Nothing was installed. Preferences exist that may keep apt from some of these.",
    );
    check(
        "pending-updates",
        &quiet(),
        "\
No updates wait for bare (Debian 12): 100 packages compared with 3 lists.

The lists were fetched today. Nothing was installed.",
    );
    let mut other = quiet();
    other["PendingUpdates"]["lists"] = json!(0);
    check(
        "pending-updates",
        &other,
        "Nobody can say which updates wait for bare (Debian 12): apt has fetched no lists. Run `apt-get update` there first. 100 packages are installed.",
    );
}

#[test]
fn logins() {
    check(
        "failed-logins",
        &busy(),
        "\
1,203 failed logins on shop1 since 2026-11-20 03:00 UTC, from 2 addresses, for 41 users; 1,200 with a password, 900 for users that do not exist.
- Needs a look: ann logged in from 203.0.113.9 at 2026-11-21 02:01 UTC (password) after 1,202 failures from there
- 203.0.113.9: 1,202 failures for 40 users, from 2026-11-20 04:00 UTC to 2026-11-21 02:00 UTC
- 10.0.0.7: 1 failure for 1 user, at 2026-11-20 05:00 UTC
- Tried most: root 1,203×

3 logins worked: 2 with a key, 1 with a password. Read in journal.",
    );
    check(
        "failed-logins",
        &quiet(),
        "\
Nobody failed to log in to bare since 2026-11-20 03:00 UTC.

No login that worked was seen. Read in auth.log.",
    );
}

#[test]
fn services() {
    check(
        "service-units",
        &busy(),
        "\
1 service failed, 1 service enabled but not running on shop1; 2 run.
- Failed: shop.service, 4 times since the start, last at 2026-11-20 03:00 UTC: shop.service: Failed with result 'exit-code'.
- Enabled but not running: idle.service
- Runs without being enabled, so not after a restart: hand.service
- Running: hand.service, nginx.service

Since the start of the host at 2026-11-01 00:00 UTC. Read from unit files, cgroups and the journal, without asking systemd: a service that was stopped on purpose counts as not running.",
    );
    check(
        "service-units",
        &quiet(),
        "systemd does not run on bare (a container, or another init): no service of it can be up or down. 2 services would be started by it.",
    );
}

#[test]
fn programs() {
    check(
        "process-top",
        &busy(),
        "\
postgres uses the most memory of shop1: 2.0 GB of 8.0 GB.
- postgres: 2.0 GB (25 %), 12.5 % of a processor, 12 processes of postgres (postgresql@15-main.service)
- python3 app.py: 90.0 MB (1.1 %), 98.0 % of a processor, 1 process of ann, shop

212 processes of 61 programs seen. The processors were watched for a moment; ask again to see whether it lasts.
Memory that processes share is counted in each of them: a team that runs as root can tell it apart.",
    );
    let told = report("process-top", &json!({"by": "cpu"}), &busy());
    let first = "postgres keeps the processors of shop1 busiest: 12.5 % of one of 4.\n- postgres: 12.5 % of a processor, 2.0 GB, 12 processes";
    assert!(told.starts_with(first), "{told}");
    check("process-top", &quiet(), "No program could be seen on bare.");
}
