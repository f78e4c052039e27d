//! Attempts on the bus by an agent that was taken over: it holds the password of its role's own user of Redis and says what
//! it likes, word by word. The server is a real one with the team's real users (`bus::acl`), and other roles have work,
//! leases, journals and questions there. What counts is what it learns of them, and anything that is different afterwards
//! beyond the keys that are its own. In the control the user may do everything.
//!
//! Lines of a case: a command of Redis; `as USER` (who says it: an agent or the daemon of the joined host `web2`; else
//! `agent-code`), `frozen` (the team is), `hear`
//! (somebody else uses the server, and what comes by itself is listened to). `{last}` is the last answer; `{queued}`,
//! `{held}` and `{parked}` are tasks of `qa`, `{own}` is one that `code` holds; another waits for it.

use super::resp::{Line, words};
use bus::acl::{self, RolePasswords};
use bus::claim::{Delivery, Inbox};
use bus::connect::{Bus, BusAddress};
use bus::keys::Keys;
use bus::presence::Presence;
use jiff::Timestamp;
use protocol::envelope::{Envelope, MessageType, micros};
use protocol::ids::{Role, TaskId, TeamName};
use protocol::journal::{EntryKind, JOURNAL_VERSION, JournalEntry};
use protocol::task::Class;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The wall: what the line of a role's user says.
const WALL: &str = "bus-users";
/// Long enough for every attempt.
const LEASE: Duration = Duration::from_secs(600);
/// Longest start of a server.
const START: Duration = Duration::from_secs(20);
/// Who looks.
const WATCHER: &str = "watcher";
/// A team on the same server.
const OTHER: &str = "{other}:q:code:any:normal";

/// Tries it; answers what shows that it succeeded.
pub async fn tried(
    lines: &str,
    canary: &str,
    without: Option<&str>,
) -> Result<Option<String>, String> {
    let open = match without {
        None => false,
        Some(WALL) => true,
        Some(other) => return Err(format!("`{other}` is no wall of the bus's users")),
    };
    let mut stage = Stage::start(canary, lines.lines().any(|line| line == "frozen")).await?;
    stage.play(lines, open)
}

struct Stage {
    server: Server,
    canary: String,
    tasks: BTreeMap<&'static str, String>,
    /// Somebody else's connection.
    witness: Line,
    /// Hears every channel.
    ears: Line,
    /// A script that the supervisor loaded.
    script: String,
}

impl Stage {
    async fn start(canary: &str, frozen: bool) -> Result<Stage, String> {
        let server = Server::start(canary)?;
        let tasks = work(&server, canary, frozen)
            .await
            .map_err(|e| e.to_string())?;
        let mut watcher = server.watcher()?;
        watcher.say(&["XADD", OTHER, "*", "e", canary])?;
        watcher.say(&["SET", &format!("{{main}}:{canary}"), "1"])?;
        let said = watcher.say(&["SCRIPT", "LOAD", "return 'the supervisor has this'"])?;
        let script = String::from_utf8_lossy(&said.concat()).into_owned();
        let mut ears = server.watcher()?;
        ears.say(&["PSUBSCRIBE", "*"])?;
        Ok(Stage {
            witness: server.watcher()?,
            canary: canary.to_owned(),
            server,
            tasks,
            ears,
            script,
        })
    }

    fn play(&mut self, lines: &str, open: bool) -> Result<Option<String>, String> {
        let named = lines.lines().find_map(|line| line.strip_prefix("as "));
        let user = named.map_or_else(|| acl::agent_user(&role("code")), str::to_owned);
        let mut line = self.login(&user, open)?;
        let before = self.world(&user)?;
        let (mut last, mut said) = (Ok(Vec::new()), Vec::new());
        for words in lines.lines().map(words) {
            let words: Vec<String> = words.iter().map(|word| self.fill(word, &last)).collect();
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            match words.as_slice() {
                [] | ["frozen"] | ["as", _] => continue,
                // Who was refused hears nothing.
                ["hear"] if last.is_err() => {}
                ["hear"] => {
                    self.witness.say(&["ECHO", &self.canary])?;
                    last = line.hear();
                }
                words => last = line.say(words),
            }
            if super::attempt::verbose() {
                eprintln!("--- {words:?}: {last:?}");
            }
            said.extend(last.clone().unwrap_or_default().concat());
        }
        if String::from_utf8_lossy(&said).contains(&self.canary) {
            return Ok(Some("told the secret".to_owned()));
        }
        // Whoever ended the server or the connections of others shows it here.
        let Ok(after) = self.world(&user) else {
            return Ok(Some("ended the server, or others' connections".to_owned()));
        };
        self.witness.say(&["PUBLISH", "end", "end"])?;
        if !self.ears.hear()?.contains(&b"end".to_vec()) {
            return Ok(Some("spoke on a channel".to_owned()));
        }
        Ok(difference(&before, &after))
    }

