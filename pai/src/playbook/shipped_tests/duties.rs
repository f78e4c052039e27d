//! The playbooks that have the warden do something on the host: what is answered, and the reports word for word.

use super::*;

/// What such a playbook is asked; none for the others.
pub fn params_of(name: &str) -> Option<Value> {
    Some(match name {
        "restart-service" => json!({"unit": "shop.service"}),
        "put-site" => json!({"host": "shop.example", "root": "/srv/www/shop"}),
        _ => return None,
    })
}

fn state(invocation: &str, pid: u32, enabled: &str) -> Value {
    json!({"unit": "shop.service", "load": "loaded", "active": "active", "sub": "running", "enabled": enabled, "result": "success", "invocation": invocation,
        "pid": pid, "since": if pid == 0 { "" } else { "Sat 2026-11-21 13:00:00 UTC" }, "kind": "simple", "description": if pid == 0 { "" } else { "The shop" }, "file": "/etc/systemd/system/shop.service", "dropins": [], "can_reload": false})
}

fn world(was_there: bool, names: Value, pid: u32, enabled: &str) -> World {
    let now = state("b2", pid, enabled);
    let mut restarted = now.clone();
    restarted["before"] = state("a1", 6, enabled);
    restarted["verb"] = json!("restart");
    let path = "/etc/nginx/conf.d/ai-infra-shop.example.conf";
    json!({
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
