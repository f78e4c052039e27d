//! Security updates by a real apt: from an archive of the test's own, into a root of its own.

use super::{Warden, ends};
use protocol::duty::order::{End, Wish};
use serde_json::{Value, json};
use tests::packages::Root;

fn warden(root: &Root) -> Warden {
    Warden::new(
        json!({"services": {}, "sites": null, "containers": null, "packages": {"config": root.text("apt.conf")}}),
    )
}

fn install(packages: Value) -> Value {
    json!({"duty": "install_updates", "packages": packages})
}

#[test]
fn exactly_the_named_security_updates_are_installed() {
    let Some(root) = Root::new() else { return };
    let mut warden = warden(&root);
    let waiting = warden.ask(&json!({"duty": "security_updates"}));
    ends(&waiting, End::Done, "1 security update waits");
    assert_eq!(
        waiting.data["packages"],
        json!({"shop-lib": "1.0-2"}),
        "{waiting:#?}"
    );

    // An ordinary update, another version, one that is not there: nothing is done.
    ends(
        &warden.make(&install(json!({"shop-tool": "1.0-2"}))),
        End::Not,
        "no security update",
    );
    ends(
        &warden.make(&install(json!({"shop-lib": "9.9-9"}))),
        End::Not,
        "apt would not do it",
    );
    ends(
        &warden.make(&install(json!({"shop-pair": "1.0-2"}))),
        End::Not,
        "",
    );
    ends(
        &warden.make(&install(json!({}))),
        End::Not,
        "no package is named",
    );
    assert_eq!(
        (
            root.installed("shop-lib").as_str(),
            root.installed("shop-tool").as_str()
        ),
        ("1.0-1", "1.0-1")
    );

    let duty = install(json!({"shop-lib": "1.0-2"}));
    let look = warden.look(&duty);
    assert!(
        look.shown
            .iter()
            .any(|(_, text)| text.contains("shop-lib 1.0-1 → 1.0-2")),
        "{look:#?}"
    );
    assert_eq!(root.installed("shop-lib"), "1.0-1");
    // Begun, cut off before apt began: it is brought to its end, once.
    let settled = warden.give(&warden.order(Wish::Settle, &duty, look.before.clone()));
    ends(&settled, End::Done, "installed: shop-lib=1.0-2");
    assert_eq!(
        (
            root.installed("shop-lib").as_str(),
            root.installed("shop-tool").as_str()
        ),
        ("1.0-2", "1.0-1")
    );
    ends(
        &warden.give(&warden.order(Wish::Settle, &duty, look.before)),
        End::Done,
        "before the interruption",
    );
    ends(&warden.make(&duty), End::Not, "nothing to install");
    ends(
        &warden.ask(&json!({"duty": "security_updates"})),
        End::Done,
        "no security update waits",
    );
}
