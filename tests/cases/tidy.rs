//! The walls of the house, as tests. Each one says which rule of ARCHITECTURE.md it keeps. The
//! last test breaks every wall on purpose and must see it reported.

use std::path::{Path, PathBuf};

/// Lowest room first; a room may use only what stands before it.
const ORDER: &[&str] = &[
    "protocol",
    "config",
    "hands",
    "forge",
    "warden",
    "vault",
    "notices",
    "backup",
    "pai",
    "bus",
    "inspect",
    "guard",
    "engine",
    "memory",
    "agents",
    "supervisor",
    "cli",
];

/// One source file of the project.
struct Source {
    path: String,
    text: String,
}

impl Source {
    fn room(&self) -> &str {
        self.path.split('/').next().unwrap_or_default()
    }

    /// The text without its test modules, which may do what the rooms may not.
    fn work(&self) -> &str {
        let end = self.text.find("#[cfg(test)]").unwrap_or(self.text.len());
        &self.text[..end]
    }

    fn is_work(&self) -> bool {
        let stem = self.path.rsplit('/').next().unwrap_or_default();
        let of_tests = ["tests.rs", "story.rs"].contains(&stem)
            || stem.starts_with("story_")
            || stem.ends_with("_tests.rs");
        let folder = self.path.contains("/tests/") && !self.path.starts_with("inspect/src/tests/");
        !matches!(self.room(), "tests" | "bench" | "modelcheck")
            && !of_tests
            && !folder
            && !self.path.contains("/shipped_tests/")
    }
}

/// A broken wall: where, and what to do.
type Broken = Vec<String>;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn sources() -> Vec<Source> {
    let mut all = Vec::new();
    for room in ORDER.iter().chain(&["tests", "bench", "modelcheck"]) {
        collect(&root().join(room), room, &mut all);
    }
    assert!(all.len() > 50, "the sources were not found");
    all
}

fn collect(folder: &Path, name: &str, all: &mut Vec<Source>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let file = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{name}/{file}");
        if entry.path().is_dir() {
            if file != "target" {
                collect(&entry.path(), &path, all);
            }
        } else if file.ends_with(".rs") {
            let text = std::fs::read_to_string(entry.path()).expect("a source file");
            all.push(Source { path, text });
        }
    }
}

/// Files of work that hold any of `words` though only `allowed` may.
fn only_in(sources: &[Source], words: &[&str], allowed: &[&str], why: &str) -> Broken {
    let mut broken = Vec::new();
    for source in sources.iter().filter(|s| s.is_work()) {
        if allowed.iter().any(|a| source.path.starts_with(a)) {
            continue;
        }
        for word in words.iter().filter(|w| source.work().contains(**w)) {
            broken.push(format!("{}: `{word}`: {why}", source.path));
        }
    }
    broken
}

fn never_in(sources: &[Source], room: &str, words: &[&str], why: &str) -> Broken {
    let mut broken = Vec::new();
    for source in sources.iter().filter(|s| s.room() == room && s.is_work()) {
        for word in words.iter().filter(|w| source.work().contains(**w)) {
            broken.push(format!("{}: `{word}`: {why}", source.path));
        }
    }
    broken
}

fn no_io_below(sources: &[Source]) -> Broken {
    let io = ["std::fs", "std::net", "std::process", "std::env", "tokio::"];
    let mut broken = never_in(sources, "protocol", &io, "protocol has no IO");
    broken.extend(never_in(
        sources,
        "pai",
        &io,
        "pai decides and starts nothing",
    ));
    broken.extend(never_in(
        sources,
        "inspect",
        &["Command::new", "std::process"],
        "inspect starts no process: the executor does",
    ));
    broken
}

fn redis_keys(sources: &[Source]) -> Broken {
    only_in(
        sources,
        &["}}:", "}:q:", "}:out:", "}:j:"],
        &["bus/src/keys.rs"],
        "Redis keys are named in bus/src/keys.rs",
    )
}

fn environment(sources: &[Source]) -> Broken {
    only_in(
        sources,
        &["env::var(", "env::vars(", "env::var_os(", "env::vars_os("],
        &["config/src/env.rs"],
        "the environment is read in config/src/env.rs",
    )
}

fn processes(sources: &[Source]) -> Broken {
    only_in(
        sources,
        &["Command::new(", "Command::from(", "fork()"],
        PROCESS_STARTERS,
        "processes are started in few, named places",
    )
}

