//! Repositories made by git itself, with commits of long ago.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, dead_code)]

use inspect::repos::Ask;
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use std::path::Path;
use std::process::Command;

pub const NOW: &str = "2026-11-01T12:00:00Z";

pub fn now() -> Timestamp {
    NOW.parse().unwrap()
}

pub fn run(folder: &Path, env: &[(&str, String)], words: &[&str]) -> Result<String, String> {
    let mut command = Command::new("git");
    command
        .args([
            "-c",
            "user.name=Ann",
            "-c",
            "user.email=a@b",
            "-c",
            "init.defaultBranch=main",
        ])
        .args([
            "-c",
            "protocol.file.allow=always",
            "-c",
            "commit.gpgSign=false",
        ])
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    for (name, value) in env {
        command.env(name, value);
    }
    let output = command.output().expect("git runs");
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

pub fn git(folder: &Path, words: &[&str]) -> String {
    run(folder, &[], words).unwrap_or_else(|why| panic!("git {words:?}: {why}"))
}

/// As a command of long ago.
pub fn dated(folder: &Path, days_ago: i64, words: &[&str]) -> String {
    let at = (now() - (24 * days_ago).hours()).to_string();
    let env = [("GIT_COMMITTER_DATE", at.clone()), ("GIT_AUTHOR_DATE", at)];
    run(folder, &env, words).unwrap_or_else(|why| panic!("git {words:?}: {why}"))
}

pub fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

pub fn commit(folder: &Path, days_ago: i64, file: &str, text: &str) {
    write(folder, file, text);
    git(folder, &["add", "-A"]);
    dated(
        folder,
        days_ago,
        &["commit", "-qm", &format!("change {file}")],
    );
}

pub fn repository(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    git(folder, &["init", "-q"]);
    commit(folder, 400, "README.md", "hello\n");
}

/// A repository that follows a remote and has everything there.
pub fn pushed(all: &Path, name: &str) -> std::path::PathBuf {
    let folder = all.join(name);
    repository(&folder);
    let bare = all.join(format!("remotes/{name}.git"));
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
    git(&folder, &["remote", "set-head", "origin", "main"]);
    folder
}

pub fn ask(question: &Ask) -> Result<String, String> {
    let env: Vec<(&str, String)> = match &question.borrow {
        None => Vec::new(),
        Some(store) => {
            let scratch =
                std::env::temp_dir().join(format!("scratch-objects-{}", std::process::id()));
            std::fs::create_dir_all(&scratch).unwrap();
            vec![
                ("GIT_OBJECT_DIRECTORY", scratch.display().to_string()),
                (
                    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
                    store.display().to_string(),
                ),
            ]
        }
    };
    let words: Vec<&str> = question.words.iter().map(String::as_str).collect();
    run(&question.folder, &env, &words)
}

pub fn told(value: impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}
