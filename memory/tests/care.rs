//! What people do with a memory: forget and take back, look at it, carry it elsewhere; on a real disk.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use jiff::{SignedDuration, Timestamp};
use memory::carry::{self, CarryError};
use memory::forget::KEPT_DAYS;
use memory::{Memory, MemoryError, foreign};
use protocol::memory::{MemoryFile, MemoryImported, NewMemory};
use protocol::phase::Phase;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;
use tempfile::TempDir;

/// How many a test of many takes; by hand it was run with ten thousand.
const MANY: u64 = 2_000;

fn open(dir: &Path) -> Memory {
    Memory::open(&dir.join("MEMORY"), &dir.join("index")).unwrap()
}

fn record(number: usize) -> NewMemory {
    NewMemory {
        title: format!("Fact {number}"),
        body: format!("The database of service{number} needs migrations first."),
        project: (number.is_multiple_of(2)).then(|| "shop-1".to_owned()),
        tags: vec!["db".to_owned()],
        source: "qa".to_owned(),
        task: Some("t1".to_owned()),
        phase: (number.is_multiple_of(3)).then_some(Phase::Verify),
        evidence: Vec::new(),
        key: format!("fact {number}"),
    }
}

fn with(records: usize) -> (TempDir, Memory) {
    let dir = tempfile::tempdir().unwrap();
    let memory = open(dir.path());
    for number in 0..records {
        memory.remember(&record(number)).unwrap();
    }
    (dir, memory)
}

fn found(memory: &Memory, query: &str) -> Vec<String> {
    let found = memory.recall(query, None, 10).unwrap();
    found.into_iter().map(|memory| memory.title).collect()
}

fn came(new: u64, known: u64, forgotten: u64) -> MemoryImported {
    MemoryImported {
        new,
        known,
        forgotten,
    }
}

#[test]
fn what_is_forgotten_is_never_found_and_can_be_taken_back() {
    let (dir, memory) = with(3);
    let id = memory.recall("service1", None, 1).unwrap()[0].id.clone();
    let title = memory.forget(&id, "it is\ngone", Timestamp::now()).unwrap();
    assert_eq!(title, "Fact 1");
    assert_eq!(found(&memory, "service1"), [""; 0]);
    assert!(matches!(memory.show(&id), Err(MemoryError::NoSuch(_))));
    assert!(matches!(
        memory.forget(&id, "", Timestamp::now()),
        Err(MemoryError::NoSuch(_))
    ));
    // Not after a start either, nor from a new index.
    drop(memory);
    let memory = open(dir.path());
    memory.reindex(&mut |_, _| {}).unwrap();
    assert_eq!(found(&memory, "service1"), [""; 0]);
    let note = fs::read_to_string(dir.path().join(format!("MEMORY/Forgotten/{id}.json")));
    assert!(note.unwrap().contains("it is gone"));
    assert_eq!(memory.stats().unwrap().forgotten, 1);
    assert_eq!(memory.take_back(&id).unwrap(), "Fact 1");
    assert_eq!(found(&memory, "service1"), ["Fact 1"]);
    let again = memory.take_back(&id).unwrap_err();
    assert_eq!(again.exit_code(), 2, "{again}");
    assert_eq!(memory.stats().unwrap().forgotten, 0);
}

#[test]
fn what_was_forgotten_long_ago_is_removed_at_the_next_start() {
    let (dir, memory) = with(2);
    let day = SignedDuration::from_hours(24);
    for (query, days, left) in [
        ("service0", KEPT_DAYS - 1, true),
        ("service1", KEPT_DAYS + 1, false),
    ] {
        let id = memory.recall(query, None, 1).unwrap()[0].id.clone();
        let then = Timestamp::now() - day * i32::try_from(days).unwrap();
        memory.forget(&id, "", then).unwrap();
        drop(open_again(dir.path(), &memory));
        let file = dir.path().join(format!("MEMORY/Forgotten/{id}.md"));
        assert_eq!(file.exists(), left, "after {days} days");
    }
}

