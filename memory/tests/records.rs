//! Stories of a memory on a real disk.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use memory::{Memory, MemoryError};
use protocol::memory::NewMemory;
use protocol::phase::Phase;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;
use tempfile::TempDir;

/// Set for the copy of this program that is killed.
const CHILD: &str = "AI_INFRA_TEST_MEMORY_CHILD";

fn record(title: &str, body: &str, project: Option<&str>) -> NewMemory {
    NewMemory {
        title: title.to_owned(),
        body: body.to_owned(),
        project: project.map(str::to_owned),
        tags: vec!["tag".to_owned()],
        source: "qa".to_owned(),
        task: Some("t1".to_owned()),
        phase: Some(Phase::Verify),
        evidence: Vec::new(),
        key: format!("{title}/{project:?}"),
    }
}

fn open(dir: &Path) -> Memory {
    Memory::open(&dir.join("MEMORY"), &dir.join("index")).unwrap()
}

fn titles(memory: &Memory, query: &str, project: Option<&str>) -> Vec<String> {
    let found = memory.recall(query, project, 10).unwrap();
    found.into_iter().map(|memory| memory.title).collect()
}

fn index_files(dir: &Path) -> Vec<PathBuf> {
    let folder = fs::read_dir(dir.join("index/memory-v1")).unwrap();
    folder.map(|entry| entry.unwrap().path()).collect()
}

fn with_three() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let memory = open(dir.path());
    for (title, body, project) in [
        (
            "Fixtures need a database",
            "Run make db before the tests.",
            Some("shop-1"),
        ),
        (
            "Proxy answers 502",
            "Restart nginx after a deploy.",
            Some("blog-2"),
        ),
        ("Tests are slow", "Run them with four workers.", None),
    ] {
        memory.remember(&record(title, body, project)).unwrap();
    }
    dir
}

#[test]
fn what_was_kept_is_found_shown_and_lies_where_a_person_looks() {
    let dir = with_three();
    let memory = open(dir.path());
    let found = memory
        .recall("why do the fixtures fail without database", None, 5)
        .unwrap();
    assert_eq!(found[0].title, "Fixtures need a database");
    assert_eq!(found[0].project.as_deref(), Some("shop-1"));
    assert_eq!(found[0].snippet, "Run make db before the tests.");
    let text = memory.show(&found[0].id).unwrap();
    assert!(
        text.contains("title: \"Fixtures need a database\""),
        "{text}"
    );
    let month = &found[0].written[..7];
    let path = format!("MEMORY/Learning/VERIFY/{month}/{}.md", found[0].id);
    assert_eq!(fs::read_to_string(dir.path().join(path)).unwrap(), text);
    assert!(dir.path().join("MEMORY/README.md").exists());
}

#[test]
fn the_project_comes_first_and_search_stays_inside() {
    let dir = with_three();
    let memory = open(dir.path());
    memory
        .remember(&record("Fixtures need a database too", "x", Some("blog-2")))
        .unwrap();
    let best = |project| titles(&memory, "fixtures database", project)[0].clone();
    assert_eq!(best(Some("shop-1")), "Fixtures need a database");
    assert_eq!(best(Some("blog-2")), "Fixtures need a database too");
    let inside = memory.search("database test", Some("shop-1"), 10).unwrap();
    assert!(
        inside
            .iter()
            .all(|found| found.project.as_deref() != Some("blog-2")),
        "{inside:?}"
    );
    assert_eq!(inside.len(), 2);
}

#[test]
fn unrelated_and_hostile_questions_bring_nothing() {
    let dir = with_three();
    let memory = open(dir.path());
    let endless = "(((a AND ".repeat(10_000);
    for query in [
        "",
        "the of and",
        "quantum chromodynamics",
        "title:*",
        "\"[* TO *]\"~3^9",
        "*",
        "\0\u{1b}",
        &endless,
    ] {
        assert_eq!(titles(&memory, query, Some("*")), [""; 0], "{query}");
    }
    assert_eq!(memory.recall("tests", None, 0).unwrap(), []);
}

