//! A project's name: the same from every folder and every worktree of it, whatever its remotes
//! are called. Nothing is run and little is read, because a workspace may be hostile.

use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The stable name of the project a folder belongs to: the last part of its root's path and six
/// hex digits of the whole path, such as `shop-1a2b3c`. A folder outside any repository is a
/// project of its own.
pub fn project_of(workspace: &Path) -> String {
    let folder = fs::canonicalize(workspace).unwrap_or_else(|_| workspace.to_owned());
    let root = root_of(&folder).unwrap_or(folder);
    let digest = Sha256::digest(root.as_os_str().as_encoded_bytes());
    let name = name_of(&root);
    format!("{name}-{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2])
}

fn name_of(root: &Path) -> String {
    let name = root.file_name().unwrap_or_default().to_string_lossy();
    let plain: String = name
        .to_lowercase()
        .chars()
        .map(|c| if c.is_alphanumeric() { c } else { '-' })
        .take(40)
        .collect();
    match plain.trim_matches('-') {
        "" => "project".to_owned(),
        plain => plain.to_owned(),
    }
}

fn root_of(folder: &Path) -> Option<PathBuf> {
    let root = folder.ancestors().find(|at| at.join(".git").exists())?;
    Some(main_root(root).unwrap_or_else(|| root.to_owned()))
}

/// For a linked worktree the root of its main worktree; `None` for anything else. The main side
/// must point back, so that no workspace can pass itself off as another project's.
fn main_root(root: &Path) -> Option<PathBuf> {
    let link = root.join(".git");
    if !fs::symlink_metadata(&link).ok()?.is_file() {
        return None;
    }
    let private = root.join(first_line(&link)?.strip_prefix("gitdir:")?.trim());
    let private = fs::canonicalize(private).ok()?;
    let back = fs::canonicalize(private.join(first_line(&private.join("gitdir"))?)).ok()?;
    if back != fs::canonicalize(&link).ok()? {
        return None;
    }
    let common = private.join(first_line(&private.join("commondir"))?);
    let common = fs::canonicalize(common).ok()?;
    match common.file_name()? == ".git" {
        true => common.parent().map(Path::to_owned),
        false => Some(common),
    }
}

fn first_line(path: &Path) -> Option<String> {
    if !fs::symlink_metadata(path).ok()?.is_file() {
        return None;
    }
    let mut text = String::new();
    File::open(path)
        .ok()?
        .take(4096)
        .read_to_string(&mut text)
        .ok()?;
    text.lines().next().map(|line| line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use std::process::Command;

    fn git(dir: &Path, args: &[&str]) {
        let done = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.test"])
            .args(args)
            .current_dir(dir)
            .output()
            .unwrap();
        assert!(done.status.success(), "{done:?}");
    }

    #[test]
    fn folders_and_worktrees_of_a_project_share_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let shop = dir.path().join("My Shop");
        fs::create_dir_all(shop.join("src/deep")).unwrap();
        git(&shop, &["init", "-q"]);
        git(&shop, &["commit", "-q", "--allow-empty", "-m", "one"]);
        git(&shop, &["worktree", "add", "-q", "../feature"]);
        let name = project_of(&shop);
        assert!(name.starts_with("my-shop-"), "{name}");
        assert_eq!(project_of(&shop.join("src/deep")), name);
        assert_eq!(project_of(&dir.path().join("feature")), name);
        git(
            &shop,
            &["remote", "add", "origin", "https://example.test/x.git"],
        );
        assert_eq!(project_of(&shop), name);
    }

    #[test]
    fn other_folders_are_other_projects() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, liar) = (dir.path().join("victim"), dir.path().join("liar"));
        for folder in [&victim, &liar] {
            fs::create_dir(folder).unwrap();
        }
        git(&victim, &["init", "-q"]);
        git(&victim, &["commit", "-q", "--allow-empty", "-m", "one"]);
        git(&victim, &["worktree", "add", "-q", "../real"]);
        fs::copy(dir.path().join("real/.git"), liar.join(".git")).unwrap();
        let names = [
            &victim,
            &liar,
            &dir.path().to_owned(),
            &PathBuf::from("/"),
            &dir.path().join("gone"),
        ]
        .map(|folder| project_of(folder));
        for (at, name) in names.iter().enumerate() {
            assert!(!names[..at].contains(name), "{names:?}");
        }
    }
}
