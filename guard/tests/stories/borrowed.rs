//! What a workspace's `.git` says of other folders opens none of them.

use super::*;
use guard::clone::CloneError;

fn repository(folder: &Path) {
    std::fs::create_dir_all(folder).unwrap();
    git(folder, &["init", "-q"]);
    write(folder, "a.txt", "private words\n");
    git(folder, &["add", "."]);
    git(folder, &["commit", "-qm", "first"]);
}

/// The clone of a workspace that `fill` makes beside a private repository, or why there is none.
fn cloned(fill: impl FnOnce(&Path, &Path)) -> (tempfile::TempDir, Result<Clone, CloneError>) {
    let dir = tempfile::tempdir().unwrap();
    let (workspace, private) = (dir.path().join("shop"), dir.path().join("private"));
    repository(&private);
    fill(&workspace, &private);
    let owner = clone::owner_of(&workspace, SERVICE).unwrap();
    let clone = clone::make(&workspace, &dir.path().join("t1"), owner);
    (dir, clone)
}

fn shows(clone: &Clone, words: &str) -> bool {
    let mut shown = clone.read_only.iter();
    shown.any(|(from, _)| from.to_string_lossy().contains(words))
}

#[test]
fn a_folder_that_the_list_of_alternates_names_is_not_shown() {
    let (_dir, clone) = cloned(|w, private| {
        repository(w);
        std::fs::create_dir(private.join("keys")).unwrap();
        write(w, ".git/objects/info/alternates", "../../../private/keys\n");
    });
    let clone = clone.unwrap();
    assert!(!shows(&clone, "private"), "{:?}", clone.read_only);
    assert!(
        clone.left_out[0].contains("private/keys") && clone.left_out[0].contains("alternates"),
        "{:?}",
        clone.left_out
    );
}

#[test]
fn another_repository_that_is_borrowed_from_is_named_with_the_way_out_of_it() {
    let mut list = PathBuf::new();
    let (dir, clone) = cloned(|w, private| {
        let (from, to) = (private.to_str().unwrap(), w.to_str().unwrap());
        let top = w.parent().unwrap();
        git(top, &["clone", "-q", "--shared", from, to]);
        list = w.join(".git/objects/info/alternates");
    });
    let why = clone.unwrap_err().to_string();
    assert!(
        why.contains("private/.git/objects") && why.contains("git repack -a -d && rm"),
        "{why}"
    );
    // What it says to do mends it.
    let workspace = dir.path().join("shop");
    git(&workspace, &["repack", "-q", "-a", "-d"]);
    std::fs::remove_file(list).unwrap();
    let owner = clone::owner_of(&workspace, SERVICE).unwrap();
    let clone = clone::make(&workspace, &dir.path().join("t1"), owner).unwrap();
    assert!(!shows(&clone, "private"), "{:?}", clone.read_only);
    git(&workspace, &["fsck", "--strict"]);
}

#[test]
fn a_work_tree_that_only_it_says_is_registered_is_a_plain_folder() {
    for at in ["g", "worktrees/g", "a/worktrees/g"] {
        let (_dir, clone) = cloned(|w, private| {
            let common = private.join(".git");
            write(w, ".git", &format!("gitdir: {at}\n"));
            write(w, &format!("{at}/HEAD"), "ref: refs/heads/main\n");
            let back = w.join(".git");
            write(w, &format!("{at}/gitdir"), &back.to_string_lossy());
            let common = common.to_string_lossy();
            write(w, &format!("{at}/commondir"), &common);
        });
        let clone = clone.unwrap();
        assert_eq!(clone.read_only, [], "{at}");
        assert!(clone.left_out[0].contains("plain folder"), "{at}");
        assert!(!clone.work.join(".git").exists(), "{at}");
    }
}

#[test]
fn a_link_within_git_s_own_folder_brings_nothing_of_another() {
    let (_dir, clone) = cloned(|w, _| {
        repository(w);
        std::fs::remove_dir_all(w.join(".git/logs")).unwrap();
        std::os::unix::fs::symlink("../../private/.git/logs", w.join(".git/logs")).unwrap();
    });
    let clone = clone.unwrap();
    assert!(clone.work.join(".git/HEAD").exists());
    assert!(!clone.work.join(".git/logs/HEAD").exists());
}