#[test]
fn the_same_key_twice_is_one_record() {
    let dir = with_three();
    let memory = open(dir.path());
    let new = record("Proxy answers 502", "another text", Some("blog-2"));
    let id = memory.remember(&new).unwrap();
    assert_eq!(memory.count(), 3);
    assert!(memory.show(&id).unwrap().contains("Restart nginx"));
    drop(memory);
    let memory = open(dir.path());
    assert_eq!(memory.remember(&new).unwrap(), id);
    assert_eq!(memory.count(), 3);
}

#[test]
fn a_name_taken_by_a_broken_file_is_left_alone() {
    let dir = with_three();
    let memory = open(dir.path());
    let new = record("Proxy answers 502", "another text", Some("blog-2"));
    let id = memory.remember(&new).unwrap();
    drop(memory);
    let path = fs::read_dir(dir.path().join("MEMORY/Learning/VERIFY"))
        .unwrap()
        .next()
        .unwrap();
    let path = path.unwrap().path().join(format!("{id}.md"));
    fs::write(&path, "a person broke it").unwrap();
    let memory = open(dir.path());
    let other = memory.remember(&new).unwrap();
    assert_ne!(other, id);
    assert_eq!(fs::read_to_string(&path).unwrap(), "a person broke it");
}

#[test]
fn bad_requests_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let memory = open(dir.path());
    let refused = memory.remember(&record("", "x", None)).unwrap_err();
    assert!(matches!(refused, MemoryError::Refused(_)), "{refused}");
    for id in ["m-1", "../../etc/passwd", ""] {
        assert!(
            matches!(memory.show(id), Err(MemoryError::NoSuch(_))),
            "{id}"
        );
    }
    let second = Memory::open(&dir.path().join("MEMORY"), &dir.path().join("other"));
    let error = second.err().expect("one owner only").to_string();
    assert!(error.contains("stop the other supervisor"), "{error}");
}

#[test]
fn what_people_change_is_noticed_and_what_is_broken_is_named() {
    let dir = with_three();
    let knowledge = dir.path().join("MEMORY/Knowledge");
    fs::write(
        knowledge.join("note.md"),
        "---\ntitle: The printer\n---\nIt wants magenta.",
    )
    .unwrap();
    fs::write(knowledge.join("broken.md"), "no frontmatter").unwrap();
    fs::write(knowledge.join("binary.md"), [0xff, 0xfe, 0x00]).unwrap();
    let memory = open(dir.path());
    assert_eq!(titles(&memory, "magenta", None), ["The printer"]);
    let mut bad: Vec<_> = memory.problems().into_iter().map(|p| p.path).collect();
    bad.sort();
    assert_eq!(
        bad,
        [
            Path::new("Knowledge/binary.md"),
            Path::new("Knowledge/broken.md")
        ]
    );
    fs::write(
        knowledge.join("note.md"),
        "---\ntitle: The printer\n---\nIt wants cyan, now.",
    )
    .unwrap();
    memory.refresh().unwrap();
    assert_eq!(titles(&memory, "magenta", None), [""; 0]);
    assert_eq!(titles(&memory, "cyan", None), ["The printer"]);
    fs::remove_file(knowledge.join("note.md")).unwrap();
    memory.refresh().unwrap();
    assert_eq!(
        (titles(&memory, "cyan", None).len(), memory.count()),
        (0, 3)
    );
}

