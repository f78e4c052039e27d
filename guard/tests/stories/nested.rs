//! A folder of repositories: each answers inside as it does outside, and nothing of the user's is
//! written or started.

use super::*;

fn pushed(all: &Path, name: &str) -> PathBuf {
    let (folder, bare) = (all.join(name), all.join(format!("{name}.git")));
    std::fs::create_dir_all(&folder).unwrap();
    git(&folder, &["init", "-q"]);
    write(&folder, "a.txt", "one\n");
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "-qm", "first"]);
    git(
        all,
        &[
            "clone",
            "-q",
            "--bare",
            folder.to_str().unwrap(),
            bare.to_str().unwrap(),
        ],
    );
    git(
        &folder,
        &["remote", "add", "origin", bare.to_str().unwrap()],
    );
    git(&folder, &["fetch", "-q", "origin"]);
    git(&folder, &["branch", "-q", "-u", "origin/main", "main"]);
    folder
}

#[tokio::test]
async fn repositories_below_the_workspace_are_told_truly() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        pushed(w, "clean");
        let ahead = pushed(w, "ahead");
        write(&ahead, "b.txt", "two\n");
        git(&ahead, &["add", "."]);
        git(&ahead, &["commit", "-qm", "second"]);
        let dirty = pushed(w, "deep/dirty");
        for text in ["stashed\n", "changed\n"] {
            write(&dirty, "a.txt", text);
            if text == "stashed\n" {
                git(&dirty, &["stash", "-q"]);
            }
        }
        git(&dirty, &["worktree", "add", "-qb", "side", "../side"]);
        write(&w.join("deep/side"), "new.txt", "x");
        // What a repository's own configuration and hooks would start.
        write(&dirty, ".gitattributes", "* filter=evil\n");
        git(
            &dirty,
            &[
                "config",
                "filter.evil.clean",
                "touch /workspace/started; cat",
            ],
        );
        git(
            &dirty,
            &["config", "core.fsmonitor", "touch /workspace/started; true"],
        );
        git(
            &dirty,
            &["config", "remote.origin.url", "https://secret-token@host/x"],
        );
    });
    let mut executor = stage.executor().await;
    let outcome = run(&mut executor, Operation::Unpushed, LONG).await;
    let told: Vec<String> = outcome.data["work"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| {
            format!(
                "{} {} {} {} {}",
                w["path"], w["changed"], w["untracked"], w["stashes"], w["commits"]
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            "\"ahead\" 0 0 0 1",
            "\"deep/dirty\" 1 1 1 0",
            "\"deep/side\" 0 1 0 0"
        ],
        "{}",
        outcome.text
    );
    assert_eq!(
        outcome.data["unread"],
        serde_json::json!([]),
        "{}",
        outcome.text
    );
    let said = sh(
        &mut executor,
        "ls started 2>/dev/null; cat deep/dirty/.git/config; cd clean && echo 2 > b && git add b && git commit -qm in-clone && git log --oneline | wc -l && git fsck 2>&1 | head -3",
    )
    .await;
    assert!(
        !said.contains("started") && !said.contains("evil") && !said.contains("secret"),
        "{said}"
    );
    assert!(said.trim_end().ends_with('2'), "{said}");
    assert_eq!(
        git(&stage.workspace.join("clean"), &["log", "--format=%s"]),
        "first\n"
    );
    executor.stop().await;
}

#[tokio::test]
async fn what_a_task_does_in_a_repository_of_the_folder_comes_home() {
    if !can_sandbox() {
        return;
    }
    let stage = Stage::new(|w| {
        let shop = pushed(w, "shop");
        write(&shop, ".gitignore", "made\n\"quo\"ted\n");
        pushed(&shop, "\"quo\"ted");
        write(&shop, "made", "left alone\n");
        pushed(&shop, "vendor/lib");
    });
    let mut executor = stage.executor().await;
    let first = executor.snapshot().await.unwrap();
    assert_eq!(executor.snapshot().await.unwrap(), first);
    sh(
        &mut executor,
        "echo two >> shop/a.txt; echo x > shop/made; echo x > 'shop/\"quo\"ted/b.txt'; echo deep > shop/vendor/lib/b.txt; rm shop/vendor/lib/a.txt
         git init -q fresh; echo new > fresh/n.txt; git init -q 'od*d'; echo odd > 'od*d/o'
         mkdir committed && cd committed && git init -q && echo c > c.txt && git add . && git commit -qm one",
    )
    .await;
    let second = executor.snapshot().await.unwrap();
    assert_eq!(executor.snapshot().await.unwrap(), second);
    let patch = executor.patch(&first, &second).await.unwrap();
    let mut names: Vec<&str> = patch
        .lines()
        .filter_map(|line| line.strip_prefix("diff --git a/")?.split(" b/").next())
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "committed/c.txt",
            "fresh/n.txt",
            "od*d/o",
            "shop/a.txt",
            "shop/vendor/lib/a.txt",
            "shop/vendor/lib/b.txt"
        ],
        "{patch}"
    );
    executor.reset(&first).await.unwrap();
    let said = sh(
        &mut executor,
        "cat shop/a.txt shop/vendor/lib/a.txt; ls fresh committed; cd shop && git status --short",
    )
    .await;
    assert!(said.starts_with("one\none\n"), "{said}");
    assert!(!said.contains("n.txt") && !said.contains(" M "), "{said}");
    assert_eq!(executor.snapshot().await.unwrap(), first);
    executor.reset(&second).await.unwrap();
    assert_eq!(executor.snapshot().await.unwrap(), second);
    // One that goes, and one that is none any more.
    sh(&mut executor, "rm -rf shop/vendor/lib committed/.git").await;
    let third = executor.snapshot().await.unwrap();
    let gone = executor.patch(&second, &third).await.unwrap();
    assert_eq!(gone.matches("diff --git").count(), 1, "{gone}");
    assert!(gone.contains("shop/vendor/lib/b.txt"), "{gone}");
    executor.stop().await;
    let read = guard::apply::ControlFiles::Refused;
    guard::apply::apply(&exe(), &stage.workspace, &patch, read)
        .await
        .unwrap();
    let at = |path: &str| std::fs::read_to_string(stage.workspace.join(path));
    assert_eq!(at("shop/a.txt").unwrap(), "one\ntwo\n");
    assert_eq!(at("fresh/n.txt").unwrap(), "new\n");
    assert!(at("shop/vendor/lib/a.txt").is_err());
    assert!(!stage.workspace.join("fresh/.git").exists());
}
