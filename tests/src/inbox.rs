//! Where notices arrive: a small web server that keeps what is posted to it, and a real mail server that others
//! wrote (aiosmtpd, as `scripts/test.sh` installs it).

use crate::processes::wait_until;
use crate::projects::test_tools;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was posted; its threads end with the test process.
pub struct Posts {
    address: String,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Posts {
    /// Starts it on a free port. It refuses the first few; it answers `words` to the others.
    pub fn start(refuses: usize, words: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = format!("http://{}", listener.local_addr().expect("an address"));
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let shared = seen.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                take(stream, &shared, refuses, words);
            }
        });
        Self { address, seen }
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.address
    }

    /// Every request, whole, those that were refused too.
    pub fn all(&self) -> Vec<String> {
        self.seen.lock().expect("not poisoned").clone()
    }
}

fn take(mut stream: TcpStream, seen: &Mutex<Vec<String>>, refuses: usize, words: &str) {
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let head = text.find("\r\n\r\n").map(|at| at + 4);
        let length = text.to_lowercase().lines().find_map(|line| {
            let value = line.strip_prefix("content-length:")?;
            value.trim().parse::<usize>().ok()
        });
        if head.is_some_and(|head| bytes.len() >= head + length.unwrap_or(0)) {
            break;
        }
        match stream.read(&mut chunk) {
            Ok(read) if read > 0 => bytes.extend_from_slice(&chunk[..read]),
            _ => return,
        }
    }
    let mut seen = seen.lock().expect("not poisoned");
    seen.push(String::from_utf8_lossy(&bytes).into_owned());
    let status = match seen.len() > refuses {
        true => "200 OK",
        false => "503 Service Unavailable",
    };
    let length = words.len();
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{words}"
    );
    let _gone = stream.write_all(answer.as_bytes());
}

/// A mail server; it ends with its holder.
pub struct Mails {
    child: Child,
    port: u16,
    folder: PathBuf,
}

impl Mails {
    /// Starts it; `None`, with a word on standard error, where it is not installed.
    pub fn start(folder: &Path) -> Option<Self> {
        let program = test_tools().join("venv/bin/aiosmtpd");
        if !program.exists() {
            eprintln!("skipped: no aiosmtpd; scripts/test.sh installs it");
            return None;
        }
        let port = crate::port::free();
        let folder = folder.join("box");
        let child = Command::new(program)
            .args(["-n", "-l", &format!("127.0.0.1:{port}")])
            .args(["-c", "aiosmtpd.handlers.Mailbox"])
            .arg(&folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("aiosmtpd starts");
        let mails = Self {
            child,
            port,
            folder,
        };
        let up = wait_until(Duration::from_secs(60), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(up, "aiosmtpd does not listen");
        Some(mails)
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Every mail that arrived, whole.
    pub fn all(&self) -> Vec<String> {
        let new = std::fs::read_dir(self.folder.join("new"));
        let mails = new.into_iter().flatten().flatten();
        let texts = mails.map(|mail| std::fs::read_to_string(mail.path()).expect("a mail"));
        texts.collect()
    }
}

impl Drop for Mails {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
