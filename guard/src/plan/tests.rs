//! Tables of calls and what they are planned as.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::outside::Endpoint;
use proptest::prelude::*;
use serde_json::json;
use std::sync::LazyLock;

static ALL: LazyLock<View> = LazyLock::new(|| View {
    workspace: true,
    host: true,
    outside: Outside {
        endpoints: [
            ("hooks".to_owned(), endpoint(Some("Idempotency-Key"))),
            ("plain".to_owned(), endpoint(None)),
        ]
        .into(),
        ..Outside::default()
    },
    key: "k1".to_owned(),
    branch: "ai-infra/t1".to_owned(),
});

fn endpoint(key_header: Option<&str>) -> Endpoint {
    Endpoint {
        url: "https://h.example/in".to_owned(),
        key_header: key_header.map(str::to_owned),
        token: None,
    }
}

fn call(name: &str, input: Value) -> ToolCall {
    ToolCall {
        id: "c".into(),
        name: name.into(),
        input,
    }
}

#[track_caller]
fn check(name: &str, input: Value, expected: Operation) {
    assert_eq!(plan(&call(name, input), &ALL).unwrap().operation, expected);
}

#[track_caller]
fn refused(name: &str, input: Value, words: &str) {
    let error = plan(&call(name, input), &ALL).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn good_calls() {
    check(
        "Read",
        json!({"file_path": "/workspace/src/../a.rs"}),
        Operation::Read {
            path: "a.rs".into(),
            offset: 1,
            limit: 2000,
        },
    );
    check(
        "Bash",
        json!({"command": "ls | wc", "timeout": 10, "description": "x"}),
        Operation::Bash {
            argv: vec!["bash".into(), "-c".into(), "ls | wc".into()],
            cwd: ".".into(),
            timeout_ms: Some(10),
        },
    );
    check(
        "Bash",
        json!({"argv": ["ls", "-l"], "cwd": "sub"}),
        Operation::Bash {
            argv: vec!["ls".into(), "-l".into()],
            cwd: "sub".into(),
            timeout_ms: None,
        },
    );
    check("Overview", Value::Null, Operation::Overview);
    check("AgentFiles", Value::Null, Operation::AgentFiles);
    check("GitDiff", json!({}), Operation::GitDiff);
    check(
        "Grep",
        json!({"pattern": "a+"}),
        Operation::Grep {
            pattern: "a+".into(),
            path: ".".into(),
            glob: None,
            limit: 200,
        },
    );
}

#[test]
fn bad_calls_say_why() {
    refused("Reed", json!({}), "no tool named `Reed`");
    refused("Read", json!({}), "file_path");
    refused(
        "Read",
        json!({"file_path": "a", "x": 1}),
        "unknown field `x`",
    );
    refused(
        "Read",
        json!({"file_path": "/etc/passwd"}),
        "not in the workspace",
    );
    refused("Read", json!({"file_path": "../a"}), "not in the workspace");
    refused(
        "Read",
        json!({"file_path": "/workspacex/a"}),
        "not in the workspace",
    );
    refused(
        "Read",
        json!({"file_path": "a\u{0}b"}),
        "not in the workspace",
    );
    refused("Write", json!({"file_path": ".", "content": ""}), "a file");
    refused(
        "Write",
        json!({"file_path": ".git/config", "content": ""}),
        ".git",
    );
    refused(
        "Edit",
        json!({"file_path": "a", "old_string": "", "new_string": "b"}),
        "old_string",
    );
    refused(
        "Edit",
        json!({"file_path": "a", "old_string": "b", "new_string": "b"}),
        "same",
    );
    refused("Bash", json!({}), "command");
    refused("Bash", json!({"command": "a", "argv": ["a"]}), "one of");
    refused("Bash", json!({"argv": []}), "empty");
    refused("Bash", json!({"argv": ["a\u{0}"]}), "NUL");
    refused("Grep", json!({"pattern": "("}), "regular expression");
    refused(
        "CompareTables",
        json!({"left": "../a.csv", "right": "b.csv"}),
        "not in the workspace",
    );
    refused("Glob", json!({"pattern": "a["}), "pattern");
    refused("Glob", json!({"pattern": "../*"}), "..");
    refused("Overview", json!({"a": 1}), "takes no input");
    refused("Overview", json!([1]), "takes no input");
    refused("Branches", json!({"days": 0}), "`days` is 1 to");
    refused("LargeFiles", json!({"megabytes": -1}), "invalid value");
    refused("LargeFiles", json!({"mb": 1}), "unknown field");
    refused("Changes", json!({"since": "a\nb"}), "a tag, branch");
}

#[test]
fn the_view_is_kept() {
    let none = View::default();
    let reading = View {
        workspace: true,
        ..View::default()
    };
    let read = call("Read", json!({"file_path": "a"}));
    let host = call("HostFacts", json!({}));
    assert_eq!(
        plan(&read, &none),
        Err(PlanError::NoWorkspace { tool: "Read" })
    );
    assert!(plan(&read, &reading).is_ok());
    assert_eq!(
        plan(&host, &reading),
        Err(PlanError::NoHost { tool: "HostFacts" })
    );
}

/// Every tool with its class: what recovery does hangs on it.
#[test]
fn every_tool_has_its_class() {
    use protocol::effect::EffectClass::{self, *};
    let file = json!({"file_path": "a", "content": "b"});
    let edit = json!({"file_path": "a", "old_string": "b", "new_string": "c"});
    let post = |endpoint: &str| json!({"endpoint": endpoint, "method": "post", "path": "/x", "body": {"a": 1}});
    let sql = json!({"source": "shop", "statement": "SELECT 1"});
    let table: Vec<(&str, Value, EffectClass)> = vec![
        ("Read", json!({"file_path": "a"}), Pure),
        ("Write", file, Idempotent),
        ("Edit", edit, Probed),
        ("Bash", json!({"command": "ls"}), Contained),
        ("Glob", json!({"pattern": "*"}), Pure),
        ("Grep", json!({"pattern": "a"}), Pure),
        ("GitStatus", json!({}), Pure),
        ("GitDiff", json!({}), Pure),
        ("Tests", json!({}), Contained),
        ("Overview", json!({}), Pure),
        ("AgentFiles", json!({}), Pure),
        ("Secrets", json!({}), Pure),
        ("Marks", json!({}), Pure),
        ("Dependencies", json!({}), Pure),
        ("QuickChecks", json!({}), Contained),
        ("Profile", json!({"file_path": "a.csv"}), Pure),
        ("Unpushed", json!({}), Pure),
        ("Branches", json!({"days": 30}), Pure),
        ("LargeFiles", json!({"megabytes": 5}), Pure),
        ("Changes", json!({"since": "v1.0"}), Pure),
        ("Inventory", json!({}), Pure),
        ("Links", json!({}), Pure),
        ("Linters", json!({}), Contained),
        ("ProfileTable", json!({"of": "shop:orders"}), Pure),
        (
            "CompareTables",
            json!({"left": "a.csv", "right": "b.csv"}),
            Pure,
        ),
        ("SchemaOverview", json!({"of": "shop.db"}), Pure),
        ("DataQuality", json!({"of": "a.csv"}), Pure),
        ("FindDuplicates", json!({"of": "a.csv", "by": "id"}), Pure),
        ("HostFacts", json!({}), Pure),
        ("ListeningPorts", json!({}), Pure),
        ("LogErrors", json!({"since": "2 hours"}), Pure),
        ("CertificateExpiry", json!({"path": "/srv/certs"}), Pure),
        ("TimersAndCron", json!({}), Pure),
        ("DiskUsage", json!({"path": "/srv"}), Pure),
        ("PendingUpdates", json!({}), Pure),
        ("FailedLogins", json!({"since": "7 days"}), Pure),
        ("ServiceUnits", json!({}), Pure),
        ("ProcessTop", json!({"by": "cpu"}), Pure),
        ("BackupDatabase", json!({"source": "shop"}), Keyed),
        (
            "TryBackup",
            json!({"source": "shop", "file": "shop-1.db"}),
            Pure,
        ),
        ("CheckPage", json!({"url": "shop.example/a"}), Pure),
        (
            "HostCertificates",
            json!({"hosts": "shop.example, mail.example:993"}),
            Pure,
        ),
        ("GitCommit", json!({"message": "m"}), Keyed),
        (
            "GitPush",
            json!({"remote": "origin", "commit": "a1".repeat(20), "branch": "preview"}),
            Keyed,
        ),
        (
            "OpenPull",
            json!({"forge": "shop", "title": "t", "head": "a"}),
            Keyed,
        ),
        ("ListPulls", json!({"forge": "shop"}), Pure),
        (
            "StartWorkflow",
            json!({"forge": "shop", "workflow": "tests.yml", "branch": "a", "inputs": {"n": 1}}),
            Once,
        ),
        ("WorkflowRuns", json!({"forge": "shop"}), Pure),
        ("HttpRequest", json!({"endpoint": "hooks"}), Pure),
        ("HttpRequest", post("hooks"), Keyed),
        ("HttpRequest", post("plain"), Once),
        ("SqlQuery", sql.clone(), Pure),
        ("SqlExecute", sql, Keyed),
        ("Service", json!({"unit": "shop", "verb": "restart"}), Keyed),
        ("ServiceStatus", json!({"unit": "shop"}), Pure),
        (
            "PutSite",
            json!({"name": "shop", "names": "shop.example, www.shop.example", "root": "/srv/www"}),
            Keyed,
        ),
        ("RemoveSite", json!({"name": "shop"}), Keyed),
        ("SiteStatus", json!({"name": "shop"}), Pure),
        ("Certificates", json!({}), Pure),
        ("CertifySite", json!({"name": "shop"}), Keyed),
        ("RenewCertificate", json!({"name": "shop"}), Keyed),
        ("HostFile", json!({"path": "/etc/motd"}), Pure),
        (
            "PutFile",
            json!({"path": "/etc/motd", "text": "hello"}),
            Keyed,
        ),
        ("KeptFiles", json!({}), Pure),
        ("RestoreFile", json!({"kept": "k3"}), Keyed),
        ("SecurityUpdates", json!({}), Pure),
        ("InstalledPackages", json!({"packages": ["openssl"]}), Pure),
        (
            "InstallUpdates",
            json!({"packages": {"openssl": "3.0.20-1"}}),
            Keyed,
        ),
        ("Containers", json!({}), Pure),
        ("ContainerLogs", json!({"name": "db", "lines": 9}), Pure),
        ("Container", json!({"name": "db", "verb": "stop"}), Keyed),
        ("PullImage", json!({"image": "nginx:1.27"}), Keyed),
        ("HostRun", json!({"argv": ["id", "-u"]}), Keyed),
    ];
    for (tool, input, class) in &table {
        let act = plan(&call(tool, input.clone()), &ALL).unwrap();
        assert_eq!(act.effect, *class, "{tool} {input}");
        // What leave is asked for runs no file of a workspace: nobody can see in a ticket what a file will be by then.
        let asks = act.operation.kind().is_some();
        assert!(!(asks && crate::gate::runs_files(&act)), "{tool} {input}");
    }
    let bash = plan(&call("Bash", json!({"command": "make"})), &ALL).unwrap();
    assert!(crate::gate::runs_files(&bash));
    for tool in TOOLS {
        assert!(
            table.iter().any(|(name, ..)| *name == tool),
            "{tool} has no row"
        );
    }
}

#[test]
fn requests_stay_with_their_endpoint() {
    for path in ["/../x", "x", "//evil", "/%2e%2e/x"] {
        let input = json!({"endpoint": "hooks", "path": path});
        let planned = plan(&call("HttpRequest", input), &ALL);
        let url = planned.map(|act| act.hosts).unwrap_or_default();
        assert!(url.is_empty() || url == ["h.example"], "{path} {url:?}");
    }
    refused(
        "HttpRequest",
        json!({"endpoint": "hooks", "path": "@evil"}),
        "starts with /",
    );
    refused(
        "HttpRequest",
        json!({"endpoint": "hooks", "path": "/../x"}),
        "leads out",
    );
    refused(
        "HttpRequest",
        json!({"endpoint": "hooks", "body": "x"}),
        "a body",
    );
    refused(
        "SqlExecute",
        json!({"source": "s", "statement": "x", "params": [[1]]}),
        "plain values",
    );
}

#[test]
fn a_push_names_a_whole_commit_and_a_plain_branch() {
    let commit = "a1".repeat(20);
    let push = |more: Value| {
        let mut input = json!({"remote": "origin", "commit": commit});
        for (key, value) in more.as_object().unwrap() {
            input[key] = value.clone();
        }
        input
    };
    for (more, why) in [
        (json!({"commit": "HEAD"}), "whole id"),
        (json!({"commit": "--all"}), "whole id"),
        (json!({"branch": "+main"}), "plain name"),
        (json!({"branch": "a:main"}), "plain name"),
        (json!({"branch": "refs/heads/main"}), "plain name"),
        (json!({"force": true}), "unknown field"),
    ] {
        refused("GitPush", push(more), why);
    }
    refused(
        "OpenPull",
        json!({"forge": "f", "title": "a\nb", "head": "x"}),
        "one line",
    );
    refused(
        "OpenPull",
        json!({"forge": "f", "title": "a", "head": "me:x"}),
        "plain names",
    );
    let start =
        |inputs: Value| json!({"forge": "f", "workflow": "a.yml", "branch": "x", "inputs": inputs});
    refused("StartWorkflow", start(json!({"a": []})), "plain values");
    let path = json!({"forge": "f", "workflow": "../x", "branch": "x"});
    refused("StartWorkflow", path, "name of its file");
}

proptest! {
    #[test]
    fn paths_never_leave(path in "[./a-z\u{0} \\\\~%-]{0,40}") {
        if let Ok(clean) = paths::clean(&path) {
            prop_assert!(!clean.starts_with('/'));
            prop_assert!(clean.split('/').all(|part| part != ".." && !part.is_empty()));
            prop_assert_eq!(paths::clean(&clean), Ok(clean.clone()));
        }
    }

    #[test]
    fn what_is_read_lies_in_the_workspace_or_among_the_attached_files(
        path in "(/attachments|/workspace|)[./a-z\u{0} \\\\~%-]{0,30}"
    ) {
        let Ok(clean) = paths::readable(&path) else {
            return Ok(());
        };
        let attached = clean == "/attachments" || clean.starts_with("/attachments/");
        prop_assert!(attached || !clean.starts_with('/'), "{clean}");
        let inside = clean.strip_prefix('/').unwrap_or(&clean);
        prop_assert!(inside.split('/').all(|part| part != ".." && !part.is_empty()));
        prop_assert_eq!(paths::readable(&clean), Ok(clean.clone()));
        // Whatever may be read there, nothing is written there.
        let write = plan(&call("Write", json!({"file_path": path, "content": ""})), &ALL);
        prop_assert!(!(attached && write.is_ok()));
    }

    #[test]
    fn anything_is_answered(name in "[A-Za-z]{1,12}", text in ".{0,60}") {
        let _ = plan(&call(&name, json!({"file_path": text, "pattern": text})), &ALL);
        for tool in TOOLS {
            let _ = plan(&call(tool, json!(text)), &ALL);
        }
    }
}
