//! An agent's own process: no right of root, a user of its own where root starts it, no file of the home, no
//! program, nobody else's process. What no agent may do is tried as an agent, behind its walls; and once more
//! without them, when each attempt must succeed. The same of the proxy of a task, which may less. As root, and as an
//! ordinary user.

use crate::AI_INFRA;
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, lchown};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use tests::processes;
use tests::team::Team;

const AGENTS: [&str; 5] = ["code", "data", "infra", "research", "qa"];
/// What the control takes away.
const WITHOUT: &str = "without=agent-files+agent-calls+agent-user";
/// The ordinary user that root tells the story as again.
pub const USER: u32 = 1234;

pub fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// The uid it was tried as, and of each attempt what was tried, whether it was done, and what was said.
pub type Tried = (u64, Vec<(String, bool, String)>);

pub struct Stage {
    pub team: Team,
    /// Its processes are users of their own.
    root: bool,
    /// The program, where an ordinary user may run it.
    _program: tempfile::TempDir,
    /// A service of the host's that takes messages, as a log or a service manager does.
    _service: UnixDatagram,
}

impl Stage {
    /// A team with everything in it that nobody may look at.
    fn new(root: bool) -> Self {
        Self::granted(root, "")
    }

    /// The same, with this in `permissions.yaml`.
    pub fn granted(root: bool, permissions: &str) -> Self {
        let (folder, program) = open_program();
        let team = Team::new(&program);
        if !permissions.is_empty() {
            let file = team.home().join("config/permissions.yaml");
            fs::write(file, permissions).expect("a file");
        }
        for (file, words) in [
            ("user/.ssh/id_ed25519", "a private key"),
            ("home/secrets/token", "a secret"),
            ("user/notes.txt", "a person's own"),
        ] {
            let path = team.home().with_file_name("").join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(&path, words).expect("a file");
            fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("a private file");
        }
        let service = UnixDatagram::bind(team.user_home().join("service.sock"));
        let team = match is_root() && !root {
            false => team,
            true => {
                let top = team.home();
                give(top.parent().expect("a folder"));
                let (uid, gid) = (format!("--reuid={USER}"), format!("--regid={USER}"));
                let words = ["setpriv", &uid, &gid, "--clear-groups"];
                team.inside(words.map(str::to_owned).to_vec())
            }
        };
        team.up();
        Self {
            team,
            root,
            _program: folder,
            _service: service.expect("a socket"),
        }
    }

    /// What no agent may do, and can do without its walls.
    fn attempts(&self) -> Vec<String> {
        let team = &self.team;
        let home = team.home();
        let at = |path: &str| home.join(path).display().to_string();
        let user = |path: &str| team.user_home().join(path).display().to_string();
        let (supervisor, infra) = (team.pid("supervisor"), team.pid("infra"));
        let mut all = vec![
            format!("read:{}", at("warden/seal.key")),
            format!("read:{}", at("warden/tickets.jsonl")),
            format!("read:{}", at("ledger.db")),
            format!("read:{}", at("run/bus.json")),
            format!("read:{}", at("redis/users.acl")),
            format!("read:{}", at("secrets/token")),
            format!("read:{}", at("logs/supervisor.log")),
            format!("read:{}", user(".ssh/id_ed25519")),
            format!("read:/proc/{supervisor}/environ"),
            "read:/proc/self/../1/comm".to_owned(),
            format!("list:{}", home.display()),
            format!("list:{}", user("")),
            format!("write:{}", at("logs/agent-qa.log")),
            format!("write:{}", user("notes.txt")),
            format!("make:{}", at("tasks/planted")),
            format!("make:{}", at("blobs/planted")),
            format!("folder:{}", at("playbooks/planted")),
            format!("link:{}", at("config/planted")),
            format!("remove:{}", at("blobs/planted")),
            format!("open-up:{}", user("notes.txt")),
            format!("empty:{}", user("notes.txt")),
            "execute:/bin/true".to_owned(),
            format!(
                "execute:{}",
                self._program.path().join("ai-infra").display()
            ),
            "listen:0".to_owned(),
            format!("signal:{supervisor}"),
            format!("signal:{infra}"),
            format!("trace:{supervisor}"),
            format!("trace:{infra}"),
        ];
        // Sockets of the host, which ask who the user is: on an ordinary install the owner.
        let sockets = ["supervisor", "daemon", "warden", "redis"].into_iter();
        all.extend(sockets.map(|name| format!("connect:{}", at(&format!("run/{name}.sock")))));
        all.push(format!("message:{}", user("service.sock")));
        if self.root {
            all.push("root:0".to_owned());
        }
        all
    }

