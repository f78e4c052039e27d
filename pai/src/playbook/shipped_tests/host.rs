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
    })
}

/// A host with nothing to find.
pub fn quiet() -> World {
    json!({
        "ListeningPorts": {"at": "2026-11-21T03:00:00Z", "hostname": "bare", "container": null, "unowned": 0, "unread": [], "listening": []},
        "LogErrors": {"at": "2026-11-21T03:00:00Z", "since": "2026-11-20 03:00:00+00:00", "hostname": "bare", "kinds": 0, "total": 0, "logs": 2, "lines": 90, "unread": [], "groups": []},
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
1,210 errors of 3 kinds on shop1 since 2026-11-20 03:00:00+00:00; secrets are masked:
- 1,208× shop: payment 1006 failed
  in journal, syslog, from 2026-11-20 04:00:00+00:00 to 2026-11-21 02:59:00+00:00
- 1× CRON (cron.service): cannot run
  in journal, at 2026-11-20 05:00:00+00:00
- 1× nginx: [error] 7
  in nginx/error.log, at 2026-11-20 06:00:00+00:00

51,234 lines of 4 logs read. A line counts by its level where it names one, else by its words.
Not read: /var/log/private (permission denied).",
    );
    check(
        "log-errors",
        &quiet(),
        "No errors on bare since 2026-11-20 03:00:00+00:00: 90 lines of 2 logs read.",
    );
}
