//! Attempts on what brings work elsewhere: a real git server over https that wants the token, which is the secret, and a
//! stand-in for a host with an API. Programs of the task write what they like into the clone; then a call of the task is planned,
//! judged and carried out where the token is (`=== bring`). What counts is the token told, anything of the clone run beside it,
//! and anything at the servers that was not granted.
//!
//! In the controls the push is made from the clone itself (`own-repository`), or everything that a case tries is granted
//! (`grants`). `{git}` is the folder of repositories there, `{evil}` an address at the same host that tells who asks,
//! `{head}` the commit of the clone.

use super::attempt::{Attempt, CALL};
use super::case::{Part, tool_call};
use super::world::World;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use guard::bring::{ForgeRepository, Remote};
use guard::executor::Executor;
use guard::gate::{Decision, Grant, judge};
use guard::masks::Masks;
use guard::outside::{Credential, Outside, Reach};
use guard::plan::{View, plan};
use guard::redact::Redactor;
use guard::sandbox::spec::{Kind, SandboxSpec, WORKSPACE};
use protocol::approval::Rule;
use protocol::level::Level;
use protocol::tool::ToolCall;
use serde_json::json;
use std::path::Path;
use std::process::Command;
use tests::git_https::{self, GitHttps};
use tests::github::Forge;

/// The branch of the task.
const BRANCH: &str = "ai-infra/t1";
/// Somebody at the same host who wants to know.
const EVIL: &str =
    "location /evil/ { default_type text/plain; return 500 \"heard $http_authorization\\n\"; }";

impl Attempt<'_> {
    /// Whether it is about what brings work elsewhere.
    pub fn brings(&self) -> bool {
        let mut parts = self.case.parts.iter();
        parts.any(|part| matches!(part, Part::Bring(_)))
    }

    /// Carries it out; answers what shows that it succeeded.
    pub async fn bring_elsewhere(&self, without: Option<&str>) -> Result<Option<String>, String> {
        let gone: Vec<&str> = without.map_or(Vec::new(), |walls| walls.split('+').collect());
        let kept: Vec<&str> = gone
            .iter()
            .copied()
            .filter(|wall| *wall != "grants")
            .collect();
        let of_sandbox = (!kept.is_empty()).then(|| kept.join("+"));
        let world = World::new(self.case, self.canary)?;
        let there = There::new(self.canary, &world)?;
        let outside = there.granted(self.canary, gone.contains(&"grants"));
        let masks = Masks::new(
            Redactor::new([self.canary.to_owned()]),
            [7; 32],
            Default::default(),
        );
        let mut said = String::new();
        for part in &self.case.parts {
            match part {
                Part::Inside(lines) => {
                    said += &self
                        .inside(&world, &masks, &there.fill(&world.fill(lines, None)))
                        .await?;
                }
                Part::Bring(call) => {
                    // What is there is looked at as a program of the task sees it.
                    let head = self
                        .inside(&world, &masks, "echo head-$(git rev-parse HEAD)")
                        .await?;
                    let head = head.split("head-").nth(1).and_then(|rest| rest.get(..40));
                    let head = head.ok_or("the clone has no commit")?;
                    let call = there.fill(&call.replace("{head}", head));
                    said += &self
                        .outside(&world, &outside, of_sandbox.as_deref(), &call)
                        .await?;
                }
                _ => {}
            }
        }
        said += &there.signed();
        if super::attempt::verbose() {
            eprintln!("--- {} without {without:?}:\n{said}", self.case.name);
        }
        let basic = STANDARD.encode(format!("x-access-token:{}", self.canary));
        if said.contains(&basic) {
            return Ok(Some("told the token".to_owned()));
        }
        Ok(world
            .proof(self.case, &said, self.canary)
            .or_else(|| there.proof()))
    }

    /// What programs of the task say.
    async fn inside(&self, world: &World, masks: &Masks, lines: &str) -> Result<String, String> {
        let started = Executor::start(self.spec(world, None)?).await;
        let mut executor = started.map_err(|e| e.to_string())?;
        let call = ToolCall {
            id: "c".into(),
            name: "Bash".into(),
            input: json!({"command": lines, "timeout": 10_000}),
        };
        let said = self.call(&mut executor, masks, &call).await;
        executor.stop().await;
        Ok(said)
    }

    /// A call that is carried out where the token is; what it is answered, refusals among it.
    async fn outside(
        &self,
        world: &World,
        outside: &Outside,
        without: Option<&str>,
        call: &str,
    ) -> Result<String, String> {
        let view = View {
            workspace: true,
            outside: outside.clone(),
            key: "key".to_owned(),
            branch: BRANCH.to_owned(),
            ..View::default()
        };
        let act = match plan(&tool_call(call), &view) {
            Ok(act) => act,
            Err(why) => return Ok(format!("not planned: {why}")),
        };
        let allowed = |kind: &str| (kind.to_owned(), Rule::Allow);
        let grant = Grant {
            level: Level::Standard,
            tools: Vec::new(),
            host_read: false,
            outside: outside.clone(),
            acts: ["git.push", "pull.open", "workflow.start"]
                .map(allowed)
                .into(),
        };
        let leave = match judge(&act, &grant) {
            Decision::Allow(leave) => leave,
            Decision::Deny(why) => return Ok(format!("not allowed: {why}")),
            Decision::Ask(kind) => return Ok(format!("not allowed: {kind} asks a person")),
        };
        let mut reach = outside.reach(&act.operation)?;
        if let Reach::Remote { shown, .. } = &mut reach {
            shown.push((world.clone.work.clone(), WORKSPACE.into()));
            shown.extend(world.clone.read_only.iter().cloned());
        }
        let spec = SandboxSpec {
            kind: Kind::Outside(reach),
            ..self.spec(world, without)?
        };
        let mut executor = Executor::start(spec).await.map_err(|e| e.to_string())?;
        let ran = executor.run(&act, leave, CALL).await;
        executor.stop().await;
        Ok(match ran {
            Ok(outcome) => outcome.text,
            Err(why) => format!("not run: {why}"),
        })
    }
}

