//! What waits is settled by a word, and a version that was is gone back to.

use super::super::take::{Side, both, take};
use super::super::versions;
use super::*;

impl Room {
    fn take(&self, path: &str, side: Side) -> Result<(), BackupError> {
        judged(|judge| take(&self.home, &self.place(), judge, path, side))
    }

    fn conflict(&self) {
        self.here("config/a.yaml", "x: 1\n");
        self.sync();
        self.there("config/a.yaml", "x: theirs\n");
        self.here("config/a.yaml", "x: ours\n");
        assert_eq!(waiting(&self.sync()), ["config/a.yaml"]);
    }
}

#[test]
fn ours_travels_and_theirs_comes_in() {
    for (side, expected) in [(Side::Ours, "x: ours\n"), (Side::Theirs, "x: theirs\n")] {
        let room = Room::new();
        room.conflict();
        let both = both(&room.home, &room.place(), "config/a.yaml").unwrap();
        assert_eq!(both.ours.unwrap().bytes, b"x: ours\n");
        assert_eq!(both.theirs.unwrap().bytes, b"x: theirs\n");
        let difference = both.difference.unwrap();
        assert!(difference.contains("-x: ours\n+x: theirs"), "{difference}");
        room.take("config/a.yaml", side).unwrap();
        assert_eq!(Report::last(&room.home).unwrap().waiting, []);
        assert_eq!(waiting(&room.sync()), [""; 0]);
        assert_eq!(room.ours()["config/a.yaml"], expected);
        assert_eq!(room.theirs(), room.ours());
    }
}

#[test]
fn removed_on_one_side_and_changed_on_the_other_is_settled_either_way() {
    for (side, there) in [(Side::Ours, false), (Side::Theirs, true)] {
        let room = Room::new();
        room.here("TELOS/a.md", "1\n");
        room.sync();
        fs::remove_file(room.home.root.join("TELOS/a.md")).unwrap();
        room.there("TELOS/a.md", "2\n");
        room.sync();
        room.take("TELOS/a.md", side).unwrap();
        room.sync();
        assert_eq!(room.ours().contains_key("TELOS/a.md"), there);
        assert_eq!(room.theirs(), room.ours());
    }
}

#[test]
fn a_word_about_what_nobody_saw_or_nobody_can_work_with_is_refused() {
    let room = Room::new();
    let refused = |path: &str| room.take(path, Side::Theirs).unwrap_err().to_string();
    assert!(refused("config/a.yaml").contains("never kept in step"));
    room.conflict();
    assert!(
        refused("config/A.yaml").contains("did you mean"),
        "{}",
        refused("config/A.yaml")
    );
    // Changed there again, and seen by a run that was cut off before it said so.
    room.there("config/a.yaml", "x: newer\n");
    let cut = room.try_sync(&mut |step| match step {
        "put" => Err(config::error::ConfigError::NoHome),
        _ => Ok(()),
    });
    assert!(cut.is_err());
    assert!(refused("config/a.yaml").contains("was changed there since"));
    room.there("config/a.yaml", "broken\n");
    room.sync();
    assert!(refused("config/a.yaml").contains("would stop the team: it is broken"));
    assert_eq!(room.ours()["config/a.yaml"], "x: ours\n");
    // What only permits more is for a person to allow.
    room.there("config/b.yaml", "wider\n");
    assert!(waiting(&room.sync()).contains(&"config/b.yaml"));
    room.take("config/b.yaml", Side::Theirs).unwrap();
    assert_eq!(room.ours()["config/b.yaml"], "wider\n");
    assert!(!waiting(&room.sync()).contains(&"config/b.yaml"));
}

#[test]
fn a_version_is_listed_shown_and_gone_back_to() {
    let room = Room::new();
    room.here("config/a.yaml", "one\n");
    room.here("TELOS/t.md", "t\n");
    room.sync();
    room.there("config/a.yaml", "two\n");
    room.here("TELOS/u.md", "u\n");
    room.sync();
    let list = versions::list(&room.home, &room.place(), 10).unwrap();
    let said: Vec<&str> = list.iter().map(|one| one.message.as_str()).collect();
    assert_eq!(
        said,
        [
            "web1: TELOS/u.md",
            "by hand",
            "web1: TELOS/t.md, config/a.yaml"
        ]
    );
    assert_eq!(list[1].by, "ada");
    let shown = versions::show(&room.home, &room.place(), &list[1].name).unwrap();
    assert!(shown.contains("-one\n+two"), "{shown}");
    let back = |version: &str| {
        judged(|judge| versions::rollback(&room.home, &room.place(), judge, version))
    };
    for none in ["0000000000", "main", "--all", "x", ""] {
        assert!(
            back(none)
                .unwrap_err()
                .to_string()
                .contains("there is no version")
        );
    }
    // What was never sent would be lost.
    room.here("config/a.yaml", "three\n");
    let refused = back(&list[2].name).unwrap_err().to_string();
    assert!(refused.contains("not part of any version yet"), "{refused}");
    room.sync();
    let changed = back(&list[2].name).unwrap();
    assert_eq!(changed, ["TELOS/u.md", "config/a.yaml"]);
    assert_eq!(room.ours()["config/a.yaml"], "one\n");
    // It travels, as a version of its own.
    assert_eq!(room.sync().sent, ["TELOS/u.md", "config/a.yaml"]);
    assert_eq!(room.theirs(), room.ours());
    assert_eq!(
        versions::list(&room.home, &room.place(), 10).unwrap().len(),
        5
    );
}
