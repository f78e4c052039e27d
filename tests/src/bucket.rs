//! S3-compatible storage that others wrote: moto, as `scripts/test.sh` installs it, on a free port.

use crate::processes::wait_until;
use crate::projects::test_tools;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server; it ends with its holder.
pub struct Storage {
    child: Child,
    port: u16,
}

impl Storage {
    /// Starts it; `None`, with a word on standard error, where it is not installed.
    pub fn start() -> Option<Self> {
        let program = test_tools().join("venv/bin/moto_server");
        if !program.exists() {
            eprintln!("skipped: no moto_server; scripts/test.sh installs it");
            return None;
        }
        let port = crate::port::free();
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("moto_server starts");
        let storage = Self { child, port };
        let up = wait_until(Duration::from_secs(60), || {
            TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        assert!(up, "moto_server does not listen");
        Some(storage)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Makes a bucket.
    pub fn make(&self, bucket: &str) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        let request = format!(
            "PUT /{bucket} HTTP/1.1\r\nHost: 127.0.0.1:{}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            self.port
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut said = String::new();
        stream.read_to_string(&mut said).expect("it answers");
        assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}
