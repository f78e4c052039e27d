//! Carries one attempt out: the words of the case as tool calls, planned, judged and run as an
//! agent's are.

use super::case::{Case, Part, tool_call};
use super::world::{Redis, World};
use guard::apply::{ApplyError, ControlFiles, apply};
use guard::deadline::Deadline;
use guard::executor::{Executor, ExecutorError};
use guard::gate::{Decision, Grant, judge};
use guard::launcher::walls::User;
use guard::masks::Masks;
use guard::outside::{Credential, Outside};
use guard::plan::{View, plan};
use guard::proxy::door::{Door, Doors};
use guard::proxy::holder::Proxy;
use guard::proxy::words::Pace;
use guard::proxy::{Allowed, Terms, clients};
use guard::redact::Redactor;
use guard::sandbox::spec::{Kind, Limits, SandboxSpec, WayOut};
use protocol::level::Level;
use protocol::registry::RegistryKind;
use protocol::task::Ceiling;
use protocol::tool::ToolCall;
use serde_json::json;
use std::path::Path;
use std::time::Duration;

/// Longest one call may take.
pub const CALL: Duration = Duration::from_secs(20);
/// Who a proxy is where root tries it.
const PROXY: User = User {
    uid: 64323,
    gid: 64323,
};

pub struct Attempt<'a> {
    pub case: &'a Case,
    pub exe: &'a Path,
    pub canary: &'a str,
    pub redis: Option<&'a Redis>,
}

