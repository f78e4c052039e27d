//! Services under a real systemd, booted in namespaces of its own over a throwaway copy of this host's files. It takes root;
//! where it cannot be had, that is said.

use super::{Warden, ends};
use protocol::duty::order::{End, Wish};
use serde_json::{Value, json};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::processes::wait_until;
use tests::systemd::{Host, PROGRAM};

fn warden(host: &Host) -> Warden {
    let all = json!(["start", "stop", "restart", "reload", "enable", "disable"]);
    let mut warden = Warden::new(
        json!({"services": {"shop.service": all, "late.service": ["restart"], "broken.service": ["start"], "gone.service": ["start"], "masked.service": ["start"]}, "sites": null, "packages": null, "containers": null}),
    );
    warden.before = host.words();
    warden.program = PROGRAM.to_owned();
    warden
}

fn service(unit: &str, verb: &str) -> Value {
    json!({"duty": "service", "unit": unit, "verb": verb})
}

#[test]
fn services_are_started_stopped_and_restarted_by_systemd_itself() {
    let Some(host) = Host::boot(Path::new(super::HANDS)) else {
        return;
    };
    let mut warden = warden(&host);
    let status = json!({"duty": "service_status", "unit": "shop"});
    assert_eq!(warden.ask(&status).data["active"], "inactive");
    let started = warden.make(&service("shop", "start"));
    ends(&started, End::Done, "now active (running)");
    let first = started.data["invocation"].clone();
    let restarted = warden.make(&service("shop", "restart"));
    ends(&restarted, End::Done, "");
    assert!(
        restarted.data["invocation"] != first && restarted.data["before"]["invocation"] == first
    );
    ends(&warden.make(&service("shop", "reload")), End::Done, "");
    ends(&warden.make(&service("shop", "enable")), End::Done, "");
    assert_eq!(host.run(&["systemctl", "is-enabled", "shop"]).1, "enabled");
    ends(&warden.make(&service("shop", "disable")), End::Done, "");
    assert_eq!(host.run(&["systemctl", "is-enabled", "shop"]).1, "disabled");

    // A restart of which nobody heard the end: it is not made twice, and one that was not begun is made.
    let seen = warden.look(&service("shop", "restart")).before;
    let settle = |seen: &Value| {
        warden.give(&warden.order(Wish::Settle, &service("shop", "restart"), seen.clone()))
    };
    let settled = settle(&seen);
    ends(&settled, End::Done, "");
    let once = settled.data["invocation"].clone();
    let again = settle(&seen);
    ends(&again, End::Done, "before the interruption");
    assert_eq!(again.data["invocation"], once);

    // The unit's file changed after the yes.
    let seen = warden.look(&service("shop", "stop")).before;
    host.run(&["sh", "-c", "echo '# x' >> /etc/systemd/system/shop.service"]);
    let late = warden.give(&warden.order(Wish::Make, &service("shop", "stop"), seen));
    ends(&late, End::Not, "changed since leave was asked for");
    ends(
        &warden.make(&service("shop", "stop")),
        End::Done,
        "now inactive",
    );
    assert!(!host.run(&["systemctl", "is-active", "shop"]).0);

    ends(
        &warden.make(&service("broken", "start")),
        End::Failed,
        "did not come out",
    );
    ends(
        &warden.make(&service("gone", "start")),
        End::Not,
        "no unit gone.service",
    );
    ends(
        &warden.make(&service("dbus", "stop")),
        End::Not,
        "not granted",
    );
    ends(
        &warden.make(&service("masked", "start")),
        End::Not,
        "is masked",
    );
}