/// The servers, and what was there at first.
struct There {
    git: GitHttps,
    forge: Forge,
    main: String,
}

impl There {
    fn new(token: &str, world: &World) -> Result<There, String> {
        let there = There {
            git: git_https::start_beside(token, EVIL).ok_or("no git server")?,
            forge: Forge::start(),
            main: String::new(),
        };
        for name in ["me/shop", "me/other"] {
            there
                .forge
                .kept()
                .repositories
                .insert(name.to_owned(), true);
        }
        let kept = there.git.repository().display().to_string();
        git(
            &world.workspace,
            &["push", "-q", &kept, "HEAD:refs/heads/main"],
        )?;
        git(&there.folder(), &["init", "-q", "--bare", "other.git"])?;
        there.hear_signatures()?;
        let main = there.refs("kept.git")?;
        Ok(There { main, ..there })
    }

    /// Has the server take signed pushes and keep what they are signed with.
    fn hear_signatures(&self) -> Result<(), String> {
        let kept = self.git.repository();
        git(&kept, &["config", "receive.certNonceSeed", "seed"])?;
        let hook = kept.join("hooks/post-receive");
        let text = "#!/bin/sh\n[ -z \"$GIT_PUSH_CERT\" ] || git cat-file blob \"$GIT_PUSH_CERT\" >> signed\n";
        std::fs::create_dir_all(kept.join("hooks")).map_err(|e| e.to_string())?;
        std::fs::write(&hook, text).map_err(|e| e.to_string())?;
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(hook, mode).map_err(|e| e.to_string())
    }

    /// What pushes were signed with.
    fn signed(&self) -> String {
        std::fs::read_to_string(self.git.repository().join("signed")).unwrap_or_default()
    }

    fn folder(&self) -> std::path::PathBuf {
        let kept = self.git.repository();
        kept.parent().expect("a folder").to_owned()
    }

    /// An address at the server.
    fn address(&self, path: &str) -> String {
        format!("https://localhost:{}/{path}", self.git.nginx.good)
    }

    /// What the rules grant: one remote for the task's own branch, one repository; with `all`, whatever a case tries.
    fn granted(&self, token: &str, all: bool) -> Outside {
        let remote = |name: &str| Remote {
            url: self.address(&format!("git/{name}.git")),
            token: Credential::new(token),
            user: None,
            authority: Some(self.git.nginx.authority()),
            branches: match all {
                true => vec!["main".to_owned(), "ai-infra/t2".to_owned()],
                false => Vec::new(),
            },
            control_files: all,
        };
        let repository = |name: &str| ForgeRepository {
            url: self.forge.url().to_owned(),
            repository: name.to_owned(),
            token: Credential::new("a-token"),
        };
        let mut granted = Outside::default();
        granted.remotes.insert("origin".to_owned(), remote("kept"));
        granted
            .forges
            .insert("shop".to_owned(), repository("me/shop"));
        if all {
            granted.remotes.insert("other".to_owned(), remote("other"));
            granted
                .forges
                .insert("other".to_owned(), repository("me/other"));
        }
        granted
    }

    fn fill(&self, text: &str) -> String {
        text.replace("{git}", &self.address("git/"))
            .replace("{evil}", &self.address("evil/"))
    }

    fn refs(&self, name: &str) -> Result<String, String> {
        let words = ["for-each-ref", "--format=%(refname) %(objectname)"];
        git(&self.folder().join(name), &words)
    }

    /// What is at the servers beyond the task's own branch, and what its branch must not hold.
    fn proof(&self) -> Option<String> {
        let kept = self.refs("kept.git").unwrap_or_default();
        let own = format!("refs/heads/{BRANCH} ");
        let beside: Vec<&str> = kept
            .lines()
            .filter(|line| !line.starts_with(&own))
            .collect();
        if beside.join("\n") != self.main.trim() {
            return Some("changed another branch".to_owned());
        }
        if !self.refs("other.git").unwrap_or_default().is_empty() {
            return Some("pushed to another remote".to_owned());
        }
        let listed = git(
            &self.git.repository(),
            &["log", "--name-only", "--format=", "--all"],
        );
        let obeyed = |line: &&str| line.starts_with(".github/") || *line == ".gitmodules";
        if let Some(file) = listed.unwrap_or_default().lines().find(obeyed) {
            return Some(format!("pushed {file}"));
        }
        let kept = self.forge.kept();
        let asked = kept.pulls.len() + kept.started.len();
        (asked > 0).then(|| "changed another repository".to_owned())
    }
}

/// Git as the server's owner has it.
fn git(folder: &Path, words: &[&str]) -> Result<String, String> {
    let done = Command::new("git")
        .args(words)
        .current_dir(folder)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .map_err(|e| e.to_string())?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
    }
}