/// The switch that leaves guarantees out is named once, and only where debug assertions are on.
fn faults(sources: &[Source]) -> Broken {
    let mut broken = only_in(
        sources,
        &["AI_INFRA_FAULT"],
        &["config/src/env.rs"],
        "faults are read in config/src/env.rs",
    );
    for source in sources.iter().filter(|s| s.is_work()) {
        let lines: Vec<&str> = source.work().lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let before = at.checked_sub(1).map_or("", |at| lines[at].trim());
            if line.contains("\"AI_INFRA_FAULT\"") && before != "#[cfg(debug_assertions)]" {
                broken.push(format!(
                    "{}:{}: a release must not know the name",
                    source.path,
                    at + 1
                ));
            }
        }
    }
    broken
}

/// Who may start processes, and which.
const PROCESS_STARTERS: &[&str] = &[
    // bwrap, from one permanent thread; tools, inside the sandbox
    "guard/src/executor/inside/",
    "guard/src/sandbox/spawn.rs",
    "guard/src/sandbox/surroundings.rs",
    // an agent's launcher, a fork of it
    "guard/src/launcher/start.rs",
    // ai-infra itself as the proxy of a task
    "guard/src/proxy/start.rs",
    // as an agent tries it, in builds for tests alone
    "cli/src/commands/try_as_agent.rs",
    // systemctl, nginx and apt-get by fixed paths; ai-infra itself as the warden's hands
    "hands/src/program.rs",
    // the one program that a person said yes to
    "hands/src/run/started.rs",
    "warden/src/operations/child.rs",
    // git, on a bare repository of our own
    "backup/src/store/command.rs",
    // ai-infra itself, to back up
    "supervisor/src/backups/errand.rs",
    // redis-server, the team's own processes, the daemon
    "supervisor/src/daemon/",
    // ssh-keygen, to sign a person's answer
    "cli/src/commands/signed.rs",
    // tmux, to attach (exec) and to ask
    "supervisor/src/tmux/",
    "cli/src/commands/attach.rs",
    // versions of the programs the team needs
    "cli/src/commands/doctor/",
];

fn one_maker(sources: &[Source]) -> Broken {
    // Their fields are private, so that other rooms cannot make them: the compiler sees to that.
    let mut broken = only_in(
        sources,
        &["(Leave {", " Leave {"],
        &["guard/src/gate.rs"],
        "a Leave is made by guard's gate alone",
    );
    broken.extend(only_in(
        sources,
        &["(Reservation {", "= Reservation {"],
        &["bus/src/budget.rs"],
        "a Reservation is made by bus alone",
    ));
    broken.extend(only_in(
        sources,
        &["UPDATE tasks SET"],
        &["supervisor/src/ledger/"],
        "task states have one writer",
    ));
    broken.extend(only_in(
        sources,
        &["Book::open(AuditPlace"],
        &["warden/src/serve.rs"],
        "the record of acts has one writer, the warden",
    ));
    broken.extend(never_in(
        sources,
        "warden",
        &["Tcp", "Udp", "redis::", "reqwest", "hands::"],
        "the warden has no network, no Redis and does nothing on the host itself",
    ));
    let hands_alone = sources
        .iter()
        .filter(|s| s.room() == "warden" && s.is_work());
    for source in hands_alone {
        let starts: Vec<&str> = source
            .work()
            .lines()
            .filter(|l| l.contains("Command::new("))
            .collect();
        let of_hands = source.path == "warden/src/operations/child.rs"
            && starts.len() == 1
            && starts[0].contains("Command::new(MYSELF)");
        if !starts.is_empty() && !of_hands {
            broken.push(format!(
                "{}: the warden starts nothing but its hands",
                source.path
            ));
        }
    }
    broken.extend(never_in(
        sources,
        "hands",
        &["redis::", "sqlx", "\"sh\"", "bash", "TcpListener"],
        "the warden's hands know no Redis, no ledger and no shell, and listen to nobody",
    ));
    broken.extend(only_in(
        sources,
        &["Memory::open("],
        &["memory/", "supervisor/src/memory_owner.rs"],
        "MEMORY has one owner, the supervisor",
    ));
    broken
}

fn shape(sources: &[Source]) -> Broken {
    const EMPTY_NAMES: &[&str] = &[
        "util", "utils", "common", "helper", "helpers", "manager", "misc",
    ];
    let mut broken = Vec::new();
    for source in sources {
        let lines = source.text.lines().count();
        if lines > 450 {
            broken.push(format!("{}: {lines} lines; split it", source.path));
        }
        let stem = source
            .path
            .rsplit('/')
            .next()
            .unwrap_or_default()
            .trim_end_matches(".rs");
        if EMPTY_NAMES.contains(&stem) {
            broken.push(format!("{}: the name explains nothing", source.path));
        }
        if !source.text.starts_with("//!") {
            broken.push(format!(
                "{}: open it with //! and why it exists",
                source.path
            ));
        }
    }
    broken
}

