//! A place that is hostile, or another one than was meant: what it may cost is bounded, what it left is swept
//! away, and it is said.

use super::{Room, git};
use crate::error::BackupError;
use crate::store::command::{Git, OF_SETTINGS};
use crate::store::login::Login;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

fn bytes_below(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let size = |entry: fs::DirEntry| match entry.path().is_dir() {
        true => bytes_below(&entry.path()),
        false => entry.metadata().map_or(0, |about| about.len()),
    };
    entries.map(size).sum()
}

fn fetched(
    room: &Room,
    url: &str,
    bounds: crate::store::command::Bounds,
) -> Result<Vec<u8>, BackupError> {
    let here = room.folder.path().join("here");
    let git = Git::new(&here, url, &Login::default(), bounds);
    git.make()?;
    git.run(&["fetch", "-q", url, "+refs/heads/*:refs/kept/*"], &[])
}

#[test]
fn a_repository_that_is_too_large_is_broken_off_and_swept_away() {
    let room = Room::new();
    let blob: Vec<u8> = (0..40_000_000_u64)
        .map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8 ^ (n >> 13) as u8)
        .collect();
    fs::write(room.person().join("film"), blob).unwrap();
    room.push();
    let url = room.place().url;
    let small = crate::store::command::Bounds {
        growth: 100_000,
        ..OF_SETTINGS
    };
    let said = fetched(&room, &url, small).unwrap_err().to_string();
    assert!(said.contains("broken off"), "{said}");
    let here = room.folder.path().join("here");
    assert!(bytes_below(&here.join("objects")) < 200_000);
    fetched(&room, &url, OF_SETTINGS).unwrap();
}

#[test]
fn a_tree_of_a_billion_files_ends_with_a_sentence() {
    let room = Room::new();
    room.here("config/a.yaml", "x: 1\n");
    // Each folder holds ten times the one below.
    let there = room.folder.path().join("there.git");
    let blob = room.folder.path().join("blob");
    fs::write(&blob, "x").unwrap();
    let blob = blob.display().to_string();
    let id = git(&there, &["hash-object", "-w", &blob])
        .1
        .trim()
        .to_owned();
    let (mut id, mut kind) = (id, "100644 blob");
    for depth in 0..9 {
        let lines: String = (0..10)
            .map(|n| format!("{kind} {id}\tconfig{n}\n"))
            .collect();
        let list = room.folder.path().join(format!("list-{depth}"));
        fs::write(&list, lines).unwrap();
        let made = std::process::Command::new("git")
            .arg("-C")
            .arg(&there)
            .arg("mktree")
            .stdin(fs::File::open(list).unwrap())
            .output()
            .unwrap();
        id = String::from_utf8(made.stdout).unwrap().trim().to_owned();
        kind = "040000 tree";
    }
    let commit = git(&there, &["commit-tree", &id, "-m", "many"]).1;
    git(&there, &["update-ref", "refs/heads/main", commit.trim()]);
    let began = Instant::now();
    let said = room.try_sync(&mut |_| Ok(())).unwrap_err().to_string();
    assert!(
        said.contains("look whether it is the right place"),
        "{said}"
    );
    assert!(began.elapsed() < Duration::from_secs(60));
    assert_eq!(room.ours().len(), 1);
}

/// A place whose server keeps the connection alive and takes nothing.
#[test]
fn a_place_that_moves_next_to_nothing_is_given_up() {
    let room = Room::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/slow.git", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let pause = Some(Duration::from_millis(20));
        stream.set_read_timeout(pause).unwrap();
        let mut sent = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        // A line of a head now and then, for as long as somebody listens.
        while sent.is_ok() {
            let _asked = stream.read(&mut [0; 1024]);
            sent = stream.write_all(b"X-Alive: yes\r\n");
        }
    });
    let short = crate::store::command::Bounds {
        still: Duration::from_millis(1500),
        ..OF_SETTINGS
    };
    let said = fetched(&room, &url, short).unwrap_err().to_string();
    assert!(said.contains("next to nothing was read"), "{said}");
}

#[test]
fn a_place_that_never_answers_is_given_up_with_all_that_was_started() {
    let room = Room::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/silent.git", listener.local_addr().unwrap());
    let short = crate::store::command::Bounds {
        time: Duration::from_millis(700),
        ..OF_SETTINGS
    };
    let said = fetched(&room, &url, short).unwrap_err().to_string();
    assert!(said.contains("git was ended after"), "{said}");
    // Its helper held the connection: when that is over too, we read its end.
    use std::io::Read;
    let (mut stream, _) = listener.accept().unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    let mut request = Vec::new();
    stream.read_to_end(&mut request).unwrap();
    assert!(request.starts_with(b"GET /silent.git"));
}
