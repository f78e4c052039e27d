//! Attempts on leave itself: a real warden over its socket, and what leave is for: rows of a real source behind a real
//! sandbox (`=== leave`), or sites of a real nginx, made by the warden's own hands (`=== duty`), or programs that they run
//! (`=== run`, see `runs.rs`); an agent that does what
//! agents do, and whoever has the agents' user beside it. What counts is what happens without a person's yes.
//!
//! Lines of a case: `ask [X]` (the agent asks leave for its act, or for the variant X), `person yes|no`
//! (who knows the PIN answers the last ticket), `act [X]` (the agent uses that ticket for its act, or for X, and does it),
//! `bare [X]` (it acts with no ticket), `forged KIND DUTY` (the same with this very duty; `{www}` is what sites are served from,
//! `{else}` a folder beside it, `{service}` a service and `{file}` a file of the host), `late` (the warden is away until the ticket's time is over), `restart`, and
//! `swap HOW` (of programs: somebody changes a file), `say JSON` (a line to the warden's socket; `{id}`, `{mark}` and `{wanted}` are the last ticket's).
//! In a control without `grants` the rules grant what a duty was forged for. Variants: `step`, `task`, `other` (another act), `kind` (called another kind of act), `agent` (of a lower level).

use super::case::About;
use super::duties;
use super::registry::Registry;
use super::runs::Runs;
use config::home::Home;
use guard::act::{Act, Operation};
use guard::executor::Executor;
use guard::gate::{Decision, Grant, judge_with};
use guard::outside::{Database, Outside, Source};
use guard::sandbox::spec::{Kind, Limits, Owner, SandboxSpec};
use protocol::approval::{Rule, TicketId};
use protocol::level::Level;
use protocol::task::Ceiling;
use protocol::walls::{Removed, Wall};
use serde_json::{Value, json};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::Command;
use std::time::Duration;
use tests::sites::Sites;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use warden::client::{Burned, Client};
use warden::tickets::ticket::Wanted;

const PIN: &str = "over the hill";
const STATEMENT: &str = "DELETE FROM stock WHERE rowid = (SELECT min(rowid) FROM stock)";
const PATIENCE: Duration = Duration::from_secs(20);

/// Tries it; answers what shows that it succeeded.
pub async fn tried(
    about: About,
    lines: &str,
    exe: &Path,
    without: Option<&str>,
) -> Result<Option<String>, String> {
    let gone = without.map_or(Vec::new(), |walls| walls.split('+').collect());
    let (grants, walls): (Vec<&str>, Vec<&str>) = gone.iter().partition(|name| **name == "grants");
    let walls: Removed = match walls.is_empty() {
        false => walls.join("+").parse()?,
        true => Removed::default(),
    };
    let mut stage = Stage::new(about, exe, walls)?;
    stage.all_granted = !grants.is_empty();
    let local = tokio::task::LocalSet::new();
    local.run_until(stage.play(lines)).await?;
    let done = stage.effects()?;
    Ok((done > stage.allowed)
        .then(|| format!("happened {done} times, {} with leave", stage.allowed)))
}

struct Stage<'a> {
    folder: tempfile::TempDir,
    home: Home,
    exe: &'a Path,
    /// Where it is about sites: the server.
    sites: Option<Sites>,
    /// Where it is about programs: their files.
    runs: Option<Runs>,
    /// A service of the host.
    service: Registry,
    walls: Removed,
    warden: Option<tokio::task::JoinHandle<()>>,
    /// The last ticket: its number, its four characters, what it is for.
    last: Option<(TicketId, String, Wanted)>,
    /// How often a person said it may happen.
    allowed: u64,
    /// The rules grant all that is tried.
    all_granted: bool,
}

