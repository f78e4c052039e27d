//! Places and files that are not as they should be: each is said or handled, and nothing is lost.

use super::*;
use std::os::unix::fs::{PermissionsExt, symlink};

fn count(room: &Room) -> usize {
    let (_, said) = git(
        &room.folder.path().join("there.git"),
        &["rev-list", "--count", "main"],
    );
    said.trim().parse().unwrap()
}

#[test]
fn a_secret_stays_here_and_is_named_with_its_line() {
    let room = Room::new();
    room.here("config/a.yaml", "fine\n");
    room.here("config/b.yaml", "x\ntoken: KEY\n");
    let report = room.sync();
    assert_eq!(report.sent, ["config/a.yaml"]);
    assert_eq!(report.kept_back[0].path, "config/b.yaml");
    assert!(
        report.kept_back[0]
            .why
            .starts_with("line 2 holds what looks like a secret (a key)")
    );
    assert!(report.problem().unwrap().contains("config/b.yaml"));
    assert!(!room.theirs().contains_key("config/b.yaml"));
    room.here("config/b.yaml", "x\ntoken: {secret: t}\n");
    assert_eq!(room.sync().sent, ["config/b.yaml"]);
    // A change that brings one in keeps the older state there.
    room.here("config/a.yaml", "KEY\n");
    assert_eq!(room.sync().kept_back.len(), 1);
    assert_eq!(room.theirs()["config/a.yaml"], "fine\n");
    // One that lies there does not come in.
    room.there("TELOS/x.md", "KEY\n");
    let report = room.sync();
    assert_eq!(waiting(&report), ["TELOS/x.md"]);
    assert!(report.waiting[0].why.contains("change that key"));
    assert!(!room.ours().contains_key("TELOS/x.md"));
}

#[test]
fn what_would_stop_the_team_or_permits_more_waits_and_the_rest_comes_in() {
    let room = Room::new();
    room.here("config/a.yaml", "1\n");
    room.sync();
    room.there("config/a.yaml", "broken\n");
    room.there("config/b.yaml", "wider\n");
    room.there("config/permissions.yaml", "{}\n");
    room.there("schedules/s.yaml", "s\n");
    room.there("hooks/h.sh", "h\n");
    room.there("TELOS/t.md", "t\n");
    let report = room.sync();
    assert_eq!(report.came, ["TELOS/t.md"]);
    let why: Vec<(&str, &str)> = (report.waiting.iter())
        .map(|w| (w.path.as_str(), w.why.as_str()))
        .collect();
    assert_eq!(
        why,
        [
            ("config/a.yaml", "it is broken"),
            ("config/b.yaml", "it is wider"),
            (
                "config/permissions.yaml",
                "what agents may do is decided here"
            ),
            ("hooks/h.sh", "a hook runs programs"),
            ("schedules/s.yaml", "a schedule begins work by itself"),
        ]
    );
    assert!(report.waiting.iter().all(|waiting| !waiting.conflict));
    // A home that is broken already is no reason to keep the rest out.
    room.here("config/a.yaml", "broken here\n");
    room.there("TELOS/u.md", "u\n");
    assert_eq!(room.sync().came, ["TELOS/u.md"]);
}

#[test]
fn links_submodules_and_huge_files_are_named_and_take_nothing_away() {
    let room = Room::new();
    for name in ["link", "large", "was-file", "plain"] {
        room.here(&format!("TELOS/{name}"), "as it was\n");
    }
    room.sync();
    room.pull();
    let there = |path: &str| room.person().join(path);
    fs::remove_file(there("TELOS/link")).unwrap();
    symlink("/etc/passwd", there("TELOS/link")).unwrap();
    fs::write(there("TELOS/large"), vec![b'x'; 1_100_000]).unwrap();
    fs::remove_file(there("TELOS/was-file")).unwrap();
    let sub = format!("160000,{},agents/sub", "1".repeat(40));
    git(
        &room.person(),
        &["update-index", "--add", "--cacheinfo", &sub],
    );
    git(&room.person(), &["add", "TELOS"]);
    git(&room.person(), &["commit", "-q", "-m", "odd"]);
    git(&room.person(), &["push", "-q", "origin", "main"]);
    let report = room.sync();
    assert_eq!(waiting(&report), ["TELOS/large", "TELOS/link"]);
    assert!(report.waiting.iter().all(|waiting| !waiting.can_be_taken));
    assert_eq!(report.notes.len(), 3, "{:?}", report.notes);
    assert_eq!(report.came, ["TELOS/was-file"], "that one is gone");
    assert_eq!(room.ours()["TELOS/link"], "as it was\n");
    // And the other way round: what became a link here is not removed there.
    fs::remove_file(room.home.root.join("TELOS/plain")).unwrap();
    symlink("/etc/passwd", room.home.root.join("TELOS/plain")).unwrap();
    let report = room.sync();
    assert_eq!(report.kept_back[0].path, "TELOS/plain");
    assert_eq!(room.theirs()["TELOS/plain"], "as it was\n");
    assert!(report.sent.is_empty());
}

