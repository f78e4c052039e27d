//! The host as an attempt finds it: a folder of things that nothing inside may reach, all of them
//! open to every user, so that no permission of a file is taken for a wall of the sandbox.

use super::case::{Case, Part};
use super::listeners::Listeners;
use super::registry::Registry;
use guard::clone::{self, Clone};
use guard::sandbox::spec::Owner;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// Who works where root owns the workspace.
const SERVICE: Owner = Owner {
    uid: 64321,
    gid: 64321,
};

pub struct World {
    pub outside: TempDir,
    pub workspace: PathBuf,
    pub clone: Clone,
    pub listeners: Listeners,
    pub registry: Registry,
    victim: Child,
    /// The secret, open and inherited by whatever is not closed.
    open: OwnedFd,
    /// Printed by whoever did what it should not; never part of the words that do it.
    product: (u64, u64),
}

impl World {
    pub fn new(case: &Case, canary: &str) -> Result<World, String> {
        let outside = tempfile::Builder::new()
            .prefix("redteam-")
            .tempdir_in("/var/tmp")
            .map_err(|e| e.to_string())?;
        let at = |name: &str| outside.path().join(name);
        open_to_all(outside.path());
        for folder in ["home", "home/agents", "home/MEMORY", "drop", "shop"] {
            std::fs::create_dir(at(folder)).unwrap();
            open_to_all(&at(folder));
        }
        for (file, text) in [
            ("secret", canary),
            ("home/permissions.yaml", "defaults: {level: 1}\n"),
            ("home/agents/code.md", "You write code.\n"),
            ("home/MEMORY/notes.md", "Nothing yet.\n"),
            ("home/ledger.db", canary),
            ("home/redis.conf", canary),
        ] {
            std::fs::write(at(file), text).unwrap();
            open_to_all(&at(file));
        }
        let listeners = Listeners::start(&at("socket"), canary);
        let registry = Registry::start(canary, listeners.tcp);
        let workspace = at("shop");
        lay_out(case, &workspace, outside.path(), canary)?;
        let owner = clone::owner_of(&workspace, SERVICE).map_err(|e| e.to_string())?;
        // The clone lies where no attempt is bound: in the holder's own folder.
        let clone = clone::make(&workspace, &at("t1"), owner).map_err(|e| e.to_string())?;
        let mut sleeper = Command::new("sleep");
        sleeper
            .arg("600")
            .arg0(format!("sleeper-{canary}"))
            .env_clear()
            .env("VICTIMS_TOKEN", canary)
            .current_dir(outside.path())
            .stdin(Stdio::null());
        if nix::unistd::geteuid().is_root() {
            sleeper.uid(owner.uid).gid(owner.gid);
        }
        let victim = sleeper.spawn().map_err(|e| e.to_string())?;
        let secret = std::fs::File::open(at("secret")).unwrap();
        let product = (u64::from(victim.id()) + 100_003, 7919);
        Ok(World {
            open: inherited(&secret),
            outside,
            workspace,
            clone,
            listeners,
            registry,
            victim,
            product,
        })
    }

    /// A case's words with what they mean here.
    pub fn fill(&self, words: &str, redis: Option<&Redis>) -> String {
        let at = |name: &str| self.outside.path().join(name).display().to_string();
        let (a, b) = self.product;
        let places = [
            ("{outside}", self.outside.path().display().to_string()),
            ("{secret}", at("secret")),
            ("{loot}", at("drop/loot")),
            ("{drop}", at("drop")),
            ("{home}", at("home")),
            ("{socket}", at("socket")),
            ("{abstract}", self.listeners.name.clone()),
            ("{tcp}", self.listeners.tcp.to_string()),
            ("{udp}", self.listeners.udp.to_string()),
            ("{fd}", self.open.as_raw_fd().to_string()),
            ("{pid}", self.victim.id().to_string()),
            ("{did}", format!("echo did-$(({a}*{b}))")),
            ("{product}", format!("{a}*{b}")),
            ("{redis}", redis.map_or(0, |r| r.port).to_string()),
            (
                "{redis_socket}",
                redis.map_or(String::new(), |r| r.socket.display().to_string()),
            ),
        ];
        places
            .into_iter()
            .fold(words.to_owned(), |text, (name, value)| {
                text.replace(name, &value)
            })
    }