    /// What the proxy of a task may not do besides, and can do without its walls.
    fn attempts_of_proxy(&self, port: u16) -> Vec<String> {
        let mut all = self.attempts();
        all.extend([
            format!("dial:127.0.0.1:{port}"),
            format!("trace:{}", self.team.pid("code")),
            "read:/etc/localtime".to_owned(),
            "read:/proc/meminfo".to_owned(),
            "write:/dev/null".to_owned(),
        ]);
        all.sort();
        all.dedup();
        all
    }

    /// How each attempt went, as an agent tried it.
    fn tried(&self, attempts: &[String], fault: Option<&str>) -> Tried {
        self.tried_as(&["try-as-agent", "code"], attempts, fault)
    }

    /// What an older kernel's Landlock does not see the filter of calls denies by itself.
    fn stands_by_calls(&self, who: &[&str], attempts: &[String]) {
        let by_calls = [
            "listen:", "signal:", "connect:", "message:", "open-up:", "empty:",
        ];
        let attempts: Vec<String> = (attempts.iter())
            .filter(|what| by_calls.iter().any(|how| what.starts_with(how)))
            .cloned()
            .collect();
        assert!(attempts.len() > by_calls.len(), "{attempts:?}");
        let (_, walled) = self.tried_as(who, &attempts, Some("without=agent-files"));
        let escaped: Vec<_> = walled.iter().filter(|(_, done, _)| *done).collect();
        assert!(escaped.is_empty(), "{escaped:#?}");
    }

    pub fn tried_as(&self, who: &[&str], attempts: &[String], fault: Option<&str>) -> Tried {
        let mut words = who.to_vec();
        words.extend(attempts.iter().map(String::as_str));
        let mut command = self.team.command(&words);
        if let Some(fault) = fault {
            command.env("AI_INFRA_FAULT", fault);
        }
        let output = command.output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let told: serde_json::Value =
            serde_json::from_str(&said).unwrap_or_else(|e| panic!("{e}: {output:#?}"));
        let tries = told["tries"].as_array().expect("tries").iter();
        let tries = tries.map(|one| {
            let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
            (text("try"), one["done"] == true, text("said"))
        });
        (told["uid"].as_u64().expect("a uid"), tries.collect())
    }
}

/// The program where an ordinary user may run it.
pub fn open_program() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let open = Permissions::from_mode(0o755);
    fs::set_permissions(folder.path(), open.clone()).expect("an open folder");
    let program = folder.path().join("ai-infra");
    // By a process of its own: a child that another test starts while it is being written here would hold it open, and a file that
    // is open for writing cannot be run.
    let copied = Command::new("cp").arg(AI_INFRA).arg(&program).status();
    assert!(copied.expect("cp runs").success());
    fs::set_permissions(&program, open).expect("an open program");
    let name = program.to_str().expect("a name").to_owned();
    (folder, name)
}

/// Makes everything below a folder the ordinary user's.
pub fn give(path: &Path) {
    lchown(path, Some(USER), Some(USER)).expect("a new owner");
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).expect("a list") {
            give(&entry.expect("an entry").path());
        }
    }
}

/// A line of what the kernel says of a process.
pub fn status(pid: u32, name: &str) -> String {
    let path = PathBuf::from(format!("/proc/{pid}/status"));
    let text = fs::read_to_string(path).expect("a process");
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} of {pid}"))
        .trim_start_matches(':')
        .trim()
        .to_owned()
}

