//! An authority of certificates as the world has them, on this host: pebble, the test server of the people who made ACME, with a
//! name server of its own. It visits web sites at one port, and gives what it is asked for.

use crate::processes::{send, wait_until};
use nix::sys::signal::Signal;
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::json;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(20);

/// A running authority.
pub struct Authority {
    folder: tempfile::TempDir,
    /// The port of its directory.
    pub port: u16,
    /// The port at which its names are told.
    names: u16,
    running: Vec<Child>,
}

/// Whether a program is installed; what gets it is said where it is not.
fn is_there(program: &str, package: &str) -> bool {
    let there = Path::new("/usr/bin").join(program).exists();
    if !there {
        eprintln!("skipped: no {program}; `apt-get install {package}` gets it");
    }
    there
}

impl Authority {
    /// Starts one that visits sites at this port; `None` where it or certbot is not installed, which is said.
    pub fn start(http: u16) -> Option<Self> {
        let all = is_there("certbot", "certbot") && is_there("pebble", "pebble");
        if !all || !is_there("pebble-challtestsrv", "pebble") {
            return None;
        }
        let folder = tempfile::Builder::new()
            .prefix("acme-")
            .tempdir()
            .expect("a folder");
        let [port, manage, tls, dns, names] = crate::port::several();
        let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let made = params.self_signed(&key).expect("a certificate");
        let at = |name: &str| folder.path().join(name);
        fs::write(at("directory.pem"), made.pem()).expect("a file");
        fs::write(at("directory.key"), key.serialize_pem()).expect("a file");
        let settings = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{port}"), "managementListenAddress": format!("127.0.0.1:{manage}"),
            "certificate": at("directory.pem"), "privateKey": at("directory.key"), "httpPort": http, "tlsPort": tls,
            "ocspResponderURL": "", "externalAccountBindingRequired": false, "domainBlocklist": ["blocked.example"],
            "certificateValidityPeriod": 90 * 24 * 3600,
        }});
        fs::write(at("pebble.json"), settings.to_string()).expect("a file");
        let quiet = |command: &mut Command| {
            let command = command.stdin(Stdio::null()).stdout(Stdio::null());
            command.stderr(Stdio::null()).spawn().expect("it starts")
        };
        let dns = format!("127.0.0.1:{dns}");
        let mut answers = Command::new("/usr/bin/pebble-challtestsrv");
        answers.args([
            "-defaultIPv6",
            "",
            "-http01",
            "",
            "-https01",
            "",
            "-tlsalpn01",
            "",
            "-dns01",
            &dns,
        ]);
        answers.args(["-management", &format!("127.0.0.1:{names}")]);
        let mut pebble = Command::new("/usr/bin/pebble");
        pebble
            .arg("-config")
            .arg(at("pebble.json"))
            .args(["-dnsserver", &dns]);
        pebble
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0");
        pebble.env("PEBBLE_AUTHZREUSE", "0");
        let running = vec![quiet(&mut answers), quiet(&mut pebble)];
        let one = Self {
            folder,
            port,
            names,
            running,
        };
        for port in [port, names] {
            let up = || TcpStream::connect(("127.0.0.1", port)).is_ok();
            assert!(wait_until(PATIENCE, up), "the authority did not start");
        }
        Some(one)
    }

    /// Where its directory lies.
    pub fn directory(&self) -> String {
        format!("https://localhost:{}/dir", self.port)
    }

    /// The file by which its directory is trusted.
    pub fn trusted(&self) -> PathBuf {
        self.folder.path().join("directory.pem")
    }

    /// Has a name lead to another address than this host's.
    pub fn leads(&self, name: &str, address: &str) {
        let body = json!({"host": name, "addresses": [address]}).to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.names)).expect("it listens");
        let length = body.len();
        write!(
            stream,
            "POST /add-a HTTP/1.0\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        assert!(answer.contains(" 200 "), "{answer}");
    }

    /// It hears everything and says nothing, or goes on.
    pub fn hold(&self, still: bool) {
        let signal = if still {
            Signal::SIGSTOP
        } else {
            Signal::SIGCONT
        };
        send(self.running.last().expect("it runs").id(), signal);
    }

    /// It is gone.
    pub fn stop(&mut self) {
        for one in &mut self.running {
            send(one.id(), Signal::SIGKILL);
            let _ended = one.wait();
        }
        self.running.clear();
    }

    /// One in its place that has no time for anybody: 429, and when to ask again.
    pub fn is_busy(&mut self, retry_after: &str) {
        self.stop();
        let problem = json!({"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many certificates already issued", "status": 429});
        let program = format!(
            "import http.server,ssl\n\
             class Busy(http.server.BaseHTTPRequestHandler):\n\
             \x20def do_GET(self):\n\
             \x20 b={body:?}.encode(); self.send_response(429); self.send_header('Retry-After',{retry_after:?}); self.send_header('Content-Type','application/problem+json'); self.send_header('Content-Length',str(len(b))); self.end_headers(); self.wfile.write(b)\n\
             \x20do_HEAD=do_GET\n\
             s=http.server.HTTPServer(('127.0.0.1',{port}),Busy); c=ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER); c.load_cert_chain('directory.pem','directory.key')\n\
             s.socket=c.wrap_socket(s.socket,server_side=True); s.serve_forever()\n",
            body = problem.to_string(),
            port = self.port,
        );
        let mut python = Command::new("/usr/bin/python3");
        python
            .args(["-c", &program])
            .current_dir(self.folder.path());
        let child = python.stdin(Stdio::null()).stderr(Stdio::null()).spawn();
        self.running.push(child.expect("python starts"));
        let up = || TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        assert!(wait_until(PATIENCE, up), "nobody listens");
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        self.stop();
    }
}