    fn login(&self, user: &str, open: bool) -> Result<Line, String> {
        if open {
            let mut watcher = self.server.watcher()?;
            watcher.say(&["ACL", "SETUSER", user, "~*", "&*", "+@all"])?;
        }
        Line::login(&self.server.socket, user, user)
    }

    fn fill(&self, word: &str, last: &super::resp::Reply) -> String {
        let last = last.clone().unwrap_or_default().concat();
        let text = word.replace("{last}", &String::from_utf8_lossy(&last));
        let tasks = self.tasks.iter();
        tasks.fold(text, |text, (name, id)| {
            text.replace(&format!("{{{name}}}"), id)
        })
    }

    /// All that a user's own keys do not hold: other keys, and how the server is set.
    fn world(&mut self, user: &str) -> Result<BTreeMap<String, BTreeSet<Vec<u8>>>, String> {
        let keys = Keys::new(&team());
        let host = user.split_once('@').map(|(_, host)| host);
        let own = match user.starts_with(acl::DAEMON) {
            true => keys.of_host_daemon(&[role("code")], host.unwrap_or_default()),
            false => keys.of_agent(&role("code"), host),
        };
        let is_own = |key: &str| {
            own.iter().any(|pattern| match pattern.strip_suffix('*') {
                Some(start) => key.starts_with(start),
                None => key == pattern,
            })
        };
        let mut seen = BTreeMap::new();
        for key in self.witness.say(&["KEYS", "*"])? {
            let key = String::from_utf8_lossy(&key).into_owned();
            if is_own(&key) {
                continue;
            }
            let question = match key.as_str() {
                "{main}:lanes" => vec!["SMEMBERS", &key],
                key if grows(key) => vec!["XRANGE", key, "-", "+"],
                key => vec!["DUMP", key],
            };
            let holds = self.witness.say(&question)?;
            seen.insert(key, holds.into_iter().collect());
        }
        for question in [
            "ACL LIST",
            "CONFIG GET appendfsync",
            "FUNCTION LIST",
            "MODULE LIST",
            "ROLE",
        ] {
            let words: Vec<&str> = question.split(' ').collect();
            let mut answer = self.witness.say(&words).unwrap_or_default();
            if question == "ROLE" {
                // How far it is goes on by itself.
                answer.truncate(1);
            }
            seen.insert(question.to_owned(), answer.into_iter().collect());
        }
        let there = self.witness.say(&["SCRIPT", "EXISTS", &self.script])?;
        seen.insert("scripts".to_owned(), there.into_iter().collect());
        Ok(seen)
    }
}

/// What is not as it was.
fn difference(
    before: &BTreeMap<String, BTreeSet<Vec<u8>>>,
    after: &BTreeMap<String, BTreeSet<Vec<u8>>>,
) -> Option<String> {
    let lost = before.iter().find(|(key, holds)| match after.get(*key) {
        Some(now) if grows(key) => !holds.is_subset(now),
        now => now != Some(*holds),
    });
    let mut made = after.keys().filter(|key| !before.contains_key(*key));
    let key = lost.map(|(key, _)| key);
    let key = key.or_else(|| made.find(|key| !grows(key)))?;
    Some(format!("changed {key}"))
}

/// Whether the attacker, a `code`, may add to a key. What was there stays there.
fn grows(key: &str) -> bool {
    key == "{main}:lanes" || (key.starts_with("{main}:ask:") && key.ends_with(":code"))
}