impl Attempt<'_> {
    /// Answers what shows that it succeeded, if anything does.
    pub async fn carry_out(&self, without: Option<&str>) -> Result<Option<String>, String> {
        if let [Part::Leave(about, lines)] = self.case.parts.as_slice() {
            return super::leave::tried(*about, lines, self.exe, without).await;
        }
        if let [Part::User(lines)] = self.case.parts.as_slice() {
            return super::users::tried(lines, self.canary, without).await;
        }
        if self.brings() {
            return self.bring_elsewhere(without).await;
        }
        let world = World::new(self.case, self.canary)?;
        let mut spec = self.spec(&world, without)?;
        let _proxy = match &self.case.proxy {
            Some(hosts) => {
                let allowed = Allowed::of(hosts.split_whitespace())?;
                let terms = Terms {
                    allowed,
                    doors: self.doors(&world)?,
                    user: Some(PROXY),
                    faults: spec.limits.faults,
                };
                let pace = tokio::sync::watch::channel(Pace {
                    frozen: false,
                    until: Deadline::after(CALL * 10),
                });
                let started = Proxy::start(self.exe, spec.owner, &terms, pace.1, None);
                let started = started.map_err(|e| e.to_string())?;
                spec.proxy = Some(WayOut {
                    socket: started.socket(),
                    clients: clients::told(&terms.doors),
                });
                started.ready().await?;
                Some(started)
            }
            None => None,
        };
        let redactor = Redactor::new([self.canary.to_owned()]);
        let masks = Masks::new(redactor, [7; 32], spec.limits.faults);
        // As the task was told of it.
        let placeholder = masks.text(self.canary);
        let fill = |words: &str| {
            let words = world.fill(words, self.redis);
            words.replace("{placeholder}", &placeholder)
        };
        let mut executor = Executor::start(spec.clone())
            .await
            .map_err(|e| e.to_string())?;
        let before = match self.applies() {
            true => executor.snapshot().await.map_err(|e| e.to_string())?,
            false => String::new(),
        };
        let mut said = String::new();
        for part in &self.case.parts {
            let call = match part {
                Part::Inside(lines) => ToolCall {
                    id: "c".into(),
                    name: "Bash".into(),
                    input: json!({"command": fill(lines), "timeout": 10000}),
                },
                Part::Call(json) => tool_call(&fill(json)),
                Part::Again => {
                    executor.stop().await;
                    let Ok(next) = Executor::start(spec.clone()).await else {
                        return Ok(world.proof(self.case, &said, self.canary));
                    };
                    executor = next;
                    continue;
                }
                Part::Apply => {
                    said += &self
                        .bring_home(&world, &mut executor, &before, without)
                        .await?;
                    continue;
                }
                Part::Workspace(_)
                | Part::File(..)
                | Part::Leave(..)
                | Part::User(_)
                | Part::Bring(_) => {
                    continue;
                }
            };
            said += &self.call(&mut executor, &masks, &call).await;
            said.push('\n');
        }
        executor.stop().await;
        if super::attempt::verbose() {
            eprintln!("--- {} without {without:?}:\n{said}", self.case.name);
        }
        Ok(world.proof(self.case, &said, self.canary))
    }

    /// The registry, where the case has one.
    fn doors(&self, world: &World) -> Result<Doors, String> {
        let Some(kind) = &self.case.registry else {
            return Ok(Doors::new());
        };
        let door = Door {
            url: format!("http://127.0.0.1:{}/kept", world.registry.port),
            kind: RegistryKind::parse(kind).ok_or("no such kind of registry")?,
            token: Credential::new(self.canary),
            user: None,
            index: None,
            scope: None,
            authority: None,
        };
        Ok([("corp".to_owned(), door)].into())
    }

    fn applies(&self) -> bool {
        self.case
            .parts
            .iter()
            .any(|part| matches!(part, Part::Apply))
    }

    pub fn spec(&self, world: &World, without: Option<&str>) -> Result<SandboxSpec, String> {
        let mut limits = Limits {
            memory_mb: 512,
            whole_mb: 700,
            processes: 64,
            file_mb: 8,
            open_files: 128,
            ..Limits::default()
        };
        if let Some(walls) = without {
            limits.faults = format!("without={walls}").parse()?;
        }
        Ok(SandboxSpec {
            exe: self.exe.to_owned(),
            kind: Kind::Workspace {
                work: world.clone.work.clone(),
                snapshots: world.clone.snapshots.clone(),
                writable: !self.case.level_zero,
                read_only: world.clone.read_only.clone(),
                fixed: world.clone.fixed.clone(),
                cache: None,
            },
            owner: world.clone.owner,
            toolchains: false,
            home: "/nonexistent".into(),
            limits,
            most: Ceiling::HIGHEST,
            deadline: Deadline::after(Duration::from_secs(60)),
            proxy: None,
            only: None,
            trace: None,
        })
    }

    /// What a call was answered, refusals among it.
    pub async fn call(&self, executor: &mut Executor, masks: &Masks, call: &ToolCall) -> String {
        let view = View {
            workspace: true,
            ..View::default()
        };
        let act = match plan(call, &view) {
            Ok(act) => act,
            Err(why) => return format!("not planned: {why}"),
        };
        let act = match (masks.put_back_anywhere(&act), masks.file_of(&act)) {
            (Some(act), _) => act,
            (None, Some(path)) => match executor.holds(path).await {
                Ok(holds) => masks.put_back(&act, &holds),
                Err(why) => return format!("not looked at: {why}"),
            },
            (None, None) => act,
        };
        let level = match self.case.level_zero {
            true => Level::Restricted,
            false => Level::Standard,
        };
        let grant = Grant {
            level,
            tools: Vec::new(),
            host_read: false,
            outside: Outside::default(),
            acts: protocol::acts::Acts::default(),
        };
        match judge(&act, &grant) {
            Decision::Allow(leave) => match executor.run(&act, leave, CALL).await {
                Ok(outcome) => outcome.text,
                Err(why) => format!("not run: {why}"),
            },
            Decision::Deny(why) => format!("not allowed: {why}"),
            Decision::Ask(kind) => format!("not allowed: {kind} asks a person"),
        }
    }

    /// What the work left is applied to the user's own folder, as `task apply` does.
    async fn bring_home(
        &self,
        world: &World,
        executor: &mut Executor,
        before: &str,
        without: Option<&str>,
    ) -> Result<String, String> {
        let say = |e: ExecutorError| e.to_string();
        let after = executor.snapshot().await.map_err(say)?;
        let patch = executor.patch(before, &after).await.map_err(say)?;
        let gone = without.is_some_and(|walls| walls.split('+').any(|w| w == "control-files"));
        let control = match gone {
            true => ControlFiles::Read,
            false => ControlFiles::Refused,
        };
        Ok(
            match apply(self.exe, &world.workspace, &patch, control).await {
                Ok(done) => format!("applied: {}", done.changed.join(", ")),
                Err(ApplyError::Executor(e)) => return Err(e.to_string()),
                Err(why) => format!("not applied: {why}"),
            },
        )
    }
}

/// Whether everything said is shown: `--loud` among the arguments.
pub fn verbose() -> bool {
    std::env::args().any(|arg| arg == "--loud")
}
