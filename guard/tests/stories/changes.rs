//! Write, Edit, probes, snapshots, resets and patches.

use super::*;
use protocol::effect::ProbeAnswer;

fn edit(old: &str, new: &str) -> Operation {
    Operation::Edit {
        path: "a.txt".into(),
        old: old.into(),
        new: new.into(),
        all: false,
    }
}

#[tokio::test]
async fn an_edit_can_be_asked_about() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| write(w, "a.txt", "one two\n"));
    let mut executor = stage.executor().await;
    let act = Act::of(edit("two", "three"));
    let before = executor.before(&act).await.unwrap();
    assert_eq!(
        executor.probe(&act, &before).await.unwrap(),
        ProbeAnswer::Not
    );
    let outcome = run(&mut executor, edit("two", "three"), LONG).await;
    assert_eq!(outcome.data["sha256"], before["after"]);
    assert_eq!(
        executor.probe(&act, &before).await.unwrap(),
        ProbeAnswer::Happened
    );
    sh(&mut executor, "echo else > a.txt").await;
    assert_eq!(
        executor.probe(&act, &before).await.unwrap(),
        ProbeAnswer::Unknown
    );
    let failed = run(&mut executor, edit("missing", "x"), LONG).await;
    assert!(
        failed.is_error && failed.text.contains("not in a.txt"),
        "{}",
        failed.text
    );
    executor.stop().await;
}

#[tokio::test]
async fn files_are_read_and_written_in_the_workspace_only() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        write(w, "a.txt", "one\ntwo\n");
        std::os::unix::fs::symlink("/etc/passwd", w.join("out")).unwrap();
        std::os::unix::fs::symlink("a.txt", w.join("in")).unwrap();
    });
    let mut executor = stage.executor().await;
    let read = |path: &str| Operation::Read {
        path: path.into(),
        offset: 1,
        limit: 10,
    };
    let put = |path: &str| Operation::Write {
        path: path.into(),
        content: "new\n".into(),
    };
    let outcome = run(&mut executor, read("in"), LONG).await;
    assert_eq!(
        (&outcome.data["text"], &outcome.data["lines"]),
        (&"one\ntwo\n".into(), &2.into())
    );
    for operation in [read("out"), put("out"), read("none"), read(".")] {
        let outcome = run(&mut executor, operation, LONG).await;
        assert!(outcome.is_error, "{}", outcome.text);
    }
    let outcome = run(&mut executor, put("deep/er/b.txt"), LONG).await;
    assert_eq!(outcome.data["bytes"], 4);
    assert_eq!(
        sh(&mut executor, "cat deep/er/b.txt; stat -c %u deep/er/b.txt").await,
        format!("new\n{}\n", stage.clone.owner.uid)
    );
    executor.stop().await;
}

#[tokio::test]
async fn snapshot_reset_and_patch() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        write(w, ".gitignore", "ignored\n");
        write(w, ".gitattributes", "* text=auto\n*.bin filter=evil\n");
        write(w, "crlf.txt", "a\r\nb\r\n");
        write(w, "a.txt", "one\n");
        write(w, "sub/gone.txt", "gone\n");
        write(w, "ignored", "kept out\n");
        std::fs::write(w.join("x.bin"), [0_u8, 159, 146, 150]).unwrap();
    });
    let mut executor = stage.executor().await;
    let first = executor.snapshot().await.unwrap();
    assert_eq!(executor.snapshot().await.unwrap(), first);
    sh(&mut executor, "echo two > a.txt; rm -r sub; mkdir new; echo n > new/n; printf '\\0\\1' > x.bin; printf 'x\\r\\n' >> crlf.txt; chmod +x a.txt").await;
    let second = executor.snapshot().await.unwrap();
    assert_ne!(first, second);
    let patch = executor.patch(&first, &second).await.unwrap();
    for words in [
        "diff --git a/a.txt b/a.txt",
        "GIT binary patch",
        "+n\n",
        "deleted file",
        "new mode 100755",
    ] {
        assert!(patch.contains(words), "{words} is missing in {patch}");
    }
    assert_eq!(executor.patch(&first, &first).await.unwrap(), "");
    executor.reset(&first).await.unwrap();
    assert_eq!(executor.snapshot().await.unwrap(), first);
    let said = sh(&mut executor, "cat a.txt sub/gone.txt ignored; ls; od -c crlf.txt | head -1; test -x a.txt || echo not run").await;
    assert!(
        said.starts_with("one\ngone\nkept out\na.txt\ncrlf.txt\nignored\nsub\nx.bin\n"),
        "{said}"
    );
    assert!(
        said.contains("\\r") && said.ends_with("not run\n"),
        "{said}"
    );
    executor.reset(&second).await.unwrap();
    assert_eq!(
        sh(&mut executor, "cat a.txt new/n; ls sub 2>/dev/null; true").await,
        "two\nn\n"
    );
    assert!(executor.reset("--help").await.is_err());
    assert!(executor.patch("HEAD", &first).await.is_err());
    executor.stop().await;
}

#[tokio::test]
async fn what_is_tracked_or_written_by_name_comes_home_though_it_is_ignored() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        git(w, &["init", "-q"]);
        write(w, ".gitignore", "conf/\n.env\n*.log\n");
        write(w, "conf/tracked.js", "one\n");
        write(w, "conf/other.js", "one\n");
        git(w, &["add", ".gitignore"]);
        git(w, &["add", "-f", "conf/tracked.js"]);
        git(w, &["commit", "-qm", "first"]);
    });
    let mut executor = stage.executor().await;
    let first = executor.snapshot().await.unwrap();
    sh(
        &mut executor,
        "echo two > conf/tracked.js; echo two > conf/other.js; echo x > made.log",
    )
    .await;
    for path in [".env", "deep/x.log"] {
        let put = Operation::Write {
            path: path.into(),
            content: "written\n".into(),
        };
        assert!(!run(&mut executor, put, LONG).await.is_error);
    }
    let second = executor.snapshot().await.unwrap();
    let patch = executor.patch(&first, &second).await.unwrap();
    let names: Vec<&str> = patch
        .lines()
        .filter_map(|line| line.strip_prefix("diff --git a/")?.split(" b/").next())
        .collect();
    assert_eq!(names, [".env", "conf/tracked.js", "deep/x.log"], "{patch}");
    executor.reset(&first).await.unwrap();
    assert_eq!(executor.snapshot().await.unwrap(), first);
    let said = sh(&mut executor, "cat conf/*.js made.log; ls -A").await;
    assert!(said.starts_with("two\none\nx\n"), "{said}");
    assert!(!said.contains(".env") && !said.contains("deep"), "{said}");
    executor.stop().await;
}

#[tokio::test]
async fn a_reset_also_undoes_a_commit() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        git(w, &["init", "-q"]);
        write(w, "a.txt", "one\n");
        git(w, &["add", "."]);
        git(w, &["commit", "-qm", "first"]);
    });
    let mut executor = stage.executor().await;
    let head = "git rev-parse HEAD; git status --porcelain; git branch --list; ls .git/index.lock 2>/dev/null; true";
    let before = sh(&mut executor, head).await;
    let tree = executor.snapshot().await.unwrap();
    let said = sh(&mut executor, "echo two > a.txt && git checkout -qb other && git commit -qam second && touch .git/index.lock && git log --oneline | wc -l").await;
    assert_eq!(said, "2\n");
    executor.reset(&tree).await.unwrap();
    assert_eq!(sh(&mut executor, head).await, before);
    executor.stop().await;
}
