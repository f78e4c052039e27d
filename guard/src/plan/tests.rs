//! Tables of calls and what they are planned as.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;
use serde_json::json;

const ALL: View = View {
    workspace: true,
    writable: true,
    host: true,
};

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
    refused("Glob", json!({"pattern": "a["}), "pattern");
    refused("Glob", json!({"pattern": "../*"}), "..");
    refused("Overview", json!({"a": 1}), "takes no input");
    refused("Overview", json!([1]), "takes no input");
}

#[test]
fn the_view_is_kept() {
    let none = View {
        workspace: false,
        writable: false,
        host: false,
    };
    let reading = View {
        workspace: true,
        ..none
    };
    let read = call("Read", json!({"file_path": "a"}));
    let write = call("Write", json!({"file_path": "a", "content": ""}));
    let host = call("HostFacts", json!({}));
    assert_eq!(
        plan(&read, &none),
        Err(PlanError::NoWorkspace { tool: "Read" })
    );
    assert!(plan(&read, &reading).is_ok());
    assert_eq!(
        plan(&write, &reading),
        Err(PlanError::ReadOnly { tool: "Write" })
    );
    assert_eq!(
        plan(&host, &reading),
        Err(PlanError::NoHost { tool: "HostFacts" })
    );
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
    fn anything_is_answered(name in "[A-Za-z]{1,12}", text in ".{0,60}") {
        let _ = plan(&call(&name, json!({"file_path": text, "pattern": text})), &ALL);
        for tool in TOOLS {
            let _ = plan(&call(tool, json!(text)), &ALL);
        }
    }
}
