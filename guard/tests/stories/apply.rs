//! A patch comes home whole or not at all, and nothing of the workspace runs.

use super::*;
use guard::apply::{ApplyError, ApplyOutcome, ControlFiles};
use std::os::unix::fs::PermissionsExt;

fn shop(w: &Path) {
    write(w, "a.txt", "one\ntwo\nthree\n");
    write(w, "sub/gone.txt", "gone\n");
    write(w, "same.txt", "same\n");
    std::fs::write(w.join("x.bin"), [0_u8, 1, 2]).unwrap();
}

async fn apply(exe: &Path, workspace: &Path, patch: &str) -> Result<ApplyOutcome, ApplyError> {
    guard::apply::apply(exe, workspace, patch, ControlFiles::Refused).await
}

/// Does something in a clone of the workspace and answers the patch.
async fn patch_of(stage: &Stage, command: &str) -> String {
    let mut executor = stage.executor().await;
    let before = executor.snapshot().await.unwrap();
    let outcome = run(&mut executor, shell(command), LONG).await;
    assert!(!outcome.is_error, "{}", outcome.text);
    let after = executor.snapshot().await.unwrap();
    let patch = executor.patch(&before, &after).await.unwrap();
    executor.stop().await;
    patch
}

#[tokio::test]
async fn it_comes_home() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(shop);
    let patch = patch_of(&stage, "sed -i s/two/2/ a.txt; rm -r sub; mkdir -p d/e; echo n > 'd/e/n ä.txt'; printf '\\0\\7' > x.bin; ln -s a.txt link; chmod +x same.txt; : > empty").await;
    write(&stage.workspace, "other.txt", "of the user\n");
    let outcome = apply(&exe(), &stage.workspace, &patch).await.unwrap();
    assert_eq!(
        outcome.changed,
        [
            "a.txt",
            "d/e/n ä.txt",
            "empty",
            "link",
            "same.txt",
            "sub/gone.txt",
            "x.bin"
        ]
    );
    let w = &stage.workspace;
    assert_eq!(
        std::fs::read_to_string(w.join("a.txt")).unwrap(),
        "one\n2\nthree\n"
    );
    assert_eq!(
        std::fs::read_to_string(w.join("d/e/n ä.txt")).unwrap(),
        "n\n"
    );
    assert_eq!(std::fs::read(w.join("x.bin")).unwrap(), [0, 7]);
    assert_eq!(
        std::fs::read_link(w.join("link")).unwrap(),
        Path::new("a.txt")
    );
    assert_eq!(
        std::fs::metadata(w.join("same.txt"))
            .unwrap()
            .permissions()
            .mode()
            & 0o777,
        0o755
    );
    assert!(!w.join("sub").exists() && w.join("other.txt").exists());
    let names: Vec<_> = std::fs::read_dir(w)
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    assert!(
        names
            .iter()
            .all(|n| !n.to_string_lossy().starts_with(".ai-infra")),
        "{names:?}"
    );
    let again = apply(&exe(), w, &patch).await.unwrap_err();
    assert!(matches!(again, ApplyError::Conflict(_)), "{again}");
    assert_eq!(apply(&exe(), w, "").await.unwrap().changed.len(), 0);
}

#[tokio::test]
async fn a_conflict_changes_nothing() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(shop);
    let patch = patch_of(&stage, "sed -i s/two/2/ a.txt; echo x >> same.txt").await;
    write(&stage.workspace, "a.txt", "all new\n");
    let error = apply(&exe(), &stage.workspace, &patch).await.unwrap_err();
    assert!(matches!(error, ApplyError::Conflict(_)), "{error}");
    assert_eq!(
        std::fs::read_to_string(stage.workspace.join("a.txt")).unwrap(),
        "all new\n"
    );
    assert_eq!(
        std::fs::read_to_string(stage.workspace.join("same.txt")).unwrap(),
        "same\n"
    );
}