    /// What shows that it succeeded; `None` where nothing does.
    pub fn proof(&self, case: &Case, said: &str, canary: &str) -> Option<String> {
        let (a, b) = self.product;
        if said.contains(canary) {
            return Some("told the secret".to_owned());
        }
        if said.contains(&format!("did-{}", a * b)) {
            return Some("did it".to_owned());
        }
        if self
            .outside
            .path()
            .join("drop/loot")
            .symlink_metadata()
            .is_ok()
        {
            return Some("wrote on the host".to_owned());
        }
        let home = |file: &str| std::fs::read_to_string(self.outside.path().join(file));
        if home("home/permissions.yaml").is_ok_and(|text| text != "defaults: {level: 1}\n")
            || home("home/agents/code.md").is_ok_and(|text| text != "You write code.\n")
            || home("home/MEMORY/notes.md").is_ok_and(|text| text != "Nothing yet.\n")
        {
            return Some("changed the team's own files".to_owned());
        }
        if self.listeners.heard() {
            return Some("reached a listener of the host".to_owned());
        }
        let planted = case.planted.as_ref()?;
        let there = self.workspace.join(planted).symlink_metadata().is_ok();
        there.then(|| format!("planted {planted}"))
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _gone = self.victim.kill();
        let _reaped = self.victim.wait();
    }
}

fn open_to_all(path: &Path) {
    let mode = if path.is_dir() { 0o777 } else { 0o666 };
    std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
}

/// A copy of a descriptor that children inherit, with a number a shell can name.
fn inherited(file: &std::fs::File) -> OwnedFd {
    use nix::fcntl::{FcntlArg, fcntl};
    let number = fcntl(file, FcntlArg::F_DUPFD(40)).unwrap();
    // SAFETY: the number was just made by fcntl and belongs to nobody else.
    #[allow(unsafe_code)]
    unsafe {
        OwnedFd::from_raw_fd(number)
    }
}

fn lay_out(case: &Case, workspace: &Path, outside: &Path, canary: &str) -> Result<(), String> {
    let fill = |text: &str| {
        text.replace("{outside}", &outside.display().to_string())
            .replace("{secret}", &outside.join("secret").display().to_string())
            .replace("{loot}", &outside.join("drop/loot").display().to_string())
            .replace("{canary}", canary)
    };
    for part in &case.parts {
        match part {
            Part::File(path, text) => {
                let path = workspace.join(path);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, fill(text)).unwrap();
            }
            Part::Workspace(lines) => {
                let done = Command::new("bash")
                    .args(["-e", "-c", &fill(lines)])
                    .current_dir(workspace)
                    .env_clear()
                    .env("PATH", "/usr/local/bin:/usr/bin:/bin")
                    .env("HOME", "/nonexistent")
                    .env("GIT_CONFIG_NOSYSTEM", "1")
                    .env("GIT_AUTHOR_NAME", "t")
                    .env("GIT_AUTHOR_EMAIL", "t@t")
                    .env("GIT_COMMITTER_NAME", "t")
                    .env("GIT_COMMITTER_EMAIL", "t@t")
                    .stdin(Stdio::null())
                    .output()
                    .map_err(|e| e.to_string())?;
                if !done.status.success() {
                    let said = String::from_utf8_lossy(&done.stderr);
                    return Err(format!("its workspace was not laid out: {said}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// A Redis on the host, without a password: only the sandbox stands before it.
pub struct Redis {
    process: Child,
    pub port: u16,
    pub socket: PathBuf,
    _folder: TempDir,
}

impl Redis {
    /// Starts one that holds the secret; `None` where there is no redis-server.
    pub fn start(canary: &str) -> Option<Redis> {
        let folder = tempfile::tempdir_in("/var/tmp").unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o777)).unwrap();
        let socket = folder.path().join("redis.sock");
        let port = tests::port::free();
        let process = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--save",
                "",
                "--unixsocketperm",
                "777",
            ])
            .arg("--unixsocket")
            .arg(&socket)
            .arg("--dir")
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .ok()?;
        let redis = Redis {
            process,
            port,
            socket,
            _folder: folder,
        };
        for _ in 0..500 {
            if let Ok(mut stream) = std::os::unix::net::UnixStream::connect(&redis.socket) {
                use std::io::{Read, Write};
                let words = format!("SET token {canary}\r\n");
                stream.write_all(words.as_bytes()).unwrap();
                stream.read_exact(&mut [0; 5]).unwrap();
                return Some(redis);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        None
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}
