//! Git over https as people serve it: nginx asks for a password, git's own `http-backend` does the rest. It ends with its
//! holder.

use crate::nginx::{self, Nginx};
use crate::processes::wait_until;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What nginx is told, with three places left open.
const LOCATION: &str = r#"
location ~ ^/git(/.*)$ {
  client_max_body_size 0; auth_basic "kept"; auth_basic_user_file OWN/passwords;
  fastcgi_pass unix:OWN/socket;
  fastcgi_param SCRIPT_FILENAME BACKEND; fastcgi_param GIT_HTTP_EXPORT_ALL 1; fastcgi_param GIT_PROJECT_ROOT OWN/git;
  fastcgi_param PATH_INFO $1; fastcgi_param REMOTE_USER $remote_user; fastcgi_param QUERY_STRING $query_string;
  fastcgi_param REQUEST_METHOD $request_method; fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
}
"#;

/// A running server, with the empty repository `kept.git`.
pub struct GitHttps {
    /// The web server in front.
    pub nginx: Nginx,
    folder: tempfile::TempDir,
    wrap: Child,
}

/// Starts one that lets `x-access-token` with this token in; `None`, with a word on standard error, where something is
/// not installed.
pub fn start(token: &str) -> Option<GitHttps> {
    start_beside(token, "")
}

/// The same, beside other `location` blocks of nginx.
pub fn start_beside(token: &str, others: &str) -> Option<GitHttps> {
    let wrap = ["/usr/sbin/fcgiwrap", "/usr/bin/fcgiwrap"];
    let Some(wrap) = wrap.iter().find(|path| Path::new(path).exists()) else {
        eprintln!("skipped: no fcgiwrap; `apt-get install fcgiwrap` gets it");
        return None;
    };
    let asked = Command::new("git")
        .arg("--exec-path")
        .output()
        .expect("git runs");
    let backend = String::from_utf8_lossy(&asked.stdout).trim().to_owned() + "/git-http-backend";
    let folder = tempfile::tempdir().expect("a folder");
    let own = folder.path().display().to_string();
    fs::write(
        folder.path().join("passwords"),
        format!("x-access-token:{{PLAIN}}{token}\n"),
    )
    .expect("a file");
    let made = Command::new("git")
        .args(["init", "-q", "--bare"])
        .arg(folder.path().join("git/kept.git"))
        .status();
    assert!(made.expect("git runs").success());
    let location = LOCATION.replace("OWN", &own).replace("BACKEND", &backend);
    let nginx = nginx::start(&[], &(location + others))?;
    let socket = folder.path().join("socket");
    let wrap = Command::new(wrap)
        .arg("-s")
        .arg(format!("unix:{}", socket.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("fcgiwrap starts");
    let server = GitHttps {
        nginx,
        folder,
        wrap,
    };
    assert!(wait_until(Duration::from_secs(20), || socket.exists()));
    Some(server)
}

impl GitHttps {
    /// The address of the repository, behind a certificate that is in order.
    pub fn url(&self) -> String {
        format!("https://localhost:{}/git/kept.git", self.nginx.good)
    }

    /// The repository itself.
    pub fn repository(&self) -> PathBuf {
        self.folder.path().join("git/kept.git")
    }
}

impl Drop for GitHttps {
    fn drop(&mut self) {
        let _ended = self.wrap.kill();
        let _reaped = self.wrap.wait();
    }
}