/// Another look at the same tree, as the next start has it: the owner sweeps when it opens.
fn open_again(dir: &Path, _held: &Memory) -> PathBuf {
    // One process owns the tree; a copy of the files is opened in its place and put back.
    let copy = tempfile::tempdir().unwrap();
    let at = copy.path().join("MEMORY/Forgotten");
    fs::create_dir_all(&at).unwrap();
    for entry in fs::read_dir(dir.join("MEMORY/Forgotten"))
        .unwrap()
        .flatten()
    {
        fs::copy(entry.path(), at.join(entry.file_name())).unwrap();
    }
    drop(open(copy.path()));
    for entry in fs::read_dir(dir.join("MEMORY/Forgotten"))
        .unwrap()
        .flatten()
    {
        if !at.join(entry.file_name()).exists() {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    at
}

fn read(source: &Path) -> Vec<MemoryFile> {
    let brought = carry::read(source).unwrap();
    assert_eq!(brought.left_out, [""; 0]);
    let files = brought.files.iter();
    files
        .flat_map(|(path, text)| foreign::records(path, text, None))
        .collect()
}

#[test]
fn an_export_comes_back_whole_and_once() {
    let (dir, memory) = with(7);
    for name in ["plain", "packed.tar.zst"] {
        let to = dir.path().join(name);
        let wrote = carry::export(&dir.path().join("MEMORY"), &to, None).unwrap();
        assert_eq!(wrote.records, 7);
        let again = carry::export(&dir.path().join("MEMORY"), &to, None);
        assert!(matches!(again, Err(CarryError::There(_))), "{again:?}");
        let other = tempfile::tempdir().unwrap();
        let there = open(other.path());
        assert_eq!(there.adopt(&read(&to)).unwrap(), came(7, 0, 0));
        assert_eq!(there.adopt(&read(&to)).unwrap(), came(0, 7, 0));
        for number in 0..7 {
            let here = memory.recall(&format!("service{number}"), None, 1).unwrap();
            let moved = there.recall(&format!("service{number}"), None, 1).unwrap();
            assert_eq!(moved[0].id, here[0].id);
            let text = |memory: &Memory| memory.show(&here[0].id).unwrap();
            assert_eq!(text(&there), text(&memory));
        }
        // What was forgotten there does not come back with it.
        let id = there.recall("service3", None, 1).unwrap()[0].id.clone();
        there.forget(&id, "", Timestamp::now()).unwrap();
        assert_eq!(there.adopt(&read(&to)).unwrap(), came(0, 6, 1));
        assert_eq!(found(&there, "service3"), [""; 0]);
    }
    let one = dir.path().join("one");
    let wrote = carry::export(&dir.path().join("MEMORY"), &one, Some("shop-1")).unwrap();
    assert_eq!(wrote.records, 4);
}

#[test]
fn hostile_names_and_fields_stay_inside() {
    let (dir, memory) = with(0);
    let file = |id: &str, phase: &str| MemoryFile {
        id: id.to_owned(),
        text: format!("---\ntitle: \"{id} {phase}\"\nphase: \"{phase}\"\n---\nx\n"),
    };
    let files = [
        file("../../outside", "verify"),
        file("/etc/outside", "../../.."),
        file(".hidden", "VERIFY"),
        file("good", "verify"),
    ];
    assert_eq!(memory.adopt(&files).unwrap(), came(4, 0, 0));
    let mut all = Vec::new();
    let mut todo = vec![dir.path().to_owned()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).unwrap().flatten() {
            match entry.file_type().unwrap().is_dir() {
                true => todo.push(entry.path()),
                false => all.push(entry.path()),
            }
        }
    }
    let records = all
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "md"));
    let halls = ["Learning/VERIFY", "Knowledge"].map(|hall| dir.path().join("MEMORY").join(hall));
    let inside = records
        .filter(|path| halls.iter().any(|hall| path.starts_with(hall)))
        .count();
    assert_eq!(inside, 4, "{all:#?}");
}

