//! Where a home is, how it is made, and which one is refused.
#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

#[test]
fn the_default_depends_on_who_asks() {
    for (pairs, root, expected) in [
        (vec![("HOME", "/root")], true, Some("/var/lib/ai-infra")),
        (
            vec![("HOME", "/home/a")],
            false,
            Some("/home/a/.local/state/ai-infra"),
        ),
        (
            vec![("HOME", "/home/a"), ("XDG_STATE_HOME", "/s")],
            false,
            Some("/s/ai-infra"),
        ),
        (
            vec![("HOME", "/home/a"), ("XDG_STATE_HOME", "rel")],
            false,
            Some("/home/a/.local/state/ai-infra"),
        ),
        (vec![], false, None),
    ] {
        let env = Env::from_pairs(pairs);
        assert_eq!(
            default_root(&env, root),
            expected.map(PathBuf::from),
            "{env:?}"
        );
    }
}

#[test]
fn flag_wins_over_environment() {
    let env = Env::from_pairs([("AI_INFRA_HOME", "/b/"), ("HOME", "/h")]);
    let home = Home::resolve(None, &env).unwrap();
    assert_eq!(
        (home.root.as_path(), home.is_default()),
        (Path::new("/b"), false)
    );
    let home = Home::resolve(Some(Path::new("/a//c/.")), &env).unwrap();
    assert_eq!(home.root, Path::new("/a/c"));
    assert_eq!(home.redis_sock(), Path::new("/a/c/run/redis.sock"));
    let env = Env::from_pairs([("XDG_STATE_HOME", "/s")]);
    assert!(Home::resolve(None, &env).unwrap().is_default());
}

#[test]
fn bad_paths_are_refused() {
    let long = format!("/{}", "x".repeat(90));
    for (path, part) in [
        ("/", "root of the file system"),
        ("", "is empty"),
        ("/a/../b", "`..`"),
        ("/a\nb", "control"),
        (long.as_str(), "too long"),
    ] {
        let said = Home::resolve(Some(Path::new(path)), &Env::default())
            .unwrap_err()
            .to_string();
        assert!(said.contains(part), "{path}: {said}");
    }
}

#[test]
fn made_private_and_refused_when_open() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("new/home"));
    home.inspect().unwrap();
    home.ensure().unwrap();
    home.ensure().unwrap();
    let mode = |path: PathBuf| fs::metadata(path).unwrap().mode() & 0o777;
    for path in [home.root.clone(), home.secrets(), home.config(), home.run()] {
        assert_eq!(mode(path), 0o700);
    }
    let root = Uid::effective().is_root();
    fs::set_permissions(&home.root, fs::Permissions::from_mode(0o755)).unwrap();
    home.ensure().unwrap();
    assert_eq!(mode(home.root.clone()), if root { 0o750 } else { 0o755 });
    fs::set_permissions(&home.root, fs::Permissions::from_mode(0o770)).unwrap();
    let said = home.ensure().unwrap_err().to_string();
    assert!(
        said.contains("mode 0770") && said.contains("chmod go-w"),
        "{said}"
    );
}

#[test]
fn a_file_in_the_way_and_a_stranger_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("x"));
    fs::write(&home.root, "").unwrap();
    assert!(
        home.ensure()
            .unwrap_err()
            .to_string()
            .contains("not a folder")
    );
    let below = Home::at(home.root.join("y"));
    for said in [below.inspect().unwrap_err(), below.ensure().unwrap_err()] {
        let said = said.to_string();
        assert!(
            said.contains("x/y cannot be") && said.ends_with(ELSEWHERE),
            "{said}"
        );
    }
    let about = fs::metadata(folder.path()).unwrap();
    let said = ownership_problem(&about, about.uid() + 1, folder.path()).unwrap();
    assert!(said.contains("not to you"), "{said}");
}
