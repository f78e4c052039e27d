//! All or nothing, and never over what a person wrote.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

fn text(text: &str) -> Option<Content> {
    Some(Content {
        bytes: text.as_bytes().to_vec(),
        executable: false,
    })
}

fn change(path: &str, before: Option<&str>, after: Option<&str>) -> Change {
    Change {
        path: path.to_owned(),
        before: before.and_then(text),
        after: after.and_then(text),
    }
}

fn home() -> (tempfile::TempDir, Home) {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path().join("home"));
    home.ensure().unwrap();
    for (path, text) in [
        ("config/a", "1"),
        ("agents/x/AGENT.md", "x"),
        ("config/c", "c"),
    ] {
        make_folder(home.root.join(path).parent().unwrap()).unwrap();
        fs::write(home.root.join(path), text).unwrap();
    }
    (folder, home)
}

fn changes() -> [Change; 4] {
    [
        change("config/a", Some("1"), Some("2")),
        change("agents/x/AGENT.md", Some("x"), None),
        change("agents/x", None, Some("now a file")),
        change("TELOS/goals/one.md", None, Some("new")),
    ]
}

fn state(home: &Home) -> [Option<Content>; 4] {
    [
        "config/a",
        "agents/x/AGENT.md",
        "agents/x",
        "TELOS/goals/one.md",
    ]
    .map(|path| read(&home.root.join(path)).ok().flatten())
}

#[test]
fn all_or_nothing_wherever_it_is_cut_off() {
    let (_keep, home) = home();
    let old = state(&home);
    assert_eq!(put(&home, &changes(), &mut |_| Ok(())).unwrap(), [""; 0]);
    let new = state(&home);
    assert_eq!(new, [text("2"), None, text("now a file"), text("new")]);
    assert_ne!(old, new);
    for at in 0..4 {
        let (_keep, home) = self::home();
        let mut count = 0;
        let cut = put(&home, &changes(), &mut |_| {
            count += 1;
            match count > at {
                true => Err(ConfigError::NoHome),
                false => Ok(()),
            }
        });
        assert!(cut.is_err());
        // The next that makes the home ready ends it.
        home.ensure().unwrap();
        assert_eq!(state(&home), new, "cut off before file {at}");
        assert!(!list(&home).exists());
    }
    // Before it was decided nothing has happened.
    let (_keep, home) = self::home();
    make_folder(&home.backup().join("in-force.new")).unwrap();
    home.ensure().unwrap();
    assert_eq!(state(&home), old);
}

#[test]
fn what_a_person_changed_meanwhile_is_left_alone() {
    let (_keep, home) = home();
    let put = |changes: &[Change]| put(&home, changes, &mut |_| Ok(())).unwrap();
    let left = put(&[
        change("config/a", Some("0"), Some("2")),
        change("config/c", None, Some("new")),
        change("agents/x/AGENT.md", Some("y"), None),
        change("config/gone", Some("z"), Some("zz")),
    ]);
    assert_eq!(
        left,
        ["agents/x/AGENT.md", "config/a", "config/c", "config/gone"]
    );
    assert_eq!(read(&home.root.join("config/a")).unwrap(), text("1"));
    assert_eq!(
        read(&home.root.join("agents/x/AGENT.md")).unwrap(),
        text("x")
    );
    // Nor does anything follow a link out of the home, or go above it.
    let outside = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(outside.path(), home.root.join("hooks")).unwrap();
    for path in ["hooks/a", "../a", "config//a", "config/../../a"] {
        assert_eq!(put(&[change(path, None, Some("x"))]), [path]);
    }
    assert!(fs::read_dir(outside.path()).unwrap().next().is_none());
}

#[test]
fn whether_it_may_be_run_is_part_of_a_file() {
    let (_keep, home) = home();
    let after = Some(Content {
        executable: true,
        ..text("1").unwrap()
    });
    let change = Change {
        after: after.clone(),
        ..change("config/a", Some("1"), None)
    };
    assert_eq!(put(&home, &[change], &mut |_| Ok(())).unwrap(), [""; 0]);
    assert_eq!(read(&home.root.join("config/a")).unwrap(), after);
}
