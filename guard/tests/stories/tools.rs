//! Toolchains and the built-in tools inside.

use super::*;

#[tokio::test]
async fn toolchains_are_seen() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        write(
            w,
            "Cargo.toml",
            "[package]\nname = \"t\"\nversion = \"0.1.0\"\nedition = \"2021\"\n",
        );
        write(
            w,
            "src/lib.rs",
            "#[test]\nfn good() {}\n#[test]\nfn bad() { panic!(\"no\") }\n",
        );
    });
    let cache = stage.dir.path().join("cache");
    std::fs::create_dir(&cache).unwrap();
    let owner = stage.clone.owner;
    std::os::unix::fs::chown(&cache, Some(owner.uid), Some(owner.gid)).unwrap();
    let mut spec = stage.spec();
    spec.toolchains = true;
    if let Kind::Workspace { cache: place, .. } = &mut spec.kind {
        *place = Some(cache.clone());
    }
    let mut executor = Executor::start(spec).await.unwrap();
    let said = sh(
        &mut executor,
        "python3 -c 'import sys, json, ssl; print(sys.version_info.major)'",
    )
    .await;
    assert_eq!(said, "3\n");
    let said = sh(&mut executor, "git --version && make --version | head -1").await;
    assert!(said.contains("git version"), "{said}");
    if home().join(".cargo").is_dir() {
        let tests = Operation::Tests {
            suite: Some("cargo".into()),
            dir: None,
            only: vec![],
            timeout_s: None,
        };
        let outcome = run(&mut executor, tests, LONG).await;
        assert!(!outcome.is_error, "{}", outcome.text);
        let data = &outcome.data;
        assert_eq!(
            (&data["passed"], &data["failed"]),
            (&1.into(), &1.into()),
            "{}",
            outcome.text
        );
        assert_eq!(data["failing"], serde_json::json!(["bad"]));
        assert_eq!(data["complete"], true);
        assert!(cache.join("cargo-target").is_dir());
    }
    executor.stop().await;
}

#[tokio::test]
async fn searches_find() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        write(w, ".gitignore", "skip/\n");
        write(w, "src/a.rs", "fn main() {}\nfn other() {}\n");
        write(w, "skip/b.rs", "fn main() {}\n");
        write(w, "README.md", "main\n");
    });
    let mut executor = stage.executor().await;
    let glob = Operation::Glob {
        pattern: "**/*.rs".into(),
        path: ".".into(),
    };
    let outcome = run(&mut executor, glob, LONG).await;
    assert_eq!(outcome.data["paths"], serde_json::json!(["src/a.rs"]));
    let grep = Operation::Grep {
        pattern: r"fn \w+".into(),
        path: ".".into(),
        glob: Some("*.rs".into()),
        limit: 1,
    };
    let outcome = run(&mut executor, grep, LONG).await;
    assert_eq!(outcome.data["total"], 2);
    assert_eq!(outcome.data["matches"][0]["line"], 1);
    assert_eq!(outcome.data["truncated"], true);
    executor.stop().await;
}

#[tokio::test]
async fn every_reader_answers() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        git(w, &["init", "-q"]);
        write(w, "a.csv", "x,y\n1,2\n");
        git(w, &["add", "."]);
        git(w, &["commit", "-qm", "first"]);
        write(w, "a.csv", "x,y\n1,3\n");
    });
    let mut executor = stage.executor().await;
    for operation in [
        Operation::Overview,
        Operation::AgentFiles,
        Operation::Secrets,
        Operation::Marks,
        Operation::Dependencies,
        Operation::GitStatus,
        Operation::GitDiff,
        Operation::QuickChecks,
        Operation::Tests {
            suite: None,
            dir: None,
            only: vec![],
            timeout_s: None,
        },
    ] {
        let name = operation.tool();
        let outcome = run(&mut executor, operation, LONG).await;
        assert!(
            !outcome.is_error && outcome.data.is_object(),
            "{name}: {}",
            outcome.text
        );
    }
    let outcome = run(&mut executor, Operation::Overview, LONG).await;
    assert_eq!(outcome.data["repository"], true, "{}", outcome.text);
    let missing = Operation::Bash {
        argv: vec!["no-such-program".into()],
        cwd: ".".into(),
        timeout_ms: None,
    };
    let outcome = run(&mut executor, missing, LONG).await;
    assert!(
        outcome.is_error && outcome.text.contains("no program"),
        "{}",
        outcome.text
    );
    executor.stop().await;
}
