//! The playbooks that have the warden do something on the host: what is answered, and the reports word for word.

use super::*;

/// What such a playbook is asked; none for the others.
pub fn params_of(name: &str) -> Option<Value> {
    Some(match name {
        "restart-service" => json!({"unit": "shop.service"}),
        "put-site" => json!({"host": "shop.example", "root": "/srv/www/shop"}),
        "renew-certificates" | "install-security-updates" => json!({}),
        "run-on-host" => json!({"command": "id -u"}),
        "certify-site" => json!({"host": "shop.example"}),
        _ => return None,
    })
}

fn state(invocation: &str, pid: u32, enabled: &str) -> Value {
    json!({"unit": "shop.service", "load": "loaded", "active": "active", "sub": "running", "enabled": enabled, "result": "success", "invocation": invocation,
        "pid": pid, "since": if pid == 0 { "" } else { "Sat 2026-11-21 13:00:00 UTC" }, "kind": "simple", "description": if pid == 0 { "" } else { "The shop" }, "file": "/etc/systemd/system/shop.service", "dropins": [], "can_reload": false})
}

fn certificate() -> Value {
    json!({"sha256": "ee", "begins": "2026-11-21T13:00:00Z", "ends": "2027-02-19T13:00:00Z", "issuer": "CN=E7, O=An Authority", "names": ["shop.example"]})
}

/// What sites are served with; one of them due, or none.
fn certificates(due: bool) -> Value {
    let one = certificate();
    let mut rows = vec![json!({
        "name": "shop.example", "names": ["shop.example"], "certificate": "shop.example", "of_certbot": true, "why": null, "served": true, "due": due,
        "ends": one["ends"], "issuer": one["issuer"], "sha256": one["sha256"],
    })];
    if due {
        rows.push(json!({
            "name": "old", "names": ["old.example"], "certificate": "other", "of_certbot": false, "why": "its file is missing", "served": false, "due": true,
            "ends": null, "issuer": null, "sha256": null,
        }));
    }
    let names = if due {
        json!(["shop.example"])
    } else {
        json!([])
    };
    json!({"certificates": rows, "due": names})
}

fn world(was_there: bool, names: Value, pid: u32, enabled: &str) -> World {
    let now = state("b2", pid, enabled);
    let mut restarted = now.clone();
    restarted["before"] = state("a1", 6, enabled);
    restarted["verb"] = json!("restart");
    let path = "/etc/nginx/conf.d/ai-infra-shop.example.conf";
    let certified = json!({"path": path, "kept": "k7", "sha256": "cc", "was_there": was_there, "names": names, "certificate": certificate(), "name": "shop.example"});
    let updates = match was_there {
        true => json!([
            {"package": "openssl", "installed": "3.0.19-1", "version": "3.0.20-1", "from": "Debian-Security:12/stable-security [amd64]", "security": true},
            {"package": "curl", "installed": "7.88.1-10", "version": "7.88.1-11", "from": "Debian-Security:12/stable-security [amd64]", "security": true},
        ]),
        false => json!([]),
    };
    let versions = |key: &str| -> Value {
        let rows = updates.as_array().unwrap().iter();
        let pairs = rows.map(|row| {
            (
                row["package"].as_str().unwrap().to_owned(),
                row[key].clone(),
            )
        });
        Value::Object(pairs.collect())
    };
    json!({
        "Certificates": certificates(was_there), "CertifySite": certified, "RenewCertificate": certified,
        "SecurityUpdates": {"updates": updates, "packages": versions("version")},
        "InstallUpdates": {"installed": versions("version"), "before": versions("installed")},
        "InstalledPackages": {"installed": versions("version")},
        "HostRun": {"exit": 3, "signal": null, "late": false, "stopped": false, "left": u32::from(was_there), "took_ms": 5, "copy_changed": false,
            "output": if was_there { "one\ntwo\n" } else { "" }},
        "ServiceStatus": now, "Service": restarted,
        "PutSite": {"path": path, "kept": "k7", "sha256": "cc", "was_there": was_there, "names": names},
        "SiteStatus": {"name": "shop.example", "path": path, "placed": true, "changed_by_hand": false, "answers": true, "sha256": "cc", "names": names},
        "KeptFiles": {"kept": [{"id": "k7", "at": "2026-11-21T13:00:00Z", "path": path, "what": "put the site shop.example", "was_there": was_there, "changed_since": false}]},
    })
}

