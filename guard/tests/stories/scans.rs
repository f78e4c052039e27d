//! Scans of this host in their real sandbox, held against what the test itself planted on it.

use super::*;
use guard::host_view::HostView;
use guard::plan::{View, plan};
use protocol::tool::ToolCall;
use serde_json::{Value, json};

/// Runs one scan in the sandbox that a task would open for it.
async fn scan(tool: &str, input: Value) -> Outcome {
    let stage = Stage::new(|_| {});
    let call = ToolCall {
        id: "c".into(),
        name: tool.into(),
        input,
    };
    let view = View {
        host: true,
        ..View::default()
    };
    let act = plan(&call, &view).unwrap();
    let mut spec = stage.spec();
    spec.kind = Kind::Scan(HostView::for_operation(&act.operation).unwrap());
    let mut executor = Executor::start(spec).await.unwrap();
    let outcome = run(&mut executor, act.operation, LONG).await;
    let shell = Act::of(shell("id"));
    let Decision::Allow(leave) = judge(&shell, &grant(Level::Standard)) else {
        panic!("allowed");
    };
    let refused = executor.run(&shell, leave, LONG).await.unwrap_err();
    assert!(refused.to_string().contains("nothing else"), "{refused}");
    executor.stop().await;
    outcome
}

fn root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[tokio::test]
async fn a_port_that_was_opened_is_found_with_its_program() {
    if !can_sandbox() {
        return;
    }
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let outcome = scan("ListeningPorts", json!({})).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    let found = outcome.data["listening"].as_array().unwrap();
    let own = found.iter().find(|p| p["port"] == port).expect("the port");
    assert_eq!(own["reach"], "host");
    if root() {
        assert_eq!(own["pid"], std::process::id());
    } else {
        assert!(own["pid"].is_null(), "{own}");
        assert!(outcome.data["unowned"].as_u64().unwrap() > 0);
    }
    drop(listener);
    let after = scan("ListeningPorts", json!({})).await;
    let found = after.data["listening"].as_array().unwrap();
    assert!(
        found
            .iter()
            .all(|p| p["port"] != port || p["pid"] != std::process::id())
    );
}

#[tokio::test]
async fn logs_are_read_where_the_user_may_read_them() {
    if !can_sandbox() {
        return;
    }
    let outcome = scan("LogErrors", json!({"since": "7 days"})).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    let of = |path: &str| std::fs::metadata(path).is_ok();
    assert!(!of("/var/log") || outcome.data["logs"].is_u64());
    let outcome = scan("LogErrors", json!({"since": "soon"})).await;
    assert!(
        outcome.is_error && outcome.text.contains("yesterday"),
        "{}",
        outcome.text
    );
}

#[tokio::test]
async fn a_deleted_file_that_is_held_open_is_found() {
    if !can_sandbox() {
        return;
    }
    // A folder that a service user may enter.
    let dir = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let path = dir.path().join("held.log");
    std::fs::write(&path, vec![b'x'; 3 << 20]).unwrap();
    std::fs::write(dir.path().join("kept"), vec![b'x'; 1 << 20]).unwrap();
    let held = std::fs::File::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    let outcome = scan("DiskUsage", json!({"path": dir.path()})).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    assert_eq!(outcome.data["files"], 1, "{}", outcome.text);
    let deleted = outcome.data["deleted"].as_array().unwrap();
    let own = deleted.iter().find(|d| d["path"] == path.to_str().unwrap());
    assert_eq!(own.is_some(), root(), "{}", outcome.text);
    drop(held);
}

/// A root install reads what only root may, and nothing that is not shown.
#[tokio::test]
async fn certificates_are_read_where_only_root_may() {
    if !can_sandbox() {
        return;
    }
    let dir = tempfile::tempdir().unwrap(); // 0700
    std::fs::write(dir.path().join("x.pem"), "no certificate").unwrap();
    let outcome = scan("CertificateExpiry", json!({"path": dir.path()})).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    assert_eq!(outcome.data["files"], 1, "{}", outcome.text);
    let outcome = scan("CertificateExpiry", json!({})).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    let outcome = scan("TimersAndCron", json!({})).await;
    assert!(!outcome.is_error, "{}", outcome.text);
}