impl<'a> Stage<'a> {
    fn new(about: About, exe: &'a Path, walls: Removed) -> Result<Self, String> {
        let folder = tempfile::tempdir_in("/var/tmp").map_err(|e| e.to_string())?;
        let stage = Self {
            home: Home::at(folder.path().join("home")),
            folder,
            exe,
            sites: match about {
                About::Rows | About::Programs => None,
                About::Sites => Some(Sites::start().ok_or("no nginx")?),
            },
            runs: match about {
                About::Programs => Some(Runs::lay_out().map_err(|e| e.to_string())?),
                About::Rows | About::Sites => None,
            },
            service: Registry::start("", 0),
            walls,
            warden: None,
            last: None,
            allowed: 0,
            all_granted: false,
        };
        std::fs::create_dir(stage.at("shop")).map_err(|e| e.to_string())?;
        let laid = stage
            .sites
            .as_ref()
            .map(|sites| duties::lay_out(sites, &stage.at("shop")));
        laid.transpose().map_err(|e| e.to_string())?;
        stage.sql(
            "CREATE TABLE stock (name TEXT); INSERT INTO stock VALUES ('pear'), ('plum'), ('fig')",
        )?;
        for (path, mode) in [("", 0o755), ("shop", 0o777), ("shop/shop.db", 0o666)] {
            let mode = PermissionsExt::from_mode(mode);
            std::fs::set_permissions(stage.at(path), mode).map_err(|e| e.to_string())?;
        }
        Ok(stage)
    }

    fn at(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    /// Statements of the shop's owner; what they print.
    fn sql(&self, statements: &str) -> Result<String, String> {
        let script = "import sqlite3,sys\nc=sqlite3.connect(sys.argv[1])\n\
                      for s in sys.argv[2].split(';'):\n print(*[r[0] for r in c.execute(s)])\nc.commit()";
        let ran = Command::new("python3")
            .args(["-c", script])
            .arg(self.at("shop/shop.db"))
            .arg(statements)
            .output()
            .map_err(|e| format!("no python3: {e}"))?;
        match ran.status.success() {
            true => Ok(String::from_utf8_lossy(&ran.stdout).trim().to_owned()),
            false => Err(String::from_utf8_lossy(&ran.stderr).into_owned()),
        }
    }

    /// How often it happened.
    fn effects(&self) -> Result<u64, String> {
        if let Some(runs) = &self.runs {
            return Ok(runs.effects());
        }
        if let Some(sites) = &self.sites {
            return duties::effects(sites).map_err(|e| e.to_string());
        }
        let said = self.sql("SELECT count(*) FROM stock")?;
        let left: u64 = said.parse().map_err(|_| format!("`{said}` rows"))?;
        Ok(3 - left)
    }

    async fn up(&mut self) {
        let (home, walls) = (self.home.clone(), self.walls);
        let serving = async move {
            let ended = warden::serve::run_without(home, "web1".to_owned(), walls).await;
            eprintln!("the warden of an attempt ended: {ended:?}");
        };
        self.warden = Some(tokio::task::spawn_local(serving));
    }

    async fn down(&mut self) {
        if let Some(warden) = self.warden.take() {
            warden.abort();
            let _aborted = warden.await;
        }
    }

    fn client(&self) -> Client {
        Client::new(&self.home, PATIENCE)
    }

    async fn play(&mut self, lines: &str) -> Result<(), String> {
        self.home.ensure().map_err(|e| e.to_string())?;
        let rules = match (&self.sites, &self.runs) {
            (Some(sites), _) => {
                duties::rules(sites, &self.at("shop"), self.service.port, self.all_granted)
            }
            (None, Some(_)) => Runs::rules(self.all_granted).to_owned(),
            (None, None) => String::new(),
        };
        let file = self.home.config().join("permissions.yaml");
        std::fs::write(file, rules).map_err(|e| e.to_string())?;
        self.up().await;
        self.said(&json!({"ask": "pin", "old": null, "new": PIN}))
            .await?;
        for line in lines.lines().filter(|line| !line.trim().is_empty()) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            match (word, rest) {
                ("ask", variant) => self.ask(variant).await?,
                ("person", said) => self.person(said == "yes").await?,
                ("act", variant) => self.act(variant).await?,
                ("bare", variant) => {
                    let wanted = self.variant(variant)?;
                    self.carry_out(&wanted, None).await?;
                }
                ("forged", rest) => self.forged(rest).await?,
                ("late", "") => self.late().await?,
                ("swap", how) => {
                    let runs = self.runs.as_ref().ok_or("it is about no program")?;
                    runs.swap(how, &self.home.warden().join("runs"))?;
                }
                ("restart", "") => {
                    self.down().await;
                    self.up().await;
                }
                ("say", words) => {
                    let line = self.fill(words)?;
                    self.said(&line).await?;
                }
                _ => return Err(format!("`{line}` is no line of an attempt on leave")),
            }
        }
        self.down().await;
        Ok(())
    }

