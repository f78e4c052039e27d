//! Which files are a run's, which of them are copied, and what a change of one comes to.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use std::collections::BTreeMap;
use std::os::unix::fs::{PermissionsExt, symlink};

struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    /// Everybody may write where it lies, so nothing in it is root's alone.
    fn new() -> Self {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        Self { folder }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> String {
        fs::write(self.at(name), text).unwrap();
        fs::set_permissions(self.at(name), PermissionsExt::from_mode(mode)).unwrap();
        self.text(name)
    }

    fn run(&self, argv: &[&str]) -> HostRun {
        let argv = argv.iter().map(|word| (*word).to_owned()).collect();
        HostRun::new(
            argv,
            Some(self.folder.path().display().to_string()),
            BTreeMap::new(),
            None,
        )
        .unwrap()
    }

    fn look(&self, argv: &[&str]) -> Result<Vec<Seen>, String> {
        let seen = seen(&self.run(argv), &self.at("copies"));
        seen.map(|all| all.into_iter().map(|(one, _)| one).collect())
            .map_err(|e| e.to_string())
    }

    fn same(&self, argv: &[&str], files: &[Seen]) -> String {
        let said = same(&self.run(argv), files, &self.at("copies"));
        said.err().map(|e| e.to_string()).unwrap_or_default()
    }
}

#[test]
fn a_program_of_the_system_is_used_where_it_lies() {
    let place = Place::new();
    let seen = place.look(&["id", "-u"]).unwrap();
    assert_eq!(seen.len(), 1);
    assert_eq!(
        (seen[0].what.as_str(), seen[0].path.as_str()),
        ("program", "/usr/bin/id")
    );
    assert_eq!(
        (seen[0].owner, &seen[0].copy, seen[0].sha256.len()),
        (0, &None, 64)
    );
    assert!(!place.at("copies").exists());
    assert_eq!(place.same(&["id", "-u"], &seen), "");
}

#[test]
fn what_others_can_change_is_copied_with_what_reads_it_noted() {
    let place = Place::new();
    place.file("do.sh", "#!/bin/sh\necho one\n", 0o755);
    place.file("in.txt", "data", 0o644);
    let path = place.text("do.sh");
    let words = [
        path.as_str(),
        "in.txt",
        "--from=in.txt",
        "no.txt",
        "copies",
        "-x",
    ];
    let seen = place.look(&words).unwrap();
    let whats: Vec<&str> = seen.iter().map(|one| one.what.as_str()).collect();
    assert_eq!(whats, ["program", "interpreter", "word 2", "word 3"]);
    let copied: Vec<bool> = seen.iter().map(|one| one.copy.is_some()).collect();
    assert_eq!(copied, [true, false, true, true]);
    let copies = place.at("copies");
    let run = super::words(&place.run(&words), &seen, &copies);
    let copy = |at: usize| {
        copies
            .join(seen[at].copy.as_ref().unwrap())
            .display()
            .to_string()
    };
    assert_eq!(
        run,
        [
            path.clone(),
            copy(2),
            format!("--from={}", copy(3)),
            "no.txt".into(),
            "copies".into(),
            "-x".into()
        ]
    );
    let mode = fs::metadata(copy(0)).unwrap().permissions().mode();
    assert_eq!(
        (fs::read_to_string(copy(0)).unwrap().as_str(), mode & 0o777),
        ("#!/bin/sh\necho one\n", 0o500)
    );

    // Whatever becomes of the file, the copy is the same.
    fs::write(&path, "#!/bin/sh\necho evil\n").unwrap();
    fs::remove_file(place.at("in.txt")).unwrap();
    symlink("/etc/shadow", place.at("in.txt")).unwrap();
    assert_eq!(place.same(&words, &seen), "");
    // A copy that is another one is nobody's.
    let first = copies.join(seen[0].copy.as_ref().unwrap());
    fs::remove_file(&first).unwrap();
    assert!(place.same(&words, &seen).contains("is not what was shown"));
    symlink(place.at("do.sh"), &first).unwrap();
    assert!(place.same(&words, &seen).contains("is not what was shown"));
}