#[test]
fn a_rewritten_history_and_a_mass_of_removals_take_nothing_away_by_themselves() {
    let room = Room::new();
    for name in ["a", "b", "c", "d", "e", "f"] {
        room.here(&format!("TELOS/{name}.md"), "text\n");
    }
    room.sync();
    room.pull();
    let person = room.person();
    git(&person, &["checkout", "-q", "--orphan", "fresh"]);
    fs::remove_file(person.join("TELOS/a.md")).unwrap();
    write(&person, "TELOS/b.md", "changed\n");
    git(&person, &["add", "-A"]);
    git(&person, &["commit", "-q", "-m", "anew"]);
    let (done, said) = git(&person, &["push", "-q", "-f", "origin", "fresh:main"]);
    assert!(done, "{said}");
    git(&person, &["checkout", "-q", "main"]);
    let report = room.sync();
    assert!(report.notes[0].contains("history there was rewritten"));
    assert_eq!(report.came, ["TELOS/b.md"]);
    assert_eq!(waiting(&report), ["TELOS/a.md"]);
    // Most files at once.
    room.pull();
    for name in ["b", "c", "d", "e", "f"] {
        fs::remove_file(person.join(format!("TELOS/{name}.md"))).unwrap();
    }
    write(&person, "TELOS/new.md", "n\n");
    room.push();
    let report = room.sync();
    assert_eq!(report.came, ["TELOS/new.md"]);
    assert_eq!(report.waiting.len(), 6, "{:?}", report.waiting);
    assert!(report.waiting[1].why.contains("more than half"));
    assert_eq!(room.ours().len(), 7);
    // A repository that was emptied is filled again.
    let there = room.folder.path().join("there.git");
    fs::remove_dir_all(&there).unwrap();
    git(room.folder.path(), &["init", "-q", "--bare", "there.git"]);
    let report = room.sync();
    assert_eq!(report.sent.len(), 7);
    assert!(report.notes[0].contains("was emptied"));
    assert_eq!(room.sync().problem(), None);
}

#[test]
fn a_history_of_its_own_is_met_at_the_first_run() {
    let room = Room::new();
    write(&room.person(), "config/a.yaml", "theirs\n");
    write(&room.person(), "config/same.yaml", "same\n");
    write(&room.person(), "README.md", "r\n");
    room.push();
    room.here("config/a.yaml", "ours\n");
    room.here("config/same.yaml", "same\n");
    room.here("config/mine.yaml", "mine\n");
    let report = room.sync();
    assert_eq!(waiting(&report), ["config/a.yaml"]);
    assert_eq!(report.sent, ["config/mine.yaml"]);
    assert_eq!(count(&room), 2);
    room.sync();
    assert_eq!(count(&room), 2, "nothing new is no version");
}

#[test]
fn somebody_who_is_faster_is_merged_with() {
    let room = Room::new();
    room.here("config/a.yaml", "1\n");
    room.sync();
    room.here("config/b.yaml", "ours\n");
    let mut looks = 0;
    let report = room.try_sync(&mut |step| {
        looks += usize::from(step == "look");
        if step == "send" && looks == 1 {
            room.there("config/c.yaml", "theirs\n");
        }
        Ok(())
    });
    assert_eq!(looks, 2);
    assert_eq!(report.unwrap().came, ["config/c.yaml"]);
    assert_eq!(room.theirs(), room.ours());
    assert_eq!(room.ours().len(), 3);
}

#[test]
fn what_a_person_writes_while_it_runs_is_kept() {
    let room = Room::new();
    room.here("config/a.yaml", "1\n");
    room.sync();
    room.there("config/a.yaml", "theirs\n");
    let report = room.try_sync(&mut |step| {
        if step == "put" {
            room.here("config/a.yaml", "just now\n");
        }
        Ok(())
    });
    assert_eq!(report.unwrap().came, [""; 0]);
    assert_eq!(room.ours()["config/a.yaml"], "just now\n");
    assert_eq!(waiting(&room.sync()), ["config/a.yaml"]);
}

#[test]
fn whether_a_file_may_be_run_travels() {
    let room = Room::new();
    room.here("TELOS/x.sh", "x\n");
    room.sync();
    let path = room.home.root.join("TELOS/x.sh");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(room.sync().sent, ["TELOS/x.sh"]);
    room.pull();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&room.person().join("TELOS/x.sh")) & 0o100, 0o100);
    git(
        &room.person(),
        &["update-index", "--chmod=-x", "TELOS/x.sh"],
    );
    git(&room.person(), &["commit", "-q", "-m", "mode"]);
    git(&room.person(), &["push", "-q", "origin", "main"]);
    room.sync();
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_place_that_is_not_there_is_said_and_changes_nothing() {
    let room = Room::new();
    room.here("config/a.yaml", "1\n");
    fs::remove_dir_all(room.folder.path().join("there.git")).unwrap();
    let said = room.try_sync(&mut |_| Ok(())).unwrap_err().to_string();
    assert!(
        said.contains("there.git") && said.contains("make an empty one first"),
        "{said}"
    );
    assert_eq!(Report::last(&room.home), None);
}