/// Whoever told systemd died with the hands, and systemd goes on: whoever settles it waits for that, and tells it nothing.
#[test]
fn a_restart_that_systemd_still_works_on_is_not_made_again() {
    let Some(host) = Host::boot(Path::new(super::HANDS)) else {
        return;
    };
    let warden = warden(&host);
    let duty = service("late", "restart");
    let (may, begun) = (host.at("/run/late-may-start"), host.at("/run/late-begun"));
    let starts = || std::fs::read_to_string(&begun).unwrap_or_default();
    std::fs::write(&may, "").unwrap();
    assert!(host.run(&["systemctl", "start", "late"]).0);
    std::fs::remove_file(&may).unwrap();
    let seen = warden.look(&duty).before;
    assert!(host.run(&["systemctl", "--no-block", "restart", "late"]).0);
    let patience = std::time::Duration::from_secs(20);
    assert!(wait_until(patience, || starts().lines().count() == 2));
    let (early, settled) = std::thread::scope(|scope| {
        let settling = scope.spawn(|| warden.give(&warden.order(Wish::Settle, &duty, seen)));
        // It looks, and looks again, while the service is still on its way.
        let short = std::time::Duration::from_millis(1500);
        let early = wait_until(short, || {
            settling.is_finished() || starts().lines().count() > 2
        });
        std::fs::write(&may, "").unwrap();
        (early, settling.join().unwrap())
    });
    assert!(!early, "{} {settled:?}", starts());
    ends(&settled, End::Done, "before the interruption");
    assert_eq!(starts().lines().count(), 2);
}

/// systemd was told, and cannot be asked what came of it: that is not told as not done, and settled by looking.
#[test]
fn a_restart_that_cannot_be_looked_at_any_more_is_not_told_as_not_done() {
    let Some(host) = Host::boot(Path::new(super::HANDS)) else {
        return;
    };
    let warden = warden(&host);
    let duty = service("late", "restart");
    let (may, begun) = (host.at("/run/late-may-start"), host.at("/run/late-begun"));
    let starts = || std::fs::read_to_string(&begun).unwrap_or_default();
    std::fs::write(&may, "").unwrap();
    assert!(host.run(&["systemctl", "start", "late"]).0);
    std::fs::remove_file(&may).unwrap();
    let seen = warden.look(&duty).before;
    let (here, away) = (
        host.at("/usr/bin/systemctl"),
        host.at("/usr/bin/systemctl-away"),
    );
    let patience = std::time::Duration::from_secs(20);
    let made = std::thread::scope(|scope| {
        let seen = seen.clone();
        let making = scope.spawn(|| warden.give(&warden.order(Wish::Make, &duty, seen)));
        assert!(wait_until(patience, || starts().lines().count() == 2));
        std::fs::rename(&here, &away).unwrap();
        std::fs::write(&may, "").unwrap();
        making.join().unwrap()
    });
    ends(&made, End::Unknown, "nobody knows yet how it ended");
    std::fs::rename(&away, &here).unwrap();
    let settled = warden.give(&warden.order(Wish::Settle, &duty, seen));
    ends(&settled, End::Done, "before the interruption");
    assert_eq!(starts().lines().count(), 2);

    // One that came to nothing is not told again.
    let duty = service("broken", "start");
    let seen = warden.look(&duty).before;
    host.run(&["systemctl", "start", "broken"]);
    let invocation = || {
        let show = ["systemctl", "show", "-p", "InvocationID", "broken"];
        host.run(&show).1
    };
    let failed = || host.run(&["systemctl", "is-failed", "broken"]).0;
    assert!(wait_until(patience, failed));
    let once = invocation();
    let settled = warden.give(&warden.order(Wish::Settle, &duty, seen));
    ends(&settled, End::Failed, "did not come out");
    assert_eq!(invocation(), once);
}

#[test]
fn who_is_not_root_is_told_so_and_nothing_is_done() {
    if !nix::unistd::geteuid().is_root() {
        let mut warden = Warden::new(
            json!({"services": {"shop.service": ["restart"]}, "sites": null, "packages": null, "containers": null}),
        );
        return ends(
            &warden.make(&service("shop", "restart")),
            End::Not,
            "root's alone",
        );
    }
    let order = Warden::new(json!({"services": {"shop.service": ["restart"]}, "sites": null, "packages": null, "containers": null}))
        .order(Wish::Look, &service("shop", "restart"), Value::Null);
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("hands");
    std::fs::copy(super::HANDS, &copy).unwrap();
    std::fs::set_permissions(
        folder.path(),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    let mut child = Command::new(&copy)
        .uid(64322)
        .gid(64322)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(child.stdin.take().unwrap(), &order).unwrap();
    let out = child.wait_with_output().unwrap();
    ends(
        &serde_json::from_slice(&out.stdout).unwrap(),
        End::Not,
        "root's alone, and this install belongs to uid 64322",
    );
}
