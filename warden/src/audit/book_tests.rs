//! The chain on a real disk: it goes on after a stop, across files, after a torn write, and on a disk
//! without room.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::super::line::tests::entry;
use super::super::reader::{check, tail};
use super::*;
use std::os::unix::fs::FileExt;

fn place(folder: &Path) -> AuditPlace {
    let own = folder.join("warden");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::create_dir_all(folder.join("audit")).unwrap();
    AuditPlace {
        folder: folder.join("audit"),
        key: own.join("seal.key"),
        head: own.join("head"),
    }
}

fn open(place: &AuditPlace) -> Book {
    Book::open(place.clone(), "web1", Timestamp::UNIX_EPOCH).unwrap()
}

fn add(book: &mut Book, count: usize, stage: Stage) {
    for n in 0..count {
        let mut one = entry(&format!("act {n}"));
        one.stage = stage;
        one.outcome = "x".repeat(100);
        book.append(one, Timestamp::UNIX_EPOCH).unwrap();
    }
}

fn seq(place: &AuditPlace) -> Result<u64, String> {
    let checked = check(place, Vec::new(), &mut |_, _| ());
    checked
        .map(|checked| checked.whole.head.seq)
        .map_err(|error| error.to_string())
}

#[test]
fn a_chain_goes_on_after_a_stop_and_across_files() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    let mut book = open(&place);
    assert!(matches!(
        Book::open(place.clone(), "web1", Timestamp::UNIX_EPOCH),
        Err(BookError::Taken(_))
    ));
    add(&mut book, 40, Stage::After);
    drop(book);
    let mut book = open(&place);
    // As if the file were full: the next line begins a new one.
    book.length = FILE_BYTES;
    add(&mut book, 40, Stage::After);
    let head = book.head().clone();
    drop(book);
    assert_eq!(files(&place.folder).unwrap().len(), 2);
    assert_eq!(seq(&place), Ok(head.seq));
    assert_eq!(head.seq, 82);
    assert_eq!(tail(&place, 50).unwrap().len(), 50);
    assert!(tail(&place, 1).unwrap()[0].contains("\"seq\":82,"));
    // A new file that holds nothing yet, because the process died there.
    std::fs::write(place.folder.join(file_name(83)), "").unwrap();
    let book = open(&place);
    assert_eq!(book.head().seq, 83);
    drop(book);
    assert_eq!(seq(&place), Ok(83));
    // A whole file gone.
    std::fs::remove_file(place.folder.join(file_name(1))).unwrap();
    assert!(seq(&place).unwrap_err().contains("line 1: line 43 stands"));
}

#[test]
fn a_torn_line_is_taken_out_and_told() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    let mut book = open(&place);
    add(&mut book, 3, Stage::After);
    let (path, length) = (book.path.clone(), book.length);
    drop(book);
    let file = OpenOptions::new().write(true).open(&path).unwrap();
    file.write_all_at(b"{\"v\":1,\"se", length).unwrap();
    let checked = check(&place, Vec::new(), &mut |_, _| ()).unwrap();
    assert_eq!((checked.torn, checked.whole.head.seq), (10, 4));
    drop(open(&place));
    assert_eq!(seq(&place), Ok(5));
    assert!(tail(&place, 1).unwrap()[0].contains("10 bytes of a line cut off"));
}

#[test]
fn a_cut_tail_is_seen_by_the_wardens_own_head_and_stays_seen() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    let mut book = open(&place);
    add(&mut book, 9, Stage::After);
    let path = book.path.clone();
    drop(book);
    let text = std::fs::read_to_string(&path).unwrap();
    let cut: Vec<&str> = text.lines().take(6).collect();
    std::fs::write(&path, format!("{}\n", cut.join("\n"))).unwrap();
    let said = seq(&place).unwrap_err();
    assert!(
        said.contains("line 7") && said.contains("the warden remembers line 10"),
        "{said}"
    );
    let book = open(&place);
    drop(book);
    assert!(tail(&place, 1).unwrap()[0].contains("THE CHAIN WAS CUT"));
}

#[test]
fn a_chain_without_its_key_is_not_gone_on_with() {
    let folder = tempfile::tempdir().unwrap();
    let place = place(folder.path());
    drop(open(&place));
    std::fs::remove_file(&place.key).unwrap();
    let said = Book::open(place.clone(), "web1", Timestamp::UNIX_EPOCH)
        .unwrap_err()
        .to_string();
    assert!(said.contains("is gone: put"), "{said}");
    assert!(!check(&place, Vec::new(), &mut |_, _| ()).unwrap().sealed);
}

/// Mounts a disk of 512 kB over a folder, in a mount namespace of this thread alone.
fn tiny_disk(at: &Path) -> nix::Result<()> {
    use nix::mount::{MsFlags, mount};
    use nix::sched::{CloneFlags, unshare};
    unshare(CloneFlags::CLONE_NEWNS)?;
    let none: Option<&str> = None;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none)?;
    mount(
        Some("tmpfs"),
        at,
        Some("tmpfs"),
        MsFlags::empty(),
        Some("size=512k"),
    )
}

#[test]
fn a_full_disk_stops_acts_and_not_lines() {
    let folder = tempfile::tempdir().unwrap();
    let ran = std::thread::spawn(move || {
        tiny_disk(folder.path())?;
        let place = place(folder.path());
        let mut book = open(&place);
        add(&mut book, 10, Stage::Before);
        let filler = folder.path().join("filler");
        let mut filler = File::create(filler).unwrap();
        while filler.write_all(&[0; 4096]).is_ok() {}
        // Room that was set aside serves a while; then nothing new is begun.
        let mut begun = 0;
        let refused = loop {
            match book.append(entry("begin"), Timestamp::UNIX_EPOCH) {
                Ok(_) => begun += 1,
                Err(error) => break error,
            }
        };
        assert!(matches!(refused, BookError::Full(_)), "{refused}");
        assert!(begun > 100, "{begun}");
        add(&mut book, 150, Stage::After);
        book.sync_handle().unwrap().sync().unwrap();
        drop(filler);
        std::fs::remove_file(folder.path().join("filler")).unwrap();
        book.append(entry("begin"), Timestamp::UNIX_EPOCH).unwrap();
        assert!(seq(&place).is_ok());
        Ok::<(), Errno>(())
    })
    .join()
    .unwrap();
    if let Err(error) = ran {
        eprintln!("not tried: a disk of its own cannot be mounted here ({error}); run as root");
    }
}
