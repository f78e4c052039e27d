//! A tiny web server that counts what requests make happen: with an `Idempotency-Key` it does the
//! same request once, and it can keep its answers back, so that a story may kill whoever waits.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

#[derive(Debug, Default)]
struct Seen {
    /// Effects by path.
    effects: BTreeMap<String, u64>,
    /// Requests by path.
    requests: BTreeMap<String, u64>,
    keys: Vec<String>,
    held: bool,
}

/// The server; its threads end with the test process.
pub struct Hooks {
    url: String,
    state: Arc<(Mutex<Seen>, Condvar)>,
}

impl Hooks {
    /// Starts it on a free port.
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/in", listener.local_addr().expect("an address"));
        let state: Arc<(Mutex<Seen>, Condvar)> = Arc::default();
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                std::thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { url, state }
    }

    /// The address that endpoints are granted at.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Keeps answers back from now on, or lets them go.
    pub fn hold(&self, held: bool) {
        let (seen, changed) = &*self.state;
        seen.lock().expect("not poisoned").held = held;
        changed.notify_all();
    }

    /// How often a path's effect was made.
    pub fn effects(&self, path: &str) -> u64 {
        let seen = self.state.0.lock().expect("not poisoned");
        seen.effects.get(path).copied().unwrap_or(0)
    }

    /// How often a path was asked.
    pub fn requests(&self, path: &str) -> u64 {
        let seen = self.state.0.lock().expect("not poisoned");
        seen.requests.get(path).copied().unwrap_or(0)
    }
}

fn serve(mut stream: TcpStream, state: &(Mutex<Seen>, Condvar)) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut bytes = Vec::new();
    let mut chunk = [0; 1024];
    while !bytes.windows(4).any(|end| end == b"\r\n\r\n") {
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default();
    let path = path.trim_start_matches("/in/").to_owned();
    let key = text.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("idempotency-key")
            .then(|| value.to_owned())
    });
    let (seen, changed) = state;
    let mut seen = seen.lock().expect("not poisoned");
    *seen.requests.entry(path.clone()).or_default() += 1;
    let done = key.as_ref().is_some_and(|key| seen.keys.contains(key));
    if !done {
        *seen.effects.entry(path).or_default() += 1;
        seen.keys.extend(key);
    }
    while seen.held {
        seen = changed.wait(seen).expect("not poisoned");
    }
    drop(seen);
    let _ =
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok");
}