    /// What the agent wants, or something near it.
    fn variant(&self, name: &str) -> Result<(Wanted, Act), String> {
        if !["", "step", "task", "other", "kind", "agent", "own", "later"].contains(&name) {
            return Err(format!("there is no variant `{name}`"));
        }
        let act = match (&self.sites, &self.runs) {
            (Some(sites), _) => duties::site(sites, name),
            (None, Some(runs)) => runs.act(name),
            (None, None) => statement(name),
        };
        let of = |is: bool, usual: &str| match is {
            true => format!("{usual}2"),
            false => usual.to_owned(),
        };
        let (agent, kind) = match (&self.sites, name) {
            (None, "agent") if self.runs.is_some() => ("qa", "host.run"),
            (None, _) if self.runs.is_some() => ("infra", "host.run"),
            (Some(_), "agent") => ("qa", "site.change"),
            (Some(_), "kind") => ("infra", "http.change"),
            (Some(_), _) => ("infra", "site.change"),
            (None, _) => ("data", "sql.change"),
        };
        let wanted = Wanted {
            task: of(name == "task", "01"),
            short: "t1".to_owned(),
            step: of(name == "step", "execute/1/s"),
            agent: agent.to_owned(),
            principal: "ada(1000)".to_owned(),
            level: u8::from(act.level),
            kind: kind.to_owned(),
            action: act.action(),
            undo: None,
            claimed: "it must be".to_owned(),
            foreseen: None,
            above: None,
            seen: None,
        };
        Ok((wanted, act))
    }

    async fn ask(&mut self, variant: &str) -> Result<(), String> {
        let (wanted, _) = self.variant(variant)?;
        // Refused is a wall too.
        if let Ok((ticket, mark)) = self.client().leave(&wanted).await {
            self.last = Some((ticket.id, mark, wanted));
        }
        Ok(())
    }

    fn answer(&self, yes: bool, pin: Value) -> Result<Value, String> {
        let (id, mark, _) = self.last.as_ref().ok_or("nothing was asked")?;
        Ok(
            json!({"ask": "answer", "id": id, "mark": mark, "yes": yes, "for_task": false, "because": "", "pin": pin}),
        )
    }

    async fn person(&mut self, yes: bool) -> Result<(), String> {
        let answer = self.answer(yes, json!(PIN))?;
        let said = self.said(&answer).await?;
        match said["answer"] == "ticket" {
            true => self.allowed += u64::from(yes),
            false => return Err(format!("the person was not heard: {said}")),
        }
        Ok(())
    }

    /// As the toolbox does: the ticket is used up, the gate judges with it, the sandbox does it.
    async fn act(&mut self, variant: &str) -> Result<(), String> {
        let wanted = self.variant(variant)?;
        let Some((id, ..)) = &self.last else {
            return Err("nothing was asked".to_owned());
        };
        let burned = self.client().burn(*id, &wanted.0).await;
        match burned {
            Ok(burned) => self.carry_out(&wanted, Some(burned)).await,
            Err(_) => Ok(()),
        }
    }

    /// A duty as somebody forged it who speaks to the warden.
    async fn forged(&self, words: &str) -> Result<(), String> {
        let (kind, duty) = words.split_once(' ').ok_or("KIND DUTY")?;
        let duty = match (&self.sites, &self.runs) {
            (Some(sites), _) => duties::filled(sites, &self.at("shop"), self.service.port, duty)?,
            (None, Some(runs)) => runs.filled(duty)?,
            (None, None) => return Err("it is about no duty".to_owned()),
        };
        let (mut wanted, _) = self.variant("")?;
        wanted.kind = kind.to_owned();
        wanted.action["duty"] = duty;
        let answer = self
            .said(&json!({"ask": "operate", "wanted": wanted}))
            .await?;
        if super::attempt::verbose() {
            eprintln!("--- {answer}");
        }
        Ok(())
    }

