//! A way to a server that does not always carry: connections that end before they began, that are cut off in the middle
//! of what is sent or answered, and a word of a proxy that has lost its server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It ends as soon as it began.
    Gone,
    /// A 503 for whatever was asked.
    Busy,
    /// So many bytes of what is sent arrive, and then it ends.
    SentCut(usize),
    /// So many bytes of the answer arrive, and then it ends.
    AnswerCut(usize),
}

/// The way; its threads end with the test process.
pub struct Flaky {
    port: u16,
    fates: Arc<Mutex<(Vec<Fate>, Option<Fate>)>>,
}

impl Flaky {
    /// Leads to a port of this machine.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let own = listener.local_addr().expect("an address").port();
        let fates: Arc<Mutex<(Vec<Fate>, Option<Fate>)>> = Arc::default();
        let shared = fates.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let fate = {
                    let mut fates = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    fates.0.pop().or(fates.1)
                };
                thread::spawn(move || carry(stream, port, fate));
            }
        });
        Self { port: own, fates }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What becomes of the next connections, and of all after them.
    pub fn set(&self, next: &[Fate], then: Option<Fate>) {
        let next = next.iter().rev().copied().collect();
        *self.fates.lock().unwrap_or_else(PoisonError::into_inner) = (next, then);
    }

    /// How many of the next ones have not come yet.
    pub fn left(&self) -> usize {
        self.fates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .0
            .len()
    }
}

fn carry(mut near: TcpStream, port: u16, fate: Option<Fate>) {
    if fate == Some(Fate::Gone) {
        return;
    }
    if fate == Some(Fate::Busy) {
        let _asked = near.read(&mut [0; 4096]);
        let said = "HTTP/1.1 503 x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        let _gone = near.write_all(said.as_bytes());
        return;
    }
    let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else {
        return;
    };
    let (Ok(near_too), Ok(far_too)) = (near.try_clone(), far.try_clone()) else {
        return;
    };
    let (sent, answered) = match fate {
        Some(Fate::SentCut(bytes)) => (bytes, usize::MAX),
        Some(Fate::AnswerCut(bytes)) => (usize::MAX, bytes),
        _ => (usize::MAX, usize::MAX),
    };
    let there = thread::spawn(move || pump(near_too, far_too, sent));
    pump(far, near, answered);
    let _ended = there.join();
}

/// Carries so many bytes; then both ends are closed.
fn pump(mut from: TcpStream, mut to: TcpStream, mut left: usize) {
    let mut buffer = [0; 16 * 1024];
    while left > 0 {
        let most = buffer.len().min(left);
        match from.read(&mut buffer[..most]) {
            Ok(read) if read > 0 && to.write_all(&buffer[..read]).is_ok() => left -= read,
            _ => break,
        }
    }
    let _closed = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
