//! A web server of the tests' own: one process of nginx on free ports of 127.0.0.1, with certificates by an authority
//! that the test makes. It ends with whoever wanted it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server.
pub struct Nginx {
    folder: tempfile::TempDir,
    /// The port without protection.
    pub plain: u16,
    /// The port of a certificate that is in order.
    pub good: u16,
    /// The port of one that has ended.
    pub expired: u16,
    /// The port of one that holds for another name.
    pub strange: u16,
    process: Child,
}

/// Everything that is not what a test says about its pages.
const SETTINGS: &str = "
daemon off; master_process off; worker_processes 1; error_log FOLDER/error.log; pid FOLDER/nginx.pid;
events { worker_connections 64; }
http {
  access_log FOLDER/access.log; client_body_temp_path FOLDER/t1; proxy_temp_path FOLDER/t2; fastcgi_temp_path FOLDER/t3; uwsgi_temp_path FOLDER/t4; scgi_temp_path FOLDER/t5;
  types { text/html html; image/png png; text/css css; }
  server {
    listen 127.0.0.1:PLAIN; listen 127.0.0.1:GOOD ssl;
    ssl_certificate FOLDER/good.crt; ssl_certificate_key FOLDER/good.key;
    root FOLDER/pages;
    LOCATIONS
  }
  server { listen 127.0.0.1:EXPIRED ssl; ssl_certificate FOLDER/expired.crt; ssl_certificate_key FOLDER/expired.key; root FOLDER/pages; }
  server { listen 127.0.0.1:STRANGE ssl; ssl_certificate FOLDER/strange.crt; ssl_certificate_key FOLDER/strange.key; root FOLDER/pages; }
}
";

/// Starts one with these pages and `location` blocks, in which GOOD and PLAIN stand for its ports; `None` where nginx is not
/// installed, which is said.
pub fn start(pages: &[(&str, &str)], locations: &str) -> Option<Nginx> {
    let program = ["/usr/sbin/nginx", "/usr/bin/nginx", "/usr/local/sbin/nginx"];
    let Some(program) = program.iter().find(|path| Path::new(path).exists()) else {
        eprintln!("skipped: no nginx; `apt-get install nginx-light` gets it");
        return None;
    };
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path();
    let ports = crate::port::several::<4>();
    certify(place);
    let fill = |text: &str| {
        text.replace("FOLDER", &place.display().to_string())
            .replace("PLAIN", &ports[0].to_string())
            .replace("GOOD", &ports[1].to_string())
            .replace("EXPIRED", &ports[2].to_string())
            .replace("STRANGE", &ports[3].to_string())
    };
    for (path, text) in pages {
        let path = place.join("pages").join(path);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, fill(text)).expect("a page");
    }
    let user = match nix::unistd::geteuid().is_root() {
        true => "user root;",
        false => "",
    };
    let settings = format!("{user}{}", SETTINGS.replace("LOCATIONS", locations));
    std::fs::write(place.join("nginx.conf"), fill(&settings)).expect("settings");
    let process = Command::new(program)
        .arg("-p")
        .arg(place)
        .arg("-c")
        .arg(place.join("nginx.conf"))
        .arg("-e")
        .arg(place.join("error.log"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx starts");
    let server = Nginx {
        plain: ports[0],
        good: ports[1],
        expired: ports[2],
        strange: ports[3],
        process,
        folder,
    };
    let up = || {
        ports
            .iter()
            .all(|port| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok())
    };
    let ready = crate::processes::wait_until(Duration::from_secs(20), up);
    let log = std::fs::read_to_string(server.folder.path().join("error.log")).unwrap_or_default();
    assert!(ready, "nginx did not start:\n{log}");
    Some(server)
}

impl Nginx {
    /// The certificate of the authority that vouches for `localhost`.
    pub fn authority(&self) -> PathBuf {
        self.folder.path().join("authority.crt")
    }

    /// What was asked of it, a line a request.
    pub fn asked(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("access.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn certify(folder: &Path) {
    use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
    let key = KeyPair::generate().expect("a key");
    let mut of_authority = CertificateParams::default();
    of_authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    of_authority
        .distinguished_name
        .push(rcgen::DnType::CommonName, "Authority of the tests");
    let authority = of_authority.self_signed(&key).expect("a certificate").pem();
    std::fs::write(folder.join("authority.crt"), authority).expect("a file");
    let issuer = Issuer::new(of_authority, key);
    for (file, name, until) in [
        ("good", "localhost", date_time_ymd(2099, 1, 1)),
        ("expired", "localhost", date_time_ymd(2024, 3, 1)),
        ("strange", "elsewhere.example", date_time_ymd(2099, 1, 1)),
    ] {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new([name.to_owned()]).expect("names");
        params.not_before = date_time_ymd(2023, 1, 1);
        params.not_after = until;
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let signed = params
            .signed_by(&key, &issuer)
            .expect("a certificate")
            .pem();
        std::fs::write(folder.join(format!("{file}.crt")), signed).expect("a file");
        std::fs::write(folder.join(format!("{file}.key")), key.serialize_pem()).expect("a file");
    }
}