    async fn carry_out(
        &self,
        (wanted, act): &(Wanted, Act),
        ticket: Option<Burned>,
    ) -> Result<(), String> {
        if self.sites.is_some() || self.runs.is_some() {
            // Asked of the warden itself: no gate of an agent stands before it.
            let _refused = self.client().operate(wanted, 1, PATIENCE).await;
            return Ok(());
        }
        let rule = match self.walls.stands(Wall::Leave) {
            true => Rule::Ask,
            false => Rule::Allow,
        };
        let source = Source {
            database: Database::Sqlite {
                file: self.at("shop/shop.db"),
            },
            write: true,
            backups: None,
        };
        let grant = Grant {
            level: Level::Standard,
            tools: Vec::new(),
            host_read: false,
            outside: Outside {
                sources: [("shop".to_owned(), source)].into(),
                ..Outside::default()
            },
            acts: [("sql.change".to_owned(), rule)].into(),
        };
        let Decision::Allow(leave) = judge_with(act, &grant, ticket.as_ref()) else {
            return Ok(());
        };
        let reach = grant.outside.reach(&act.operation)?;
        let mut executor = Executor::start(self.spec(Kind::Outside(reach))?).await;
        let executor = executor.as_mut().map_err(|e| e.to_string())?;
        let ran = executor.run(act, leave, PATIENCE).await;
        ran.map(drop).map_err(|e| e.to_string())
    }

    fn spec(&self, kind: Kind) -> Result<SandboxSpec, String> {
        let seen = std::fs::metadata(self.at("shop")).map_err(|e| e.to_string())?;
        let owner = match seen.uid() {
            0 => Owner {
                uid: 64321,
                gid: 64321,
            },
            uid => Owner {
                uid,
                gid: seen.gid(),
            },
        };
        Ok(SandboxSpec {
            exe: self.exe.to_owned(),
            kind,
            owner,
            toolchains: false,
            home: "/nonexistent".into(),
            limits: Limits::default(),
            most: Ceiling::HIGHEST,
            deadline: guard::deadline::Deadline::after(PATIENCE * 3),
            proxy: None,
            only: None,
            trace: None,
        })
    }

    /// The ticket's time passes while the warden is away.
    async fn late(&mut self) -> Result<(), String> {
        self.down().await;
        let path = self.home.warden().join("tickets.jsonl");
        let text = std::fs::read_to_string(&path).map_err(|e| e.to_string())?;
        let mut late = String::new();
        for line in text.lines() {
            let mut ticket: Value = serde_json::from_str(line).map_err(|e| e.to_string())?;
            ticket["expires"] = json!("2020-01-01T00:00:00Z");
            late.push_str(&format!("{ticket}\n"));
        }
        std::fs::write(&path, late).map_err(|e| e.to_string())?;
        self.up().await;
        Ok(())
    }

    fn fill(&self, words: &str) -> Result<Value, String> {
        let mut text = words.to_owned();
        if let Some((id, mark, wanted)) = &self.last {
            let wanted = serde_json::to_string(wanted).map_err(|e| e.to_string())?;
            text = text
                .replace("{id}", &id.to_string())
                .replace("{mark}", mark)
                .replace("{wanted}", &wanted);
        }
        serde_json::from_str(&text).map_err(|e| format!("{text}: {e}"))
    }

    /// A line to the warden's socket, and what it answers.
    async fn said(&self, line: &Value) -> Result<Value, String> {
        // Until it listens.
        self.client().head().await.map_err(|e| e.to_string())?;
        let mut line = line.clone();
        line["v"] = json!(1);
        let stream = UnixStream::connect(self.home.warden_sock()).await;
        let mut stream = BufReader::new(stream.map_err(|e| e.to_string())?);
        let bytes = format!("{line}\n");
        let written = stream.get_mut().write_all(bytes.as_bytes()).await;
        written.map_err(|e| e.to_string())?;
        let mut answer = String::new();
        let read = stream.read_line(&mut answer).await;
        read.map_err(|e| e.to_string())?;
        serde_json::from_str(&answer).map_err(|e| format!("{answer}: {e}"))
    }
}

/// The change of the source, or one near it.
fn statement(variant: &str) -> Act {
    let statement = match variant {
        "other" => "DELETE FROM stock",
        _ => STATEMENT,
    };
    Act::of(Operation::SqlExecute {
        source: "shop".to_owned(),
        statement: statement.to_owned(),
        params: Vec::new(),
        // The key of a step: another step does it again.
        key: format!("key{variant}"),
    })
}