#[test]
fn a_word_that_names_a_file_only_now_is_refused() {
    let place = Place::new();
    let seen = place.look(&["sh", "later.sh"]).unwrap();
    assert_eq!(place.same(&["sh", "later.sh"], &seen), "");
    place.file("later.sh", "echo evil\n", 0o644);
    assert!(
        place
            .same(&["sh", "later.sh"], &seen)
            .contains("names a file now")
    );
}

#[test]
fn what_cannot_be_looked_at_is_refused_in_words() {
    let place = Place::new();
    let large = place.at("large");
    fs::File::create(&large)
        .unwrap()
        .set_len(COPIED + 1)
        .unwrap();
    place.file("plain", "x", 0o644);
    let odd = place.file("reader", "#!/bin/sh\n", 0o755);
    place.file("read.sh", &format!("#!{odd}\n"), 0o755);
    place.file("by-env.sh", "#!/usr/bin/env -i sh\n", 0o755);
    let many: Vec<String> = (0..=MOST)
        .map(|n| place.file(&format!("f{n}"), "x", 0o644))
        .collect();
    let mut words = vec!["cat"];
    words.extend(many.iter().map(String::as_str));
    let (plain, read, by_env) = (
        place.text("plain"),
        place.text("read.sh"),
        place.text("by-env.sh"),
    );
    for (argv, expected) in [
        (vec!["no-such-program-here"], "there is no program"),
        (vec!["/nowhere/x"], "there is no file /nowhere/x"),
        (vec!["/usr/bin"], "there is no file /usr/bin"),
        (vec![plain.as_str()], "is not executable"),
        (vec!["cat", "large"], "larger than the 8 MB"),
        (vec![read.as_str()], "which others than root can change"),
        (vec![by_env.as_str()], "more than look for one program"),
        (words, "more than 16 files"),
    ] {
        let said = place.look(&argv).unwrap_err();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn only_what_root_alone_can_change_all_the_way_is_roots() {
    let place = Place::new();
    assert!(only_root(Path::new("/usr/bin/id")).unwrap());
    assert!(only_root(Path::new("/usr/bin/../bin/id")).unwrap());
    place.file("x", "x", 0o644);
    assert!(!only_root(&place.at("x")).unwrap());
    // A link of somebody's leads elsewhere tomorrow.
    symlink("/usr/bin/id", place.at("link")).unwrap();
    assert!(!only_root(&place.at("link")).unwrap());
    symlink("round", place.at("round")).unwrap();
    assert!(only_root(&place.at("round")).is_err());
    assert!(only_root(&place.at("nowhere")).is_err());
    if nix::unistd::geteuid().is_root() {
        let own = tempfile::tempdir_in("/root").unwrap();
        let file = own.path().join("x");
        fs::write(&file, "x").unwrap();
        for (mode, expected) in [(0o755, true), (0o775, false), (0o757, false)] {
            fs::set_permissions(&file, PermissionsExt::from_mode(mode)).unwrap();
            assert_eq!(only_root(&file).unwrap(), expected, "{mode:o}");
        }
        fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
        std::os::unix::fs::chown(&file, Some(64321), None).unwrap();
        assert!(!only_root(&file).unwrap());
    }
}

#[test]
fn a_file_of_roots_that_changed_is_refused() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let own = tempfile::tempdir_in("/root").unwrap();
    let file = own.path().join("do.sh");
    fs::write(&file, "#!/bin/sh\necho one\n").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    let place = Place::new();
    let path = file.display().to_string();
    let seen = place.look(&[&path]).unwrap();
    assert_eq!(seen[0].copy, None);
    fs::write(&file, "#!/bin/sh\necho two\n").unwrap();
    assert!(
        place
            .same(&[&path], &seen)
            .contains("changed since leave was asked for")
    );
    fs::write(&file, "#!/bin/sh\necho one\n").unwrap();
    assert_eq!(place.same(&[&path], &seen), "");
    // The same bytes, and others may change them in a moment.
    fs::set_permissions(&file, PermissionsExt::from_mode(0o777)).unwrap();
    assert!(place.same(&[&path], &seen).contains("changed since"));
}
