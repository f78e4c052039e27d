//! What is no field of a duty is no call.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::redact::Redactor;
use serde_json::json;

#[test]
fn what_is_no_field_of_a_duty_is_no_call() {
    let site = |more: Value| {
        let mut input = json!({"name": "shop", "names": "shop.example", "root": "/srv/www"});
        for (key, value) in more.as_object().unwrap() {
            input[key] = value.clone();
        }
        input
    };
    for (tool, input, words) in [
        (
            "Service",
            json!({"unit": "--root=/x", "verb": "start"}),
            "name of a unit",
        ),
        (
            "Service",
            json!({"unit": "/etc/x.service", "verb": "start"}),
            "name of a unit",
        ),
        (
            "Service",
            json!({"unit": "*", "verb": "stop"}),
            "name of a unit",
        ),
        (
            "Service",
            json!({"unit": "shop", "verb": "edit"}),
            "unknown variant",
        ),
        (
            "Service",
            json!({"unit": "shop", "verb": "restart", "args": "--now"}),
            "unknown field",
        ),
        (
            "PutSite",
            site(json!({"names": "a.example; include /etc/shadow"})),
            "host's name",
        ),
        (
            "PutSite",
            site(json!({"root": "/srv/www; alias /etc/"})),
            "absolute path",
        ),
        (
            "PutSite",
            site(json!({"root": "/srv/../etc"})),
            "absolute path",
        ),
        (
            "PutSite",
            site(json!({"upstream": "127.0.0.1:80"})),
            "one of `root`",
        ),
        ("PutSite", site(json!({"names": ""})), "1 to 20 names"),
        (
            "PutSite",
            site(json!({"snippet": "load_module x;"})),
            "unknown field",
        ),
        (
            "RemoveSite",
            json!({"name": "../../etc/passwd"}),
            "name of a site",
        ),
        (
            "CertifySite",
            json!({"name": "shop", "names": "evil.example"}),
            "unknown field",
        ),
        (
            "CertifySite",
            json!({"name": "shop --deploy-hook id"}),
            "name of a site",
        ),
        (
            "RenewCertificate",
            json!({"name": "shop", "server": "https://evil.example/d"}),
            "unknown field",
        ),
        (
            "PutFile",
            json!({"path": "/etc/shadow", "text": "x"}),
            "who may do what",
        ),
        (
            "PutFile",
            json!({"path": "/etc/motd/../shadow", "text": "x"}),
            "absolute path",
        ),
        (
            "PutFile",
            json!({"path": "/etc/motd", "text": "x", "mode": "4755"}),
            "unknown field",
        ),
        ("RestoreFile", json!({"kept": "../k1"}), "such as k12"),
        (
            "InstallUpdates",
            json!({"packages": {"-oDPkg::Pre-Invoke::=id": "1"}}),
            "name of a package",
        ),
        (
            "InstallUpdates",
            json!({"packages": {"openssl": "1 --allow-downgrades"}}),
            "is a version",
        ),
        (
            "Container",
            json!({"name": "a/../b", "verb": "stop"}),
            "name of a container",
        ),
        (
            "Container",
            json!({"name": "a", "verb": "exec"}),
            "unknown variant",
        ),
        (
            "Container",
            json!({"name": "a", "verb": "start", "binds": ["/:/h"]}),
            "unknown field",
        ),
        ("PullImage", json!({"image": "nginx"}), "with its tag"),
        ("HostRun", json!({}), "give `argv`"),
        (
            "HostRun",
            json!({"argv": ["id"], "command": "id"}),
            "give `argv`",
        ),
        ("HostRun", json!({"command": "ls | wc"}), "sh -c"),
        (
            "HostRun",
            json!({"argv": ["./x"]}),
            "neither an absolute path",
        ),
        (
            "HostRun",
            json!({"argv": ["id"], "folder": "x"}),
            "the folder x",
        ),
        (
            "HostRun",
            json!({"argv": ["id"], "seconds": 9999}),
            "1 to 3600",
        ),
        (
            "HostRun",
            json!({"argv": ["id"], "env": {"LD_PRELOAD": "/x.so"}}),
            "LD_PRELOAD steers",
        ),
        (
            "HostRun",
            json!({"argv": ["id"], "user": "nobody"}),
            "unknown field",
        ),
    ] {
        let error = plan(&call(tool, input), &View::default()).unwrap_err();
        assert!(error.to_string().contains(words), "{tool}: {error}");
    }
    let put = plan(
        &call(
            "PutSite",
            site(json!({"upstream": "", "certificate": null})),
        ),
        &View::default(),
    )
    .unwrap();
    assert_eq!(put.hosts, ["shop.example"]);
    assert_eq!(put.operation.kind(), Some("site.change"));
    let run = plan(
        &call("HostRun", json!({"command": "id -u"})),
        &View::default(),
    )
    .unwrap();
    assert_eq!(run.operation.kind(), Some("host.run"));
    assert_eq!(
        (
            u8::from(run.level),
            run.shown(&Redactor::default()).as_str()
        ),
        (3, "run id -u")
    );
}

fn call(name: &str, input: Value) -> ToolCall {
    ToolCall {
        id: "c".into(),
        name: name.into(),
        input,
    }
}