/// What roles have on the bus; the tasks by what they are.
async fn work(
    server: &Server,
    canary: &str,
    frozen: bool,
) -> Result<BTreeMap<&'static str, String>, bus::error::BusError> {
    let supervisor = server.bus(acl::SUPERVISOR).await?;
    let qa = server.bus(&acl::agent_user(&role("qa"))).await?;
    let code = server.bus(&acl::agent_user(&role("code"))).await?;
    let submit = async |to: &str| {
        let mut envelope = Envelope::new(&team(), MessageType::Task, "supervisor", to);
        let task = TaskId::new();
        envelope.payload.task_id = Some(task);
        envelope.payload.action = format!("run {canary}");
        let to = role(to);
        let submitted = supervisor.submit(&envelope, &to, None, Class::Normal);
        submitted.await.map(|_| task)
    };
    let mut of_qa = Inbox::open(&qa, &role("qa"), "here", "qa-1").await?;
    let mut of_code = Inbox::open(&code, &role("code"), "here", "code-1").await?;
    let (held, parked, own) = (
        submit("qa").await?,
        submit("qa").await?,
        submit("code").await?,
    );
    let first = taken(&mut of_qa, held).await?;
    let second = taken(&mut of_qa, parked).await?;
    taken(&mut of_code, own).await?;
    let entry = JournalEntry {
        v: JOURNAL_VERSION,
        epoch: first.lease.epoch,
        at: micros(Timestamp::now()),
        step: "observe".to_owned(),
        kind: EntryKind::Phase,
        body: json!({ "seen": canary }),
    };
    qa.journal_append(&first.lease, &entry).await?;
    let word = |of: &Delivery, kind| {
        let mut envelope = Envelope::new(&team(), kind, "qa", "supervisor");
        envelope.payload.task_id = Some(of.lease.task);
        envelope.epoch = Some(of.lease.epoch);
        envelope
    };
    let told = word(&first, MessageType::Progress);
    qa.progress(&first.lease, &told).await?;
    qa.park(&second.lease, &word(&second, MessageType::Progress))
        .await?;
    // Nobody has taken this one, and nobody answers that question.
    let queued = submit("qa").await?;
    let waiting = submit("code").await?;
    let mut question = Envelope::new(&team(), MessageType::Query, "qa", "supervisor");
    question.payload.action = canary.to_owned();
    let _unanswered = qa
        .ask(&role("qa"), &question, Duration::from_millis(1))
        .await;
    qa.announce(&Presence {
        instance: "qa-1".to_owned(),
        role: role("qa"),
        pid: 1,
        version: "0".to_owned(),
        host: "here".to_owned(),
        task: Some(held),
        held_back: None,
        at: Timestamp::now(),
    })
    .await?;
    if frozen {
        let roles = [(role("code"), false), (role("qa"), false)];
        supervisor
            .set_brakes(Some("ada, for a reason"), &roles)
            .await?;
    }
    let named = [
        ("queued", queued),
        ("held", held),
        ("parked", parked),
        ("own", own),
        ("waiting", waiting),
    ];
    Ok(named.map(|(name, task)| (name, task.to_string())).into())
}

async fn taken(inbox: &mut Inbox, task: TaskId) -> Result<Delivery, bus::error::BusError> {
    let delivery = inbox.try_next().await?.expect("there is work");
    assert_eq!(delivery.lease.task, task, "the oldest comes first");
    Ok(delivery)
}

fn team() -> TeamName {
    "main".parse().expect("a name")
}

fn role(name: &str) -> Role {
    name.parse().expect("a name")
}

/// A redis-server with the users of a team and of a host that joined it. Each user's password is its name.
struct Server {
    process: Child,
    socket: PathBuf,
    _folder: tempfile::TempDir,
}

impl Server {
    fn start(canary: &str) -> Result<Server, String> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("redteam-{canary}-"))
            .tempdir_in("/var/tmp")
            .map_err(|e| e.to_string())?;
        let users = folder.path().join("users.acl");
        std::fs::write(&users, lines(canary)).map_err(|e| e.to_string())?;
        let socket = folder.path().join("redis.sock");
        let process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--unixsocket"])
            .arg(&socket)
            .arg("--aclfile")
            .arg(&users)
            .arg("--dir")
            .arg(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|e| format!("no redis-server: {e}"))?;
        let server = Server {
            process,
            socket,
            _folder: folder,
        };
        let end = Instant::now() + START;
        while server.watcher().is_err() {
            if Instant::now() > end {
                return Err("redis-server did not start".to_owned());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(server)
    }

    fn watcher(&self) -> Result<Line, String> {
        Line::login(&self.socket, WATCHER, WATCHER)
    }

    async fn bus(&self, user: &str) -> Result<Bus, bus::error::BusError> {
        let address = BusAddress {
            url: format!("redis+unix://{}", self.socket.display()),
            username: Some(user.to_owned()),
            password: Some(user.to_owned()),
            ca: None,
        };
        Bus::connect(&address, &team(), LEASE).await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// The users' file: the team's own lines, whoever looks, and one whose name is the secret.
fn lines(canary: &str) -> String {
    let (code, qa) = (role("code"), role("qa"));
    let agents = [&code, &qa].map(|role| (role.clone(), acl::agent_user(role)));
    let passwords = RolePasswords {
        supervisor: acl::SUPERVISOR.to_owned(),
        daemon: acl::DAEMON.to_owned(),
        agents: agents.into(),
    };
    let mut lines = acl::users(&team(), &passwords, &[code.clone(), qa]);
    let there = |purpose: String| {
        let digest = acl::digest(&format!("{purpose}@web2"));
        (purpose, digest)
    };
    let digests = [acl::agent_user(&code), acl::DAEMON.to_owned()].map(there);
    let digests = digests.into();
    lines.extend(acl::host_lines(&team(), "web2", &[code], &digests));
    lines.push(format!("user {WATCHER} on >{WATCHER} ~* &* +@all"));
    lines.push(format!("user {canary} off"));
    lines.join("\n") + "\n"
}