/// An archive of one entry, written by hand so that its name can be anything.
fn archive(name: &str, kind: tar::EntryType, text: &[u8]) -> Vec<u8> {
    let mut header = tar::Header::new_gnu();
    header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
    header.set_entry_type(kind);
    header.set_size(text.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    let mut tar = tar::Builder::new(Vec::new());
    tar.append(&header, text).unwrap();
    tar.into_inner().unwrap()
}

#[test]
fn hostile_archives_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let check = |bytes: &[u8], why: &str| {
        let at = dir.path().join("x.tar");
        fs::write(&at, bytes).unwrap();
        let error = carry::read(&at).expect_err(why);
        assert!(error.to_string().contains(why), "{error}");
    };
    let file = tar::EntryType::Regular;
    check(&archive("../out.md", file, b"x"), "leads out of it");
    check(&archive("/etc/out.md", file, b"x"), "leads out of it");
    check(&archive("a/../../out.md", file, b"x"), "leads out of it");
    check(&archive("l.md", tar::EntryType::Symlink, b""), "a link");
    check(&archive("l.md", tar::EntryType::Link, b""), "a link");
    check(&archive("d.md", tar::EntryType::Char, b""), "a device");
    check(&archive("a.md", file, b"x")[..700], "a broken one");
    check(b"this is no archive", "");
    check(b"", "no files");
    check(b"\x1f\x8b\x08\x00nonsense", "");
    check(b"\x28\xb5\x2f\xfdnonsense", "");
    // A small file that unpacks to more than is allowed.
    let block = vec![0u8; 1024 * 1024];
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    bomb.write_all(&archive("a.txt", file, &block)).unwrap();
    let at = dir.path().join("bomb");
    fs::write(&at, bomb.finish().unwrap()).unwrap();
    assert!(fs::metadata(&at).unwrap().len() < 10_000);
    assert!(carry::read_within(&at, 2 * 1024 * 1024).is_ok());
    let error = carry::read_within(&at, 1024 * 1024).unwrap_err();
    assert!(matches!(error, CarryError::Archive(..)), "{error}");
    // Too large a record is left out, and named.
    fs::write(dir.path().join("x.tar"), archive("a.md", file, &block)).unwrap();
    fs::write(
        dir.path().join("y.tar"),
        archive("b.md", file, &vec![b'x'; 1024 * 1024 + 1]),
    )
    .unwrap();
    assert_eq!(
        carry::read(&dir.path().join("x.tar")).unwrap().files.len(),
        1
    );
    let brought = carry::read(&dir.path().join("y.tar")).unwrap();
    assert_eq!(brought.left_out, ["b.md: it is larger than 1 MiB"]);
}

#[test]
fn links_in_a_folder_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("note.md"),
        "# A note\nthat says something worth it",
    )
    .unwrap();
    std::os::unix::fs::symlink("/etc/hostname", dir.path().join("link.md")).unwrap();
    std::os::unix::fs::symlink("/", dir.path().join("root")).unwrap();
    let brought = carry::read(dir.path()).unwrap();
    assert_eq!(brought.files.len(), 1);
    assert_eq!(brought.left_out.len(), 2, "{brought:?}");
}

#[test]
fn thousands_are_carried_counted_and_indexed_in_seconds() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    fs::create_dir(&from).unwrap();
    for number in 0..MANY {
        let text =
            format!("---\ntitle: Fact {number}\n---\nThe database of service{number} is slow.\n");
        fs::write(from.join(format!("f{number}.md")), text).unwrap();
    }
    let memory = open(dir.path());
    let took = |what: &str, began: Instant| eprintln!("{what}: {:?}", began.elapsed());
    let began = Instant::now();
    assert_eq!(memory.adopt(&read(&from)).unwrap(), came(MANY, 0, 0));
    took("import", began);
    let began = Instant::now();
    assert_eq!(memory.adopt(&read(&from)).unwrap(), came(0, MANY, 0));
    took("import again", began);
    let began = Instant::now();
    let stats = memory.stats().unwrap();
    took("stats", began);
    assert_eq!((stats.records, stats.indexed), (MANY, MANY));
    assert_eq!(stats.kinds.len(), 1);
    let (began, mut told) = (Instant::now(), Vec::new());
    let many = memory.reindex(&mut |at, of| told.push((at, of))).unwrap();
    took("reindex", began);
    assert_eq!((many, told.len()), (MANY as usize, MANY as usize));
    assert_eq!(found(&memory, "service1711"), ["Fact 1711"]);
    let began = Instant::now();
    let wrote = carry::export(
        &dir.path().join("MEMORY"),
        &dir.path().join("a.tar.zst"),
        None,
    );
    took("export", began);
    assert_eq!(wrote.unwrap().records, MANY);
}
