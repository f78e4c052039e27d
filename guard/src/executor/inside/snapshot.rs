//! Snapshots of the clone in a private repository outside of it. A snapshot is named by its tree's
//! hash. Git's own state in the clone (head, branches, index) is kept beside it, so that a reset
//! also undoes a commit; that of repositories inside the workspace is not. What it holds is
//! [`gather`](super::gather)'s; other files named by `.gitignore` are not kept and not reset.

use super::gather::Gather;
use super::git::QUIET;
use super::locks;
use super::place;
use super::program::{Ended, Leash, Program};
use crate::executor::wire::PATCH_BYTES;
use crate::sandbox::spec::{KEPT_OBJECTS, OBJECTS, SNAPSHOTS, WORKSPACE};
use std::fs;
use std::path::{Path, PathBuf};

/// Paths of `.git` that are not state, or only grow. Lock files are state: a killed git leaves one.
const GIT_EXCLUDE: &str = "/objects/\n/hooks/\n/modules/\n/lfs/\n";
/// Bytes go in and out as they are, whatever the workspace's own attributes say.
const ATTRIBUTES: &str = "* -text -ident -filter -working-tree-encoding\n";

fn repository() -> PathBuf {
    Path::new(SNAPSHOTS).join("repo.git")
}

/// Keeps the clone; answers the tree's hash.
pub(super) fn take(mounts: &[String], leash: Leash<'_>) -> Result<String, String> {
    prepare(mounts).map_err(|e| format!("the snapshots' repository cannot be made: {e}"))?;
    let tree = workspace(mounts, leash)?;
    if has_git() {
        let state = state(leash)?;
        let reference = state_reference(&tree);
        good(git(
            WORKSPACE,
            "index",
            &["update-ref", &reference, &state],
            leash,
        )?)?;
    }
    Ok(tree)
}

/// Puts the clone back to a tree.
pub(super) fn reset(tree: &str, mounts: &[String], leash: Leash<'_>) -> Result<(), String> {
    check_hash(tree)?;
    prepare(mounts).map_err(|e| format!("the snapshots' repository cannot be made: {e}"))?;
    // Everything new is added first, so that going to the tree removes it.
    workspace(mounts, leash)?;
    put_back(WORKSPACE, "index", tree, leash)?;
    let state = state_reference(tree);
    let known = git(
        WORKSPACE,
        "index",
        &["rev-parse", "-q", "--verify", &state],
        leash,
    )?;
    if known.exit == Some(0) && has_git() {
        self::state(leash)?;
        put_back(&git_folder(), "git-index", known.stdout.trim(), leash)?;
    }
    Ok(())
}

/// What differs between two trees.
pub(super) fn patch(from: &str, to: &str, leash: Leash<'_>) -> Result<String, String> {
    check_hash(from)?;
    check_hash(to)?;
    let args = [
        "diff-tree",
        "-p",
        "-r",
        "--binary",
        "--full-index",
        "--no-renames",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--src-prefix=a/",
        "--dst-prefix=b/",
        from,
        to,
    ];
    let ended = good(git(WORKSPACE, "index", &args, leash)?)?;
    if ended.truncated {
        return Err(format!("the patch is larger than {} MB", PATCH_BYTES >> 20));
    }
    Ok(ended.stdout)
}

/// Adds all of the workspace to its index and writes the tree.
fn workspace(mounts: &[String], leash: Leash<'_>) -> Result<String, String> {
    let gather = Gather {
        git: &|work, index, args| git(&work.to_string_lossy(), index, args, leash),
        repository: &repository(),
        mounts,
        leash,
    };
    gather.tree()
}

/// Adds git's own state to its index and writes the tree.
fn state(leash: Leash<'_>) -> Result<String, String> {
    let (work, index) = (git_folder(), "git-index");
    good(git(&work, index, &["add", "-A", "."], leash)?)?;
    let ended = good(git(&work, index, &["write-tree"], leash)?)?;
    let tree = ended.stdout.trim().to_owned();
    check_hash(&tree)?;
    Ok(tree)
}

fn put_back(work: &str, index: &str, tree: &str, leash: Leash<'_>) -> Result<(), String> {
    let args = ["read-tree", "--reset", "-u", tree];
    good(git(work, index, &args, leash)?).map(drop)
}

fn git_folder() -> String {
    format!("{WORKSPACE}/.git")
}

