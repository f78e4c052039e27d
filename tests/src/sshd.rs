//! A server of OpenSSH on a free port, with keys of its own: a place for git repositories that is reached as a person's
//! would be. It ends with its holder.

use crate::processes::wait_until;
use std::fs;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running server.
pub struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    process: Child,
}

impl Sshd {
    /// Starts it; nobody may log in yet. `None`, with a word on standard error, where it is not installed.
    pub fn start() -> Option<Self> {
        let program = Path::new("/usr/sbin/sshd");
        if !program.exists() {
            eprintln!("skipped: no sshd; `apt-get install openssh-server` gets it");
            return None;
        }
        if nix::unistd::geteuid().is_root() {
            fs::create_dir_all("/run/sshd").expect("its folder");
        }
        let folder = tempfile::tempdir().expect("a folder");
        let port = crate::port::free();
        let at = |name: &str| folder.path().join(name).display().to_string();
        for name in ["host", "user", "other"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f", &at(name)])
                .status();
            assert!(made.expect("ssh-keygen runs").success());
        }
        fs::write(at("authorized"), "").expect("a file");
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n",
            at("host"),
            at("authorized"),
        );
        fs::write(at("sshd_config"), settings).expect("settings");
        let process = Command::new(program)
            .args(["-D", "-f", &at("sshd_config"), "-E", &at("log")])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("sshd starts");
        let sshd = Self {
            folder,
            port,
            process,
        };
        let up = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        let ready = wait_until(Duration::from_secs(20), up);
        let log = fs::read_to_string(sshd.at("log")).unwrap_or_default();
        assert!(ready, "sshd did not start:\n{log}");
        Some(sshd)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The address of a repository of this machine.
    pub fn url(&self, repository: &Path) -> String {
        let user = nix::unistd::User::from_uid(nix::unistd::geteuid());
        let user = user.expect("users").expect("a user").name;
        format!(
            "ssh://{user}@127.0.0.1:{}{}",
            self.port,
            repository.display()
        )
    }

    /// The file of the private key that may be let in.
    pub fn key(&self) -> PathBuf {
        self.at("user")
    }

    /// The file in which this server's host key is to be looked for.
    pub fn known_hosts(&self) -> PathBuf {
        self.at("known_hosts")
    }

    /// Writes the key of this server, or another one, into that file.
    pub fn is_known_by(&self, key: &str) {
        let public = fs::read_to_string(self.at(&format!("{key}.pub"))).expect("a key");
        let line = format!("[127.0.0.1]:{} {public}", self.port);
        fs::write(self.known_hosts(), line).expect("a file");
    }

    /// Lets that key in.
    pub fn let_in(&self) {
        fs::copy(self.at("user.pub"), self.at("authorized")).expect("a file");
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ended = self.process.kill();
        let _reaped = self.process.wait();
    }
}