fn stands(root: bool) {
    let stage = Stage::new(root);
    let mut users = BTreeSet::new();
    for agent in AGENTS {
        let pid = stage.team.pid(agent);
        for set in ["CapEff", "CapPrm", "CapInh", "CapAmb"] {
            assert_eq!(status(pid, set), "0000000000000000", "{agent} {set}");
        }
        assert_eq!(status(pid, "NoNewPrivs"), "1", "{agent}");
        assert_eq!(status(pid, "Seccomp"), "2", "{agent}");
        let uids = status(pid, "Uid");
        let mut four = uids.split_whitespace();
        let own = four.next().expect("a uid").to_owned();
        assert!(four.all(|uid| uid == own), "{agent}: {uids}");
        assert_ne!(own, "0", "{agent}");
        users.insert(own);
        if root {
            assert_eq!(status(pid, "Groups"), "", "{agent}");
            assert_eq!(status(pid, "CapBnd"), "0000000000000000", "{agent}");
        }
    }
    assert_eq!(
        users.len(),
        if root { AGENTS.len() } else { 1 },
        "{users:?}"
    );
    let attempts = stage.attempts();
    let (uid, walled) = stage.tried(&attempts, None);
    assert_ne!(uid, 0);
    assert_eq!(walled.len(), attempts.len());
    let escaped: Vec<_> = walled.iter().filter(|(_, done, _)| *done).collect();
    assert!(escaped.is_empty(), "{escaped:#?}");
    stage.stands_by_calls(&["try-as-agent", "code"], &attempts);
    // No attempt failed because there was nothing to get at.
    let (_, open) = stage.tried(&attempts, Some(WITHOUT));
    let failed: Vec<_> = open.iter().filter(|(_, done, _)| !*done).collect();
    assert!(failed.is_empty(), "without its walls: {failed:#?}");
    assert!(processes::alive(stage.team.pid("supervisor")));
    eprintln!("{} attempts denied, each with its control", attempts.len());
    stage.team.down();
}

#[test]
fn an_agent_reaches_nothing_but_its_work() {
    stands(is_root());
}

#[test]
fn an_ordinary_users_agents_reach_nothing_but_their_work() {
    if is_root() {
        stands(false);
    }
}

fn proxy_stands(root: bool) {
    let stage = Stage::new(root);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let attempts = stage.attempts_of_proxy(port);
    let who = ["try-as-agent", "--proxy", "code"];
    let (uid, walled) = stage.tried_as(&who, &attempts, None);
    assert_ne!(uid, 0);
    let agent = status(stage.team.pid("code"), "Uid");
    assert_eq!(agent.starts_with(&uid.to_string()), !root, "{agent}");
    assert_eq!(walled.len(), attempts.len());
    let escaped: Vec<_> = walled.iter().filter(|(_, done, _)| *done).collect();
    assert!(escaped.is_empty(), "{escaped:#?}");
    stage.stands_by_calls(&who, &attempts);
    let (_, open) = stage.tried_as(&who, &attempts, Some(WITHOUT));
    let failed: Vec<_> = open.iter().filter(|(_, done, _)| !*done).collect();
    assert!(failed.is_empty(), "without its walls: {failed:#?}");
    eprintln!("{} attempts denied, each with its control", attempts.len());
    stage.team.down();
}

#[test]
fn a_proxy_reaches_nothing_but_its_hosts() {
    proxy_stands(is_root());
}

#[test]
fn an_ordinary_users_proxies_reach_nothing_but_their_hosts() {
    if is_root() {
        proxy_stands(false);
    }
}

