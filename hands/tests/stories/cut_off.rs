//! What was begun and not heard of any more, or told to stop in its middle: nobody says that it was not done. The engine is one
//! of the test's own, which answers, holds its answer back, or hangs up when it likes.

use super::{HANDS, Warden, ends};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::duty::order::{End, Order, Outcome, Wish};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tests::processes::wait_until;

const PATIENCE: Duration = Duration::from_secs(60);

/// What becomes of a POST.
#[derive(Clone, Copy, PartialEq)]
enum Post {
    /// It is done, and nobody is told.
    HangsUp,
    /// It is answered, and nothing after it.
    IsTheLast,
    /// It is never answered.
    IsHeld,
}

struct Engine {
    folder: tempfile::TempDir,
    posts: Arc<AtomicUsize>,
}

impl Engine {
    fn with(post: Post) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("engine.sock")).unwrap();
        let posts = Arc::new(AtomicUsize::new(0));
        let seen = posts.clone();
        std::thread::spawn(move || {
            let held = Mutex::new(Vec::new());
            for stream in listener.incoming().flatten() {
                let Some(head) = head(&stream) else { continue };
                let before = seen.load(Ordering::SeqCst);
                if head.starts_with("POST") {
                    seen.fetch_add(1, Ordering::SeqCst);
                    match post {
                        Post::HangsUp => {}
                        Post::IsTheLast => answer(&stream, "204 No Content", ""),
                        Post::IsHeld => held.lock().unwrap().push(stream),
                    }
                } else if before == 0 || post == Post::HangsUp {
                    let now = json!({"Id": "1", "Name": "/shop", "State": {"Running": before > 0, "Status": "x"}});
                    answer(&stream, "200 OK", &now.to_string());
                }
            }
        });
        Self { folder, posts }
    }

    fn warden(&self) -> Warden {
        let socket = self.folder.path().join("engine.sock");
        let mut warden = Warden::new(
            json!({"services": {}, "sites": null, "packages": null, "containers": {"socket": socket, "names": ["shop"], "images": ["shop:1"]}}),
        );
        warden.number = 1;
        warden
    }

    fn posts(&self) -> usize {
        self.posts.load(Ordering::SeqCst)
    }
}

fn head(stream: &UnixStream) -> Option<String> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next()?.ok()?;
    lines
        .map_while(Result::ok)
        .find(String::is_empty)
        .map(|_| first)
}

fn answer(mut stream: &UnixStream, status: &str, body: &str) {
    let length = body.len();
    let text =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    let _may_be_gone = stream.write_all(text.as_bytes());
}

fn start() -> Value {
    json!({"duty": "container", "name": "shop", "verb": "start"})
}

/// Hands that work on an order.
fn begun(order: &Order) -> Child {
    let mut hands = Command::new(HANDS)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    serde_json::to_writer(hands.stdin.take().unwrap(), order).unwrap();
    hands
}

fn told(hands: &Child, word: Signal) {
    kill(Pid::from_raw(hands.id().cast_signed()), word).unwrap();
}

fn said(hands: Child) -> Outcome {
    let out = hands.wait_with_output().unwrap();
    serde_json::from_slice(&out.stdout).unwrap()
}

#[test]
fn a_container_whose_engine_hangs_up_is_not_told_as_not_done() {
    for post in [Post::HangsUp, Post::IsTheLast] {
        let engine = Engine::with(post);
        let warden = engine.warden();
        let seen = warden.look(&start()).before;
        let made = warden.give(&warden.order(Wish::Make, &start(), seen.clone()));
        ends(&made, End::Unknown, "nobody knows yet how it ended");
        let settled = warden.give(&warden.order(Wish::Settle, &start(), seen));
        match post {
            Post::HangsUp => ends(&settled, End::Done, "before the interruption"),
            _ => ends(&settled, End::Unknown, "does not answer"),
        }
        assert_eq!(engine.posts(), 1);
    }
}

#[test]
fn a_freeze_waits_for_no_engine() {
    let pull = json!({"duty": "pull_image", "image": "shop:1"});
    for (duty, end, words) in [
        (start(), End::Unknown, "nobody knows yet how it ended"),
        (pull, End::Failed, "was not fetched: it was told to stop"),
    ] {
        let engine = Engine::with(Post::IsHeld);
        let warden = engine.warden();
        let seen = warden.look(&duty).before;
        let mut hands = begun(&warden.order(Wish::Make, &duty, seen));
        assert!(wait_until(PATIENCE, || engine.posts() == 1));
        told(&hands, Signal::SIGTERM);
        // The engine itself would be waited for longer.
        let soon = PATIENCE / 2;
        assert!(wait_until(soon, || hands.try_wait().unwrap().is_some()));
        ends(&said(hands), end, words);
    }
}

/// The word comes while the hands still wait for their order, so it is heard before anything is begun.
#[test]
fn nothing_is_begun_after_the_word_to_stop() {
    let engine = Engine::with(Post::HangsUp);
    let mut warden = engine.warden();
    let file = engine.folder.path().canonicalize().unwrap().join("a.conf");
    warden.terms.files = vec![file.display().to_string().parse().unwrap()];
    for duty in [
        start(),
        json!({"duty": "put_file", "path": file, "text": "x"}),
    ] {
        let seen = warden.look(&duty).before;
        let order = warden.order(Wish::Make, &duty, seen);
        let mut hands = Command::new(HANDS)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let listens = || {
            let status = std::fs::read_to_string(format!("/proc/{}/status", hands.id())).unwrap();
            let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
            let caught = u64::from_str_radix(caught.unwrap().trim(), 16).unwrap();
            caught & (1 << (Signal::SIGTERM as u64 - 1)) != 0
        };
        assert!(wait_until(PATIENCE, listens));
        told(&hands, Signal::SIGTERM);
        serde_json::to_writer(hands.stdin.take().unwrap(), &order).unwrap();
        ends(&said(hands), End::Not, "told to stop (freeze)");
    }
    assert!(engine.posts() == 0 && !file.exists());
}
