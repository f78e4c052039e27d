//! The home: the one folder that holds everything a run writes. Two homes never meet.

use crate::env::Env;
use crate::error::ConfigError;
use nix::unistd::Uid;
use std::fs::{self, DirBuilder, Metadata};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Component, Path, PathBuf};

/// Longest path of a unix socket that every Linux accepts, in bytes.
const SOCKET_PATH_BYTES: usize = 107;

/// The next step where a place is of no use.
const ELSEWHERE: &str = "choose another home with AI_INFRA_HOME or --home";

/// Folders made in a home, each with mode 0700.
const FOLDERS: [&str; 15] = [
    "run",
    "redis",
    "logs",
    "tasks",
    "blobs",
    "caches",
    "MEMORY",
    "index",
    "config",
    "playbooks",
    "schedules",
    "agents",
    "secrets",
    "audit",
    "warden",
];

/// A home folder, absolute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// The folder itself.
    pub root: PathBuf,
    default: bool,
}

impl Home {
    /// A home at a place, not the default one.
    pub fn at(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            default: false,
        }
    }

    /// Where the home is: flag, then `AI_INFRA_HOME`, then `/var/lib/ai-infra` for root and
    /// `ai-infra` in the XDG state folder for everyone else. Touches nothing.
    pub fn resolve(flag: Option<&Path>, env: &Env) -> Result<Home, ConfigError> {
        let named = flag
            .map(Path::to_owned)
            .or_else(|| env.get("AI_INFRA_HOME").map(PathBuf::from));
        let standard = default_root(env, Uid::effective().is_root());
        let root = named
            .or_else(|| standard.clone())
            .ok_or(ConfigError::NoHome)?;
        let root = absolute(&root)?;
        check_path(&root)?;
        let default = standard.as_ref() == Some(&root);
        Ok(Home { root, default })
    }

    /// Whether this is the home used when nothing else is said; it uses the person's own tmux
    /// server, any other has its own.
    pub fn is_default(&self) -> bool {
        self.default
    }

    /// Makes the home and its folders with mode 0700.
    ///
    /// # Errors
    /// When a folder is not one, belongs to someone else, or others may change it.
    pub fn ensure(&self) -> Result<(), ConfigError> {
        check_path(&self.root)?;
        if let Some(parent) = self.root.parent() {
            fs::create_dir_all(parent).map_err(|e| self.unusable("made", &e))?;
        }
        make_private(&self.root).map_err(|e| self.unusable("made", &e))?;
        self.inspect()?;
        if let Some(half) = self.half_restored() {
            return Err(half);
        }
        for name in FOLDERS {
            let folder = self.root.join(name);
            make_private(&folder).map_err(|e| ConfigError::file("make", &folder, e))?;
            check_owned(&folder)?;
        }
        if Uid::effective().is_root() {
            self.shut_to_strangers()?;
        }
        for folder in [self.run(), self.redis(), self.secrets(), self.warden()] {
            fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))
                .map_err(|e| ConfigError::file("make private", &folder, e))?;
        }
        // What somebody had begun to put in force is there whole before anything reads it.
        crate::in_force::finish(self).map(|_left| ())
    }

    /// Takes from a home that a person made with other rights what lets everybody in; a group is left as it is.
    fn shut_to_strangers(&self) -> Result<(), ConfigError> {
        let mode = fs::metadata(&self.root)
            .map_err(|e| ConfigError::file("look at", &self.root, e))?
            .mode();
        if mode & 0o007 == 0 {
            return Ok(());
        }
        let shut = fs::Permissions::from_mode(mode & 0o7770);
        fs::set_permissions(&self.root, shut)
            .map_err(|e| ConfigError::file("make private", &self.root, e))
    }

    /// Looks at an existing home without changing anything; a home that is not there is fine.
    ///
    /// # Errors
    /// As [`Home::ensure`].
    pub fn inspect(&self) -> Result<(), ConfigError> {
        match self.root.try_exists() {
            Ok(true) => check_owned(&self.root),
            Ok(false) => Ok(()),
            Err(error) => Err(self.unusable("looked at", &error)),
        }
    }

    /// What is said of a home that is being put back from a backup, or was until that was cut off.
    pub(crate) fn half_restored(&self) -> Option<ConfigError> {
        let problem = "is only half restored: go on with `ai-infra backup restore`";
        let half = self.restoring().exists();
        half.then(|| ConfigError::home(&self.root, problem))
    }

    fn unusable(&self, done: &str, error: &io::Error) -> ConfigError {
        let problem = format!("cannot be {done} ({error}): {ELSEWHERE}");
        ConfigError::home(&self.root, problem)
    }

    /// Sockets, `bus.json` and other things that live as long as the team is up.
    pub fn run(&self) -> PathBuf {
        self.root.join("run")
    }
    /// The data of the team's own Redis.
    pub fn redis(&self) -> PathBuf {
        self.root.join("redis")
    }
    /// One `<process>.log` of JSON lines each.
    pub fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }
    /// One folder a task, by short id.
    pub fn tasks(&self) -> PathBuf {
        self.root.join("tasks")
    }
    /// Large contents, by SHA-256.
    pub fn blobs(&self) -> PathBuf {
        self.root.join("blobs")
    }
    /// Caches of toolchains, by project.
    pub fn caches(&self) -> PathBuf {
        self.root.join("caches")
    }
    /// The memory files, which are the truth.
    pub fn memory(&self) -> PathBuf {
        self.root.join("MEMORY")
    }
    /// The note that says in which database the ledger is, where it is not the file.
    pub fn ledger_note(&self) -> PathBuf {
        self.root.join("ledger.json")
    }

    /// The ledger's SQLite file.
    pub fn ledger(&self) -> PathBuf {
        self.root.join("ledger.db")
    }
    /// The index of the memory files; may be thrown away.
    pub fn index(&self) -> PathBuf {
        self.root.join("index")
    }
    /// The person's own settings.
    pub fn config(&self) -> PathBuf {
        self.root.join("config")
    }
    /// The person's schedules, one file each.
    pub fn schedules(&self) -> PathBuf {
        self.root.join("schedules")
    }
    /// The person's own playbooks.
    pub fn playbooks(&self) -> PathBuf {
        self.root.join("playbooks")
    }
    /// The person's own agents, one folder each.
    pub fn agents(&self) -> PathBuf {
        self.root.join("agents")
    }
    /// Secrets, one file each with mode 0600.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }
    /// The record of every act on this host.
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit")
    }
    /// What only the warden of this host may read: the key of the record, tickets.
    pub fn warden(&self) -> PathBuf {
        self.root.join("warden")
    }
    /// The invitation this home's host came in by, where the team is another host's.
    pub fn join(&self) -> PathBuf {
        self.root.join("join.json")
    }
    /// What this machine remembers of its backups; may be thrown away.
    pub fn backup(&self) -> PathBuf {
        self.root.join("backup")
    }
    /// There while a backup is being put back: such a home does not start.
    pub fn restoring(&self) -> PathBuf {
        self.root.join("restoring.json")
    }
    /// There in a home that a drill restored aside: nothing is begun in it, and it is nobody's.
    pub fn drill(&self) -> PathBuf {
        self.root.join("drill.json")
    }
    /// What the chat keeps: its history and the folder it is about.
    pub fn chat(&self) -> PathBuf {
        self.root.join("chat")
    }
    /// What the team calls this host.
    pub fn host(&self) -> PathBuf {
        self.root.join("host")
    }
    /// The supervisor's control socket.
    pub fn supervisor_sock(&self) -> PathBuf {
        self.run().join("supervisor.sock")
    }
    /// The daemon's control socket.
    pub fn daemon_sock(&self) -> PathBuf {
        self.run().join("daemon.sock")
    }
    /// The warden's socket.
    pub fn warden_sock(&self) -> PathBuf {
        self.run().join("warden.sock")
    }
    /// The tmux server's socket of a home that is not the default one.
    pub fn tmux_sock(&self) -> PathBuf {
        self.run().join("tmux.sock")
    }
    /// The team's own Redis' socket.
    pub fn redis_sock(&self) -> PathBuf {
        self.run().join("redis.sock")
    }
}