#[test]
fn what_an_agent_asks_of_its_launcher_is_bounded() {
    let stage = Stage::new(is_root());
    let task = worked_on(&stage.team);
    let own = task["agent"].as_str().expect("a role");
    let digest = "a".repeat(64);
    let take_up = format!(r#"wish:{{"wish":"take_up","task":{}}}"#, task["id"]);
    // Of a task of its own, and of none.
    let attempts = [
        format!(r#"{{"wish":"keep","name":"{digest}"}}"#),
        format!(r#"{{"wish":"write","file":{{"blob":"{digest}"}}}}"#),
        format!(r#"{{"wish":"lay_out","task":"t1","files":[{{"name":"x","sha256":"{digest}","bytes":1}}]}}"#),
        r#"{"wish":"read","file":{"blob":"../warden/seal.key"}}"#.to_owned(),
        r#"{"wish":"write","file":{"blob":"../config/permissions.yaml"}}"#.to_owned(),
        format!(r#"{{"wish":"lay_out","task":"t1","files":[{{"name":"../../x","sha256":"{digest}","bytes":1}}]}}"#),
        r#"{"wish":"freshen","task":"t99"}"#.to_owned(),
        r#"{"wish":"sandbox","task":"t99","on":{"on":"clone","writable":true,"online":false},"attachments":false,"trace":null}"#.to_owned(),
        r#"{"wish":"way_out","task":"t99"}"#.to_owned(),
        r#"{"wish":"shell","argv":["sh"]}"#.to_owned(),
    ]
    .map(|wish| format!("wish:{wish}"));
    let all = [&[take_up][..], &attempts].concat();
    let (_, mut told) = stage.tried_as(&["try-as-agent", own], &all, None);
    assert!(told.remove(0).1, "it has a task");
    let granted: Vec<_> = told.iter().filter(|(_, done, _)| *done).collect();
    assert!(granted.is_empty(), "{granted:#?}");
    for (wish, _, said) in &told {
        assert!(!said.is_empty(), "{wish}");
        eprintln!("{said}");
    }
    // Control: what it may ask is granted.
    let may = r#"wish:{"wish":"playbooks"}"#.to_owned();
    let (_, told) = stage.tried(&[may], None);
    assert!(told[0].1, "{told:?}");
    stage.team.down();
}

/// A task that some role has worked on.
pub fn worked_on(team: &Team) -> serde_json::Value {
    let work = team.scratch("work");
    fs::write(work.join("README.md"), "a project\n").expect("a file");
    let (code, done) = team.run(&work, "what is unfinished here?");
    assert_eq!(code, 0, "{done:#}");
    let number = done["short_id"].as_str().expect("a number");
    let page = team.ai(&["task", "show", number, "--json"]).json();
    page["task"]["task"].clone()
}

/// Everything that an agent can ask for of a task, the clone first: what follows needs one.
fn wishes_about(id: &str, number: &str) -> Vec<String> {
    let of =
        |name: &str, rest: &str| format!(r#"wish:{{"wish":"{name}","task":"{number}"{rest}}}"#);
    let file = |name: &str, kind: &str| {
        format!(r#"wish:{{"wish":"{name}","file":{{"{kind}":"{number}"}}}}"#)
    };
    let until = r#","until":99999999999"#;
    vec![
        format!(r#"wish:{{"wish":"take_up","task":"{id}"}}"#),
        of("check", ""),
        of("clone", until),
        of("freshen", ""),
        of("copy", until),
        of("lay_out", r#","files":[]"#),
        file("read", "begun"),
        file("read", "names"),
        file("write", "patch"),
        of(
            "sandbox",
            r#","on":{"on":"clone","writable":true,"online":false},"attachments":false,"trace":null"#,
        ),
    ]
}

#[test]
fn an_agent_gets_nothing_of_a_task_that_is_not_its_own() {
    let stage = Stage::new(is_root());
    let team = &stage.team;
    let task = worked_on(team);
    let number = task["short_id"].as_str().expect("a number");
    let (id, own) = (
        task["id"].as_str().expect("an id"),
        task["agent"].as_str().expect("a role"),
    );
    let other = AGENTS.iter().find(|role| **role != own).expect("another");
    let wishes = wishes_about(id, number);
    let granted = |told: &Tried| {
        let granted = told.1.iter().filter(|(_, done, _)| *done);
        granted.map(|(wish, ..)| wish.clone()).collect::<Vec<_>>()
    };
    let told = stage.tried_as(&["try-as-agent", other], &wishes, None);
    assert_eq!(granted(&told), Vec::<String>::new());
    let said: Vec<&str> = told.1.iter().map(|(.., said)| said.as_str()).collect();
    assert!(said[0].contains("is not one that"), "{said:?}");
    assert!(
        said[1..]
            .iter()
            .all(|said| said.contains("no task that this agent was given")),
        "{said:?}"
    );
    // Nor by a word of its own about it.
    let told = stage.tried_as(&["try-as-agent", own], &wishes[1..], None);
    assert_eq!(granted(&told), Vec::<String>::new(), "not taken up");
    let unknown = r#"wish:{"wish":"take_up","task":"01890a5d-ac96-774b-bcce-b302099a8057"}"#;
    let told = stage.tried_as(&["try-as-agent", own], &[unknown.to_owned()], None);
    assert_eq!(granted(&told), Vec::<String>::new(), "nobody's task");
    // Controls: it is granted to the role that the supervisor gave it to, and to the other one without that wall.
    let told = stage.tried_as(&["try-as-agent", own], &wishes, None);
    assert_eq!(granted(&told), wishes, "{told:#?}");
    let told = stage.tried_as(
        &["try-as-agent", other],
        &wishes,
        Some("without=agent-tasks"),
    );
    assert_eq!(granted(&told), wishes, "{told:#?}");
    team.down();
}
