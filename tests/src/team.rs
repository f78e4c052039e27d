//! A team in a home of its own, driven through the command line as a person would; taken down,
//! and looked after for what it left behind, when the story ends.

use crate::processes;
use serde_json::Value;
use std::cell::Cell;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    /// Exit code; 255 where a signal ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
    /// How long it took.
    pub took: Duration,
}

impl Ran {
    fn of(output: Output, took: Duration) -> Self {
        Self {
            code: output.status.code().unwrap_or(255),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            took,
        }
    }

    /// Standard output as one JSON document.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("not one JSON document ({e}): {self:#?}"))
    }

    /// Fails the story unless the code is `code`.
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:#?}");
        self
    }
}

/// A team and its home.
pub struct Team {
    exe: PathBuf,
    folder: TempDir,
    extra: Vec<(String, String)>,
    before: Vec<String>,
}

thread_local! {
    /// Whether the story that runs on this thread has its ledger on a server.
    static ON_SERVER: Cell<bool> = const { Cell::new(false) };
}

/// Tells a story once more, its teams with their ledgers in PostgreSQL.
pub fn on_server(story: impl FnOnce()) {
    if crate::postgres::cluster().is_some() {
        ON_SERVER.set(true);
        story();
    }
}

impl Team {
    /// A new home with a short lease; nothing is started yet.
    pub fn new(exe: &str) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("ai-infra-story-")
            .tempdir()
            .expect("a temporary folder");
        let team = Self {
            exe: PathBuf::from(exe),
            folder,
            extra: Vec::new(),
            before: Vec::new(),
        };
        std::fs::create_dir_all(team.home().join("config")).expect("a config folder");
        set_private(&team.home());
        std::fs::create_dir_all(team.user_home()).expect("a user home");
        team.configure(
            "team:\n  lease_ms: 1500\nengine:\n  name: playbook\n  allow_scripted: true\n",
        );
        let asked = std::env::var("TESTS_LEDGER").is_ok_and(|said| said == "postgres");
        match asked || ON_SERVER.get() {
            true => team.on_server(),
            false => team,
        }
    }

    /// The same team with its ledger in PostgreSQL, where that is installed: with `TESTS_LEDGER=postgres` every
    /// story is told so.
    pub fn on_server(self) -> Self {
        match crate::postgres::database() {
            Some(database) => self.with_env("DATABASE_URL", &database.socket_url("postgres")),
            None => self,
        }
    }

    /// Writes the home's own configuration.
    pub fn configure(&self, yaml: &str) {
        std::fs::write(self.home().join("config/ai-infra.yaml"), yaml).expect("a config file");
    }

    /// One more environment variable for every command.
    pub fn with_env(mut self, name: &str, value: &str) -> Self {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its backups begin only when the story says so.
    pub fn backs_up_by_hand(self) -> Self {
        self.with_env("AI_INFRA__BACKUP__JOBS__CODE__SCHEDULE", "")
            .with_env("AI_INFRA__BACKUP__JOBS__MEMORY__SCHEDULE", "")
            .with_env("AI_INFRA__BACKUP__JOBS__CONFIGURATION__SCHEDULE", "")
    }

    /// Words before every command, such as those that enter a network namespace.
    pub fn inside(mut self, before: Vec<String>) -> Self {
        self.before = before;
        self
    }

    /// The team's home.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// The `HOME` its commands see.
    pub fn user_home(&self) -> PathBuf {
        self.folder.path().join("user")
    }

    /// A folder for the story's own files.
    pub fn scratch(&self, name: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(&path).expect("a scratch folder");
        path
    }

    /// A command of `ai-infra` in this home, not started.
    pub fn command(&self, args: &[&str]) -> Command {
        let exe = self.exe.display().to_string();
        let mut words = self.before.iter().chain([&exe]);
        let mut command = Command::new(words.next().unwrap_or(&exe));
        command
            .args(words)
            .args(args)
            .env_clear()
            .current_dir(self.folder.path());
        for name in ["PATH", "LANG", "RUSTUP_HOME", "CARGO_HOME"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        for (name, folder) in [("RUSTUP_HOME", ".rustup"), ("CARGO_HOME", ".cargo")] {
            if let (None, Some(home)) = (std::env::var_os(name), std::env::var_os("HOME")) {
                command.env(name, Path::new(&home).join(folder));
            }
        }
        command
            .env("HOME", self.user_home())
            .env("TERM", "xterm-256color")
            .env("AI_INFRA_HOME", self.home())
            // How busy the machine of the tests is must not decide what they see.
            .env("AI_INFRA__PRESSURE__ENABLED", "false")
            .envs(self.extra.iter().map(|(k, v)| (k, v)));
        command
    }

    /// Runs a command to its end.
    pub fn ai(&self, args: &[&str]) -> Ran {
        let started = Instant::now();
        let output = self
            .command(args)
            .stdin(Stdio::null())
            .output()
            .expect("ai-infra runs");
        Ran::of(output, started.elapsed())
    }

    /// Runs a command to its end, with lines on its standard input.
    pub fn piped(&self, args: &[&str], lines: &str) -> Ran {
        let started = Instant::now();
        let mut child = self
            .command(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ai-infra starts");
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(lines.as_bytes()).expect("lines are read");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        Ran::of(output, started.elapsed())
    }

    /// What the supervisor's user says to the team's own Redis, and its answer.
    pub fn redis(&self, words: &[&str], input: &str) -> String {
        let access = std::fs::read(self.home().join("run/bus.json")).expect("run/bus.json");
        let access: Value = serde_json::from_slice(&access).expect("JSON");
        let password = access["users"]["supervisor"]["password"].as_str();
        self.redis_as("supervisor", password.expect("a password"), words, input)
    }

    /// The same of another user.
    pub fn redis_as(&self, user: &str, password: &str, words: &[&str], input: &str) -> String {
        let mut child = Command::new("redis-cli")
            .arg("-s")
            .arg(self.home().join("run/redis.sock"))
            .args(["--no-auth-warning", "--user", user, "--pass", password])
            .args(words)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("redis-cli is installed: apt install redis-tools");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(input.as_bytes()).expect("written");
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Has a statement change the ledger's file behind the team's back.
    pub fn alter_ledger(&self, statement: &str) {
        let script = "import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute(sys.argv[2]); c.commit()";
        let done = Command::new("python3")
            .args(["-c", script])
            .arg(self.home().join("ledger.db"))
            .arg(statement)
            .status()
            .expect("python3 runs: apt-get install python3");
        assert!(done.success(), "{statement}: {done}");
    }

    /// Starts a command and goes on.
    pub fn start(&self, args: &[&str]) -> Child {
        self.command(args)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("ai-infra starts")
    }

    /// Starts the team without tmux.
    pub fn up(&self) -> Ran {
        self.ai(&["up", "--no-tmux"]).expect(0)
    }

    /// `run --json` in a workspace.
    pub fn run(&self, workspace: &Path, request: &str) -> (i32, Value) {
        let folder = workspace.display().to_string();
        let ran = self.ai(&["run", request, "--workspace", &folder, "--json"]);
        let code = ran.code;
        (code, ran.json())
    }

    /// `status --json`.
    pub fn status(&self) -> Value {
        self.ai(&["status", "--json"]).expect(0).json()
    }

    /// The process id of one of the team's processes.
    pub fn pid(&self, name: &str) -> u32 {
        let status = self.status();
        status["processes"]
            .as_array()
            .and_then(|all| all.iter().find(|p| p["name"] == name))
            .and_then(|p| p["pid"].as_u64())
            .unwrap_or_else(|| panic!("no process {name}: {status:#}")) as u32
    }

    /// Leaves the home where it is when the story ends, for somebody who wants to look.
    pub fn keep(&mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.home()
    }

    /// The process under a name of the team's pid files, where it lives.
    pub fn noted_pid(&self, process: &str) -> Option<u32> {
        let path = self.home().join(format!("run/pids/{process}.json"));
        let noted: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let pid = u32::try_from(noted["pid"].as_u64()?).ok()?;
        processes::alive(pid).then_some(pid)
    }

    /// Takes the team down and fails the story when anything is left.
    pub fn down(&self) {
        self.ai(&["down"]).expect(0);
        let home = self.home();
        let gone = processes::wait_until(Duration::from_secs(5), || {
            processes::of_home(&home).is_empty()
        });
        assert!(gone, "left behind: {:#?}", processes::of_home(&home));
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        let _ = self.command(&["down"]).stdin(Stdio::null()).output();
        for seen in processes::of_home(&self.home()) {
            processes::send(seen.pid, nix::sys::signal::Signal::SIGKILL);
        }
        if std::thread::panicking() {
            self.show_logs();
        }
    }
}

impl Team {
    /// The end of every log, for a story that failed.
    fn show_logs(&self) {
        for entry in std::fs::read_dir(self.home().join("logs"))
            .into_iter()
            .flatten()
            .flatten()
        {
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            eprintln!("--- {}", entry.path().display());
            for line in &lines[lines.len().saturating_sub(15)..] {
                eprintln!("{line}");
            }
        }
    }
}

fn set_private(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).expect("permissions");
}