fn default_root(env: &Env, root: bool) -> Option<PathBuf> {
    if root {
        return Some(PathBuf::from("/var/lib/ai-infra"));
    }
    // The XDG rules say that a relative XDG_STATE_HOME is to be ignored.
    let state = env
        .get("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| {
            let home = env.get("HOME").map(PathBuf::from);
            Some(home.filter(|h| h.is_absolute())?.join(".local/state"))
        })?;
    Some(state.join("ai-infra"))
}

/// Absolute, without `.`, `..`, doubled or trailing slashes; links are not followed.
fn absolute(path: &Path) -> Result<PathBuf, ConfigError> {
    if path.as_os_str().is_empty() {
        return Err(ConfigError::home(path, "is empty: give a folder"));
    }
    let absolute =
        std::path::absolute(path).map_err(|error| ConfigError::home(path, error.to_string()))?;
    if absolute.components().any(|c| c == Component::ParentDir) {
        let problem = "holds `..`: give the folder's real path";
        return Err(ConfigError::home(path, problem));
    }
    Ok(absolute.components().collect())
}

fn check_path(root: &Path) -> Result<(), ConfigError> {
    let Some(text) = root.to_str() else {
        return Err(ConfigError::home(root, "is not UTF-8: choose another path"));
    };
    let socket = root.join("run/supervisor.sock");
    let problem = if !root.is_absolute() {
        "is not absolute: give the whole path".to_owned()
    } else if root.parent().is_none() {
        "is the root of the file system: choose a folder of its own".to_owned()
    } else if text.chars().any(char::is_control) {
        "holds control characters: choose another path".to_owned()
    } else if socket.as_os_str().len() > SOCKET_PATH_BYTES {
        let most = SOCKET_PATH_BYTES - "/run/supervisor.sock".len();
        format!("has too long a path for its sockets: use at most {most} bytes")
    } else {
        return Ok(());
    };
    Err(ConfigError::home(root, problem))
}

fn make_private(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(folder) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

fn check_owned(folder: &Path) -> Result<(), ConfigError> {
    let about = fs::metadata(folder).map_err(|e| ConfigError::file("look at", folder, e))?;
    match ownership_problem(&about, Uid::effective().as_raw(), folder) {
        Some(problem) => Err(ConfigError::home(folder, problem)),
        None => Ok(()),
    }
}

fn ownership_problem(about: &Metadata, me: u32, folder: &Path) -> Option<String> {
    let mode = about.mode() & 0o777;
    if !about.is_dir() {
        Some("is not a folder: move it away or choose another home".to_owned())
    } else if about.uid() != me {
        Some(format!(
            "belongs to uid {}, not to you (uid {me}): {ELSEWHERE}",
            about.uid()
        ))
    } else if mode & 0o022 != 0 {
        Some(format!(
            "may be changed by others (mode {mode:04o}): run `chmod go-w {}`",
            folder.display()
        ))
    } else {
        None
    }
}

#[cfg(test)]
#[path = "home_tests.rs"]
mod tests;