pub fn rich() -> World {
    let name = |scheme: &str| json!({"name": "shop.example", "scheme": scheme, "is_this": true, "status": 200});
    world(true, json!([name("http"), name("https")]), 4711, "enabled")
}

pub fn bare() -> World {
    world(
        false,
        json!([{"name": "shop.example", "scheme": "http", "is_this": true, "status": 404}]),
        0,
        "",
    )
}

#[track_caller]
fn check(name: &str, world: &World, expected: &str) {
    let params = params_of(name).unwrap();
    assert_eq!(report(name, &params, world), expected, "{name}");
}

#[test]
fn a_run_says_what_it_came_to() {
    check(
        "run-on-host",
        &super::world(),
        "\
`id -u` ran once on shop1 and ended with exit code 3.

1 process that it left running ended with it.

```
one
two
```",
    );
    check(
        "run-on-host",
        &super::empty(),
        "`id -u` ran once on bare and ended with exit code 3.",
    );
}

#[test]
fn reports_of_the_host_say_what_was_done() {
    check(
        "restart-service",
        &rich(),
        "\
`shop.service` was restarted and is active (running) since Sat 2026-11-21 13:00:00 UTC.

- What it is: The shop, from /etc/systemd/system/shop.service
- With the host's next start it is enabled; its process is 4711",
    );
    check(
        "restart-service",
        &bare(),
        "\
`shop.service` was restarted and is active (running).

- What it is: it does not say, from /etc/systemd/system/shop.service
- With the host's next start it is unknown",
    );
    check(
        "put-site",
        &rich(),
        "\
shop.example answers from /srv/www/shop.
- http://shop.example: this site, first page 200
- https://shop.example: this site, first page 200
- File: /etc/nginx/conf.d/ai-infra-shop.example.conf
- To take it back: put back k7 (the file as it was)",
    );
}

#[test]
fn reports_of_certificates_and_updates_say_what_was_done() {
    check(
        "certify-site",
        &bare(),
        "\
shop.example is served over HTTPS, with a certificate of CN=E7, O=An Authority that is good until 2027-02-19.
- http://shop.example: this site, first page 404
- File: /etc/nginx/conf.d/ai-infra-shop.example.conf
- To take it back: put back k7 (the certificate stays)",
    );
    check(
        "renew-certificates",
        &rich(),
        "\
1 certificate was due and renewed, of 2.
- shop.example: until 2027-02-19, by CN=E7, O=An Authority, renewed
- old: its file is missing; the port serves another one; certbot does not keep it, so it is not renewed here",
    );
    check(
        "renew-certificates",
        &bare(),
        "\
1 certificate of sites, none of them is due.
- shop.example: until 2027-02-19, by CN=E7, O=An Authority",
    );
    check(
        "install-security-updates",
        &rich(),
        "\
2 security updates are installed.
- openssl 3.0.19-1 → 3.0.20-1
- curl 7.88.1-10 → 7.88.1-11

Services were not restarted by it.",
    );
    check(
        "install-security-updates",
        &bare(),
        "No security update waits, by the lists fetched last.",
    );
}

#[test]
fn what_was_not_renewed_or_installed_is_caught() {
    let none = nothing();
    let (done, _) = play("renew-certificates", &none, &rich());
    let mut other = rich();
    other["Certificates"]["certificates"][0]["sha256"] = json!("dd");
    assert_eq!(
        unproven("renew-certificates", &none, &done, &other),
        ["c1", "c2"]
    );
    let mut failed = done.clone();
    failed[1].1.is_error = true;
    assert_eq!(
        unproven("renew-certificates", &none, &failed, &rich()),
        ["c2"]
    );
    let (done, _) = play("install-security-updates", &none, &rich());
    let mut old = rich();
    old["InstalledPackages"]["installed"]["curl"] = json!("7.88.1-10");
    assert!(unproven("install-security-updates", &none, &done, &old).contains(&"c1".to_owned()));
}

#[test]
fn a_service_that_did_not_begin_anew_is_not_restarted() {
    let mut same = rich();
    same["Service"]["before"]["invocation"] = json!("b2");
    let params = params_of("restart-service").unwrap();
    let (done, _) = play("restart-service", &params, &same);
    assert_eq!(unproven("restart-service", &params, &done, &same), ["c1"]);
    let mut other = rich();
    other["SiteStatus"]["answers"] = json!(false);
    let params = params_of("put-site").unwrap();
    let (done, _) = play("put-site", &params, &rich());
    assert_eq!(unproven("put-site", &params, &done, &other), ["c1"]);
}
