//! A clone says what its workspace says, and takes nothing it should not.

use super::*;
use std::os::unix::fs::PermissionsExt;

fn dirty_repository(w: &Path) {
    git(w, &["init", "-q"]);
    write(w, ".gitignore", "target/\n*.log\n");
    write(w, "a.txt", "one\n");
    write(w, "b.txt", "two\n");
    write(w, "sub/c.txt", "three\n");
    git(w, &["add", "."]);
    git(w, &["commit", "-qm", "first"]);
    write(w, "a.txt", "changed\n");
    write(w, "staged.txt", "staged\n");
    git(w, &["add", "staged.txt"]);
    write(w, "new/untracked.txt", "untracked\n");
    write(w, "x.log", "ignored\n");
    write(w, "target/big", "made\n");
    std::fs::remove_file(w.join("b.txt")).unwrap();
    std::os::unix::fs::symlink("a.txt", w.join("link")).unwrap();
}

const STATUS: [&str; 4] = [
    "status",
    "--porcelain=v1",
    "--branch",
    "--untracked-files=all",
];

#[tokio::test]
async fn status_is_the_same() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(dirty_repository);
    let mut executor = stage.executor().await;
    let said = sh(
        &mut executor,
        "git status --porcelain=v1 --branch --untracked-files=all",
    )
    .await;
    assert_eq!(said, git(&stage.workspace, &STATUS));
    let said = sh(
        &mut executor,
        "git log --format=%s; git diff --stat | tail -1; cat x.log; ls target; readlink link",
    )
    .await;
    assert!(
        said.starts_with("first\n") && said.contains("ignored\n") && said.contains("a.txt\n"),
        "{said}"
    );
    assert!(said.contains("cannot access 'target'"), "{said}");
    let said = sh(
        &mut executor,
        "git add -A && git commit -qm second && git gc -q && git log --oneline | wc -l && git fsck",
    )
    .await;
    assert!(said.starts_with("2\n"), "{said}");
    assert_eq!(git(&stage.workspace, &["log", "--format=%s"]), "first\n");
    let outcome = run(&mut executor, Operation::GitStatus, LONG).await;
    assert_eq!(outcome.data["repository"], true, "{}", outcome.text);
    executor.stop().await;
}

#[tokio::test]
async fn a_linked_worktree_is_a_repository_too() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        let main = w.parent().unwrap().join("main");
        std::fs::create_dir(&main).unwrap();
        dirty_repository(&main);
        std::fs::remove_dir(w).unwrap();
        git(
            &main,
            &["worktree", "add", "-qb", "side", w.to_str().unwrap()],
        );
        write(w, "a.txt", "on the side\n");
    });
    let mut executor = stage.executor().await;
    let said = sh(
        &mut executor,
        "git status --porcelain=v1 --branch --untracked-files=all",
    )
    .await;
    assert_eq!(said, "## side\n M a.txt\n");
    executor.stop().await;
}

#[tokio::test]
async fn a_git_file_that_points_elsewhere_is_not_followed() {
    let stage = Stage::new(|w| {
        let other = w.parent().unwrap().join("private");
        std::fs::create_dir(&other).unwrap();
        dirty_repository(&other);
        write(w, ".git", &format!("gitdir: {}/.git\n", other.display()));
    });
    assert_eq!(stage.clone.read_only, []);
    assert!(
        stage.clone.left_out[0].contains("plain folder"),
        "{:?}",
        stage.clone.left_out
    );
}

#[tokio::test]
async fn hooks_and_commands_of_the_config_stay_behind() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        dirty_repository(w);
        write(
            w,
            ".git/hooks/pre-commit",
            "#!/bin/sh\ntouch /workspace/HOOKED\n",
        );
        std::fs::set_permissions(
            w.join(".git/hooks/pre-commit"),
            PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        git(
            w,
            &["config", "core.fsmonitor", "touch /workspace/HOOKED; true"],
        );
        git(w, &["config", "alias.st", "!touch /workspace/HOOKED"]);
    });
    let mut executor = stage.executor().await;
    run(&mut executor, Operation::GitStatus, LONG).await;
    sh(&mut executor, "git status; git st; git commit -qam x").await;
    assert!(!stage.clone.work.join("HOOKED").exists());
    executor.stop().await;
}

#[tokio::test]
async fn heavy_folders_are_shown_read_only() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        write(w, "package.json", "{}");
        write(w, "node_modules/left/index.js", "1\n");
        write(w, "web/node_modules/right/index.js", "2\n");
        write(w, "__pycache__/x.pyc", "");
    });
    let mut executor = stage.executor().await;
    let said = sh(&mut executor, "cat node_modules/left/index.js web/node_modules/right/index.js; touch node_modules/left/x && echo WROTE; ls").await;
    assert!(
        said.starts_with("1\n2\nnode_modules\npackage.json\nweb\n"),
        "{said}"
    );
    assert!(!said.contains("WROTE"), "{said}");
    // Runners keep caches beside the packages; what they write is neither kept nor the user's.
    let said = sh(
        &mut executor,
        "mkdir -p node_modules/.cache && echo kept > node_modules/.cache/x; cat node_modules/.cache/x; touch /dev/shm/x && echo shared",
    )
    .await;
    assert!(said.starts_with("kept\nshared\n"), "{said}");
    assert!(!stage.workspace.join("node_modules/.cache").exists());
    let one = executor.snapshot().await.unwrap();
    executor.reset(&one).await.unwrap();
    assert!(
        sh(&mut executor, "cat node_modules/left/index.js")
            .await
            .starts_with('1')
    );
    executor.stop().await;
}

#[test]
fn modes_times_and_odd_files() {
    let stage = Stage::new(|w| {
        write(w, "run.sh", "x");
        std::fs::set_permissions(w.join("run.sh"), PermissionsExt::from_mode(0o4755)).unwrap();
        let old =
            std::time::SystemTime::UNIX_EPOCH + Duration::from_nanos(1_234_567_890_123_456_789);
        std::fs::File::open(w.join("run.sh"))
            .unwrap()
            .set_modified(old)
            .unwrap();
        nix::unistd::mkfifo(&w.join("pipe"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::os::unix::fs::symlink("/etc/passwd", w.join("out")).unwrap();
    });
    let copy = std::fs::metadata(stage.clone.work.join("run.sh")).unwrap();
    assert_eq!(copy.permissions().mode() & 0o7777, 0o755);
    let original = std::fs::metadata(stage.workspace.join("run.sh")).unwrap();
    assert_eq!(copy.modified().unwrap(), original.modified().unwrap());
    assert!(
        stage
            .clone
            .work
            .join("out")
            .symlink_metadata()
            .unwrap()
            .is_symlink()
    );
    assert!(stage.clone.work.join("pipe").symlink_metadata().is_err());
}

#[test]
fn a_finished_clone_is_taken_and_an_unfinished_one_made_again() {
    let stage = Stage::new(|w| write(w, "a", "1"));
    let task = stage.dir.path().join("t1");
    std::fs::write(stage.clone.work.join("mine"), "kept").unwrap();
    let again = clone::make(&stage.workspace, &task, stage.clone.owner).unwrap();
    assert_eq!(again, stage.clone);
    assert!(again.work.join("mine").exists());
    std::fs::remove_file(task.join("clone.json")).unwrap();
    let again = clone::make(&stage.workspace, &task, stage.clone.owner).unwrap();
    assert!(!again.work.join("mine").exists() && again.work.join("a").exists());
    clone::remove(&task).unwrap();
    assert!(!task.exists() && stage.workspace.exists());
    clone::remove(&task).unwrap();
}