fn arrows(manifests: &[(String, String)]) -> Broken {
    let mut broken = Vec::new();
    for (room, manifest) in manifests {
        let Some(at) = ORDER.iter().position(|r| r == room) else {
            continue;
        };
        let used = manifest
            .split("[dev-dependencies]")
            .next()
            .unwrap_or_default();
        for (other, name) in ORDER.iter().enumerate() {
            let uses = used
                .lines()
                .any(|l| l.trim() == format!("{name}.workspace = true"));
            let sideways = (room.as_str(), *name) == ("supervisor", "agents");
            if uses && (other >= at || sideways) {
                broken.push(format!("{room} uses {name}: arrows run downward only"));
            }
        }
    }
    broken
}

fn manifests() -> Vec<(String, String)> {
    ORDER
        .iter()
        .map(|room| {
            let path = root().join(room).join("Cargo.toml");
            let text = std::fs::read_to_string(path).expect("a manifest");
            ((*room).to_owned(), text)
        })
        .collect()
}

fn check(broken: Broken) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn protocol_pai_and_inspect_keep_their_hands_still() {
    check(no_io_below(&sources()));
}

#[test]
fn redis_keys_are_named_in_one_file() {
    check(redis_keys(&sources()));
}

#[test]
fn the_environment_is_read_in_one_file() {
    check(environment(&sources()));
}

#[test]
fn processes_are_started_in_few_places() {
    check(processes(&sources()));
}

#[test]
fn faults_are_switched_in_one_place_and_not_in_a_release() {
    check(faults(&sources()));
    let release = root().join("target/release/ai-infra");
    if let Ok(bytes) = std::fs::read(&release) {
        for name in ["AI_INFRA_FAULT", "no-epoch-check", "orphaned-child"] {
            let found = bytes.windows(name.len()).any(|w| w == name.as_bytes());
            assert!(!found, "{} knows {name}", release.display());
        }
    }
}

#[test]
fn leaves_reservations_states_and_memory_have_one_maker() {
    check(one_maker(&sources()));
}

#[test]
fn files_are_short_named_and_explained() {
    check(shape(&sources()));
}

#[test]
fn arrows_run_downward() {
    check(arrows(&manifests()));
}

#[test]
fn every_wall_reports_what_breaks_it() {
    let bad = |path: &str, text: &str| {
        vec![Source {
            path: path.to_owned(),
            text: format!("//! x\n{text}"),
        }]
    };
    assert!(!no_io_below(&bad("protocol/src/a.rs", "use std::fs;")).is_empty());
    assert!(!no_io_below(&bad("pai/src/a.rs", "tokio::spawn(x)")).is_empty());
    assert!(!redis_keys(&bad("agents/src/a.rs", "format!(\"{{{team}}}:q:x\")")).is_empty());
    assert!(!environment(&bad("cli/src/a.rs", "std::env::var(\"X\")")).is_empty());
    assert!(!processes(&bad("agents/src/a.rs", "Command::new(\"sh\")")).is_empty());
    assert!(!faults(&bad("cli/src/a.rs", "env.get(\"AI_INFRA_FAULT\")")).is_empty());
    assert!(!faults(&bad("config/src/env.rs", "(\"AI_INFRA_FAULT\")")).is_empty());
    assert!(!one_maker(&bad("guard/src/a.rs", "Allow(Leave { digest })")).is_empty());
    assert!(!one_maker(&bad("bus/src/a.rs", "Ok(Reservation { task })")).is_empty());
    assert!(!one_maker(&bad("cli/src/a.rs", "UPDATE tasks SET state")).is_empty());
    assert!(!one_maker(&bad("cli/src/a.rs", "Book::open(AuditPlace::of(x))")).is_empty());
    assert!(!one_maker(&bad("warden/src/a.rs", "TcpStream::connect(x)")).is_empty());
    assert!(!one_maker(&bad("warden/src/a.rs", "Command::new(\"sh\")")).is_empty());
    let child = "warden/src/operations/child.rs";
    assert!(!one_maker(&bad(child, "Command::new(\"sh\")")).is_empty());
    assert!(one_maker(&bad(child, "Command::new(MYSELF)")).is_empty());
    assert!(!one_maker(&bad("hands/src/a.rs", "Command::new(\"bash\")")).is_empty());
    assert!(!shape(&bad("cli/src/utils.rs", "")).is_empty());
    assert!(!shape(&bad("cli/src/long.rs", &"\n".repeat(500))).is_empty());
    let up = vec![("bus".to_owned(), "agents.workspace = true".to_owned())];
    assert!(!arrows(&up).is_empty());
}