#[test]
fn a_damaged_index_is_made_anew() {
    let flip = |path: &Path| {
        let mut bytes = fs::read(path).unwrap();
        for byte in bytes.iter_mut().step_by(7) {
            *byte ^= 0x5a;
        }
        fs::write(path, bytes).unwrap();
    };
    let halve = |path: &Path| {
        let bytes = fs::read(path).unwrap();
        fs::write(path, &bytes[..bytes.len() / 2]).unwrap();
    };
    let remove = |path: &Path| fs::remove_file(path).unwrap();
    let dir = with_three();
    drop(open(dir.path()));
    let names: Vec<_> = index_files(dir.path())
        .iter()
        .map(|p| p.file_name().unwrap().to_owned())
        .collect();
    assert!(names.len() >= 6, "{names:?}");
    for harm in [&flip as &dyn Fn(&Path), &halve, &remove] {
        for at in 0..names.len() {
            let Some(victim) = index_files(dir.path()).get(at).cloned() else {
                continue;
            };
            harm(&victim);
            let memory = open(dir.path());
            assert_eq!(
                titles(&memory, "nginx restart", None),
                ["Proxy answers 502"],
                "{victim:?}"
            );
            assert_eq!(memory.count(), 3);
        }
    }
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    fs::create_dir_all(dir.path().join("index/memory-v0/old")).unwrap();
    assert_eq!(open(dir.path()).count(), 3);
    assert!(!dir.path().join("index/memory-v0").exists());
}

#[test]
fn an_index_that_vanishes_while_open_is_made_anew() {
    fn shared<T: Send + Sync>(value: T) -> T {
        value
    }
    let dir = with_three();
    let memory = shared(open(dir.path()));
    fs::remove_dir_all(dir.path().join("index")).unwrap();
    memory
        .remember(&record("Fourth", "after the index", None))
        .unwrap();
    assert_eq!(titles(&memory, "fourth index", None), ["Fourth"]);
    assert_eq!(
        titles(&memory, "nginx restart", None),
        ["Proxy answers 502"]
    );
}

#[test]
fn a_thousand_records_are_searched_in_milliseconds() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir_all(dir.path().join("MEMORY/Work")).unwrap();
    for n in 0..1000 {
        let text = format!(
            "---\ntitle: Record {n} about topic{}\n---\nThe service number{n} wants setting{} and a restart.\n",
            n % 50,
            n % 7
        );
        fs::write(dir.path().join(format!("MEMORY/Work/r{n}.md")), text).unwrap();
    }
    let memory = open(dir.path());
    assert_eq!(memory.count(), 1000);
    let start = Instant::now();
    for n in 0..20 {
        let found = memory
            .recall(&format!("restart service number{n} with topic{n}"), None, 5)
            .unwrap();
        assert!(
            found[0].title.starts_with(&format!("Record {n} ")),
            "{found:?}"
        );
    }
    let each = start.elapsed() / 20;
    println!("one recall over 1000 records: {each:?}");
    assert!(each.as_millis() < 100, "{each:?}");
}

/// Keeps records and says so, until it is killed. Does nothing unless it is that copy.
#[test]
fn child_that_is_killed() {
    let Some(dir) = std::env::var_os(CHILD) else {
        return;
    };
    let memory = open(Path::new(&dir));
    let before = memory.count();
    for n in before..before + 100_000 {
        let title = format!("Kept {n} word{n}");
        let id = memory.remember(&record(&title, "body", None)).unwrap();
        println!("\nkept {id} word{n}");
        if n % 16 == 0 {
            memory.recall("kept", None, 3).unwrap();
        }
    }
}

#[test]
fn nothing_acknowledged_is_lost_to_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut kept = Vec::new();
    for round in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_that_is_killed", "--nocapture"])
            .env(CHILD, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = 0;
        for line in lines.map_while(Result::ok) {
            if let Some((id, word)) = line.strip_prefix("kept ").and_then(|l| l.split_once(' ')) {
                kept.push((id.to_owned(), word.to_owned()));
                acknowledged += 1;
            }
            if acknowledged == 10 + round * 7 {
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        let memory = open(dir.path());
        assert_eq!(memory.problems(), []);
        for (id, word) in &kept {
            assert!(memory.show(id).unwrap().ends_with("body\n"), "{id}");
            let found = memory.search(word, None, 1).unwrap();
            assert_eq!(found.first().map(|f| &f.id), Some(id), "{word}");
        }
    }
    assert!(kept.len() > 100, "{}", kept.len());
}