#[tokio::test]
async fn a_link_in_the_way_is_not_followed() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(shop);
    let patch = patch_of(&stage, "mkdir d; echo n > d/n").await;
    let outside = stage.dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::os::unix::fs::symlink(&outside, stage.workspace.join("d")).unwrap();
    let error = apply(&exe(), &stage.workspace, &patch).await.unwrap_err();
    assert!(!matches!(error, ApplyError::HalfWay { .. }), "{error}");
    assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0);
}

#[tokio::test]
async fn a_hostile_patch_is_refused() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(shop);
    for path in ["../x", ".git/hooks/pre-commit", "/etc/x"] {
        let patch = format!(
            "diff --git a/{path} b/{path}\nnew file mode 100755\n--- /dev/null\n+++ b/{path}\n@@ -0,0 +1 @@\n+x\n"
        );
        let error = apply(&exe(), &stage.workspace, &patch).await.unwrap_err();
        assert!(matches!(error, ApplyError::NotAPatch(_)), "{path}: {error}");
    }
    let lying = "diff --git a/a.txt b/a.txt\n--- /dev/null\n+++ b/../../x\n@@ -0,0 +1 @@\n+x\n";
    assert!(apply(&exe(), &stage.workspace, lying).await.is_err());
    assert!(!stage.dir.path().join("x").exists());
}

#[tokio::test]
async fn control_files_come_home_only_where_a_person_has_read_them() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        shop(w);
        write(w, ".vscode/tasks.json", "{}\n");
        write(w, ".npmrc", "loglevel=warn\n");
        write(w, "fixture.git/HEAD", "ref: refs/heads/main\n");
    });
    let patch = patch_of(
        &stage,
        "sed -i s/two/2/ a.txt; mkdir -p web/.claude; echo '{}' > web/.claude/settings.json; echo registry=x >> .npmrc; \
         printf '[core]\\n\\tfsmonitor = touch /tmp/x\\n' > fixture.git/config; ln -s /etc/passwd link",
    )
    .await;
    let error = apply(&exe(), &stage.workspace, &patch).await.unwrap_err();
    let ApplyError::Control(found) = &error else {
        panic!("{error}");
    };
    let names: Vec<&str> = found.iter().map(|file| file.path.as_str()).collect();
    let expected = [
        ".npmrc",
        "fixture.git/config",
        "link",
        "web/.claude/settings.json",
    ];
    assert_eq!(names, expected, "{error}");
    let w = &stage.workspace;
    let text = |name: &str| std::fs::read_to_string(w.join(name)).unwrap();
    assert!(text("a.txt").contains("two"), "nothing was changed");
    let read = ControlFiles::Read;
    let done = guard::apply::apply(&exe(), w, &patch, read).await.unwrap();
    assert_eq!(done.changed.len(), 5);
    assert!(text(".npmrc").contains("registry=x") && text("a.txt").contains('2'));
}

#[tokio::test]
async fn what_an_editor_obeys_already_is_read_only_for_a_task() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        shop(w);
        write(w, ".vscode/tasks.json", "{}\n");
        write(w, ".mcp.json", "{}\n");
        write(
            w,
            "sub/.envrc",
            "below the top: looked at when it comes home\n",
        );
        std::os::unix::fs::symlink("/etc", w.join(".idea")).unwrap();
    });
    let patch = patch_of(
        &stage,
        "cat .vscode/tasks.json .mcp.json; ! echo x >> .vscode/tasks.json; ! rm -rf .vscode; ! mv .vscode w; ! echo x > .vscode/new; \
         ! echo x > .mcp.json; ! rm .mcp.json; echo x >> sub/.envrc; git status --short | cat",
    )
    .await;
    assert!(patch.contains("sub/.envrc"), "{patch}");
    assert!(
        !patch.contains(".vscode") && !patch.contains(".mcp.json"),
        "{patch}"
    );
    let mut executor = stage.executor().await;
    for file in [".mcp.json", ".vscode/tasks.json"] {
        let write = Operation::Write {
            path: file.into(),
            content: "x".into(),
        };
        let outcome = run(&mut executor, write, LONG).await;
        assert!(outcome.text.contains("obey"), "{}", outcome.text);
    }
    executor.stop().await;
}
