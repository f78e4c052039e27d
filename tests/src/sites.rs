//! A web server as an install has one: a main file that includes a folder, running, with a site of its own that answers
//! for every name nobody else does. Its ports and folders are the test's.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server.
pub struct Sites {
    folder: tempfile::TempDir,
    /// The port of HTTP.
    pub http: u16,
    /// The port of HTTPS.
    pub https: u16,
    process: Child,
}

const MAIN: &str = "
USER daemon off; worker_processes 1; error_log FOLDER/log/error.log; pid FOLDER/nginx.pid;
events { worker_connections 64; }
http {
  access_log FOLDER/log/access.log; client_body_temp_path FOLDER/t1; proxy_temp_path FOLDER/t2; fastcgi_temp_path FOLDER/t3; uwsgi_temp_path FOLDER/t4; scgi_temp_path FOLDER/t5;
  server { listen 127.0.0.1:HTTP default_server; server_name _; return 404; }
  include FOLDER/etc/conf.d/*.conf;
}
";

impl Sites {
    /// Starts one; `None` where nginx is not installed, which is said.
    pub fn start() -> Option<Self> {
        let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
        let Some(program) = program.iter().find(|path| Path::new(path).exists()) else {
            eprintln!("skipped: no nginx; `apt-get install nginx-light` gets it");
            return None;
        };
        let folder = tempfile::Builder::new()
            .prefix("sites-")
            .tempdir()
            .expect("a folder");
        for name in ["etc/conf.d", "log", "www/shop", "certs"] {
            std::fs::create_dir_all(folder.path().join(name)).expect("a folder");
        }
        std::fs::write(folder.path().join("www/shop/index.html"), "the shop\n").expect("a page");
        let ports = crate::port::several::<2>();
        let user = if nix::unistd::geteuid().is_root() {
            "user root;"
        } else {
            ""
        };
        let main = MAIN
            .replace("USER", user)
            .replace("FOLDER", &folder.path().display().to_string())
            .replace("HTTP", &ports[0].to_string());
        let file = folder.path().join("etc/nginx.conf");
        std::fs::write(&file, main).expect("settings");
        let process = Command::new(program)
            .args(["-e", "stderr", "-c"])
            .arg(&file)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx starts");
        let sites = Self {
            folder,
            http: ports[0],
            https: ports[1],
            process,
        };
        let up = || TcpStream::connect(("127.0.0.1", ports[0])).is_ok();
        assert!(
            crate::processes::wait_until(Duration::from_secs(20), up),
            "nginx did not start"
        );
        Some(sites)
    }

    /// A path below its folder.
    pub fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The same as text.
    pub fn text(&self, path: &str) -> String {
        self.at(path).display().to_string()
    }

    /// What permissions.yaml says of it below `sites`.
    pub fn granted(&self, names: &str) -> String {
        format!(
            "{{agents: [infra], names: [{names}], roots: ['{}'], upstreams: ['127.0.0.1:9'], config: '{}', folder: '{}', certificates: '{}', address: 127.0.0.1, http: {}, https: {}}}",
            self.text("www"),
            self.text("etc/nginx.conf"),
            self.text("etc/conf.d"),
            self.text("certs"),
            self.http,
            self.https,
        )
    }

    /// What a visitor of a name gets: the status line and the body.
    pub fn visit(&self, name: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.http)).expect("it listens");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: {name}\r\n\r\n").expect("it reads");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        answer
    }

    /// What permissions.yaml says of an authority below `certificates`; the sites' certificates lie in `acme/live` then.
    pub fn granted_with(
        &self,
        names: &str,
        authority: &crate::acme::Authority,
    ) -> (String, String) {
        let sites = self
            .granted(names)
            .replace(&self.text("certs"), &self.text("acme/live"));
        let certificates = format!(
            "{{agents: [infra], mail: ada@shop.example, directory: '{}', trusted: '{}', work: '{}'}}",
            authority.directory(),
            authority.trusted().display(),
            self.text("work"),
        );
        (sites, certificates)
    }

    /// Has the server read its settings and certificates again.
    pub fn reload(&self) {
        crate::processes::send(self.process.id(), nix::sys::signal::Signal::SIGHUP);
    }

    /// What certbot got for a name becomes one that ends in nine days, signed by itself.
    pub fn age(&self, name: &str) {
        let day = |from_now: i64| {
            let now = std::time::SystemTime::now();
            let now = now
                .duration_since(std::time::UNIX_EPOCH)
                .expect("a clock")
                .as_secs();
            let then = now as i64 / 86_400 + from_now;
            rcgen::date_time_ymd(1970, 1, 1) + std::time::Duration::from_secs(then as u64 * 86_400)
        };
        let mut params = rcgen::CertificateParams::new([name.to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (day(-81), day(9));
        let key = rcgen::KeyPair::generate().expect("a key");
        let pem = params.self_signed(&key).expect("a certificate").pem();
        let folder = self.at("acme/live").join(name);
        for (file, text) in [
            ("fullchain.pem", &pem),
            ("cert.pem", &pem),
            ("privkey.pem", &key.serialize_pem()),
        ] {
            std::fs::write(folder.join(file), text).expect("a file");
        }
        self.reload();
    }

    /// A certificate that the server can serve, for a name.
    pub fn certify(&self, name: &str) {
        let folder = self.at("certs").join(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
        std::fs::write(folder.join("fullchain.pem"), made.cert.pem()).expect("a file");
        std::fs::write(folder.join("privkey.pem"), made.signing_key.serialize_pem())
            .expect("a file");
    }
}

impl Drop for Sites {
    fn drop(&mut self) {
        // The master ends its workers; killed, it would leave them.
        crate::processes::send(self.process.id(), nix::sys::signal::Signal::SIGTERM);
        let _ended = self.process.wait();
    }
}
