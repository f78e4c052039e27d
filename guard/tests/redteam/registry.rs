//! A registry on the host, as careless as servers are: it believes every header, tidies paths up by itself, and answers
//! one question after another on the same connection. Below `/kept/` is what programs may fetch; everywhere else it tells
//! its secret.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest wait for the next question before looking whether it is over.
const LOOK: Duration = Duration::from_millis(20);

pub struct Registry {
    pub port: u16,
    over: Arc<AtomicBool>,
}

impl Registry {
    /// One that leads to `elsewhere` where it is asked for `/kept/away`.
    pub fn start(secret: &str, elsewhere: u16) -> Registry {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        listener.set_nonblocking(true).unwrap();
        let over = Arc::<AtomicBool>::default();
        let (ended, secret) = (over.clone(), secret.to_owned());
        std::thread::spawn(move || {
            while !ended.load(Ordering::Relaxed) {
                match listener.accept() {
                    Ok((stream, _)) => {
                        let (secret, ended) = (secret.clone(), ended.clone());
                        std::thread::spawn(move || serve(stream, &secret, elsewhere, &ended));
                    }
                    Err(_) => std::thread::sleep(LOOK),
                }
            }
        });
        Registry { port, over }
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

fn serve(mut stream: TcpStream, secret: &str, elsewhere: u16, over: &AtomicBool) {
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(LOOK)).unwrap();
    let (mut came, mut buffer) = (Vec::new(), [0; 4096]);
    while !over.load(Ordering::Relaxed) {
        let text = String::from_utf8_lossy(&came).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            came = rest.as_bytes().to_vec();
            let _gone = stream.write_all(answer(head, secret, elsewhere).as_bytes());
            continue;
        }
        match stream.read(&mut buffer) {
            Ok(0) => return,
            Ok(count) => came.extend_from_slice(&buffer[..count]),
            Err(_) => {}
        }
    }
}

fn answer(head: &str, secret: &str, elsewhere: u16) -> String {
    let mut words = head.lines().next().unwrap_or_default().split(' ');
    let (method, path) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let header = |wanted: &str| {
        let of = |line: &str| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted)
                .then(|| value.trim().to_owned())
        };
        head.split(['\r', '\n']).skip(1).find_map(of)
    };
    let path = header("x-original-url").unwrap_or_else(|| path.to_owned());
    let path = path.replace("%2e", ".").replace("%2f", "/");
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/').filter(|part| !part.is_empty()) {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let meant = header("host").is_none_or(|host| host.starts_with("127.0.0.1"));
    let (status, more, body) = match parts.as_slice() {
        ["kept", "echo", ..] => (
            "200 OK",
            String::new(),
            header("authorization").unwrap_or_default(),
        ),
        ["kept", "away", ..] => {
            let to = format!("Location: http://127.0.0.1:{elsewhere}/\r\n");
            ("302 Found", to, String::new())
        }
        ["kept", ..] if method == "GET" && meant => {
            ("200 OK", String::new(), "a package".to_owned())
        }
        _ => ("200 OK", String::new(), secret.to_owned()),
    };
    format!(
        "HTTP/1.1 {status}\r\n{more}Content-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}