fn git(work: &str, index: &str, args: &[&str], leash: Leash<'_>) -> Result<Ended, String> {
    let repository = repository();
    let mut argv = vec!["git"];
    argv.extend(QUIET);
    argv.extend([
        "-c",
        "core.autocrlf=false",
        "-c",
        "core.looseCompression=0",
        "-c",
        "advice.addEmbeddedRepo=false",
    ]);
    let excludes = repository.join("git-exclude");
    let excludes = format!("core.excludesFile={}", excludes.display());
    if work == git_folder() {
        argv.extend(["-c", &excludes]);
    }
    argv.extend(args);
    let mut program = Program::new(&argv);
    program.cwd = PathBuf::from(work);
    program.keep = PATCH_BYTES;
    let text = |path: PathBuf| path.to_string_lossy().into_owned();
    program.env = vec![
        ("GIT_DIR".into(), text(repository.clone())),
        ("GIT_WORK_TREE".into(), work.to_owned()),
        ("GIT_INDEX_FILE".into(), text(repository.join(index))),
        ("GIT_CONFIG_GLOBAL".into(), "/dev/null".into()),
    ];
    program
        .run(leash)
        .map_err(|e| format!("git cannot be started: {e}"))
}

pub(super) fn good(ended: Ended) -> Result<Ended, String> {
    match ended.exit {
        Some(0) => Ok(ended),
        _ if ended.timed_out => Err("the snapshot took too long and was stopped".to_owned()),
        _ => Err(format!("the snapshot failed: {}", ended.stderr.trim())),
    }
}

pub(super) fn check_hash(tree: &str) -> Result<(), String> {
    let good = matches!(tree.len(), 40 | 64) && tree.bytes().all(|b| b.is_ascii_hexdigit());
    good.then_some(()).ok_or_else(|| {
        format!(
            "`{}` is not a tree's hash",
            tree.chars().take(80).collect::<String>()
        )
    })
}

fn state_reference(tree: &str) -> String {
    format!("refs/git-state/{tree}")
}

fn has_git() -> bool {
    fs::symlink_metadata(Path::new(WORKSPACE).join(".git")).is_ok_and(|m| m.is_dir())
}

/// Makes the repository by hand: no template, no hook, objects shared with the workspace's own.
fn prepare(mounts: &[String]) -> std::io::Result<()> {
    let repository = repository();
    if repository.join("HEAD").exists() {
        return locks::clear(&repository);
    }
    for folder in ["objects/info", "objects/pack", "refs", "info"] {
        fs::create_dir_all(repository.join(folder))?;
    }
    let own = fs::read_to_string(place::root().join(".git/config")).unwrap_or_default();
    let sha256 = own.lines().any(|line| {
        line.replace(' ', "")
            .eq_ignore_ascii_case("\tobjectformat=sha256")
    });
    let format = match sha256 {
        true => "\trepositoryformatversion = 1\n[extensions]\n\tobjectformat = sha256\n",
        false => "\trepositoryformatversion = 0\n",
    };
    fs::write(repository.join("config"), format!("[core]\n{format}"))?;
    let shared = mounts
        .iter()
        .map(|mount| Path::new(WORKSPACE).join(mount))
        .filter(|mount| mount.ends_with(KEPT_OBJECTS))
        .chain([PathBuf::from(OBJECTS)])
        .filter(|store| store.is_dir());
    let lines: String = shared
        .map(|store| format!("{}\n", store.display()))
        .collect();
    if !lines.is_empty() {
        fs::write(repository.join("objects/info/alternates"), lines)?;
    }
    let own = fs::read_to_string(place::root().join(".git/info/exclude")).unwrap_or_default();
    fs::write(repository.join("info/exclude"), own)?;
    fs::write(repository.join("info/attributes"), ATTRIBUTES)?;
    fs::write(repository.join("git-exclude"), GIT_EXCLUDE)?;
    // By this it is known to be whole, so it must never be seen half written.
    let (head, new) = (repository.join("HEAD"), repository.join("HEAD.new"));
    fs::write(&new, "ref: refs/heads/none\n")?;
    fs::rename(new, head)
}

/// Read-only mounts are not the clone's; each is named literally and anchored at the top.
pub(super) fn exclude(mounts: &[String]) -> String {
    let mut text = String::new();
    for mount in mounts {
        let escaped: String = mount
            .chars()
            .flat_map(|c| {
                matches!(c, '*' | '?' | '[' | '\\' | ' ' | '!' | '#')
                    .then_some('\\')
                    .into_iter()
                    .chain([c])
            })
            .collect();
        text.push_str(&format!("/{escaped}/\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn mounts_are_excluded_literally() {
        assert_eq!(
            exclude(&["web/node_modules".into(), "a*b".into()]),
            "/web/node_modules/\n/a\\*b/\n"
        );
    }

    #[test]
    fn only_hashes_are_trees() {
        for (tree, good) in [
            ("4b825dc642cb6eb9a060e54bf8d69288fbee4904", true),
            ("--output=/etc/x", false),
            ("", false),
            ("HEAD", false),
        ] {
            assert_eq!(check_hash(tree).is_ok(), good, "{tree}");
        }
    }
}
