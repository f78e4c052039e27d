//! A task's own branch reaches a remote and is offered there: once, whoever dies in the middle, and where no rule covers
//! it, only when a person says yes to exactly that.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;
use tests::git_https::GitHttps;
use tests::github::Forge;
use tests::processes::{self, wait_until};
use tests::team::Team;

const PATIENCE: Duration = Duration::from_secs(40);
const TOKEN: &str = "tkn-64e9a01cb7f3d258";
const PIN: &str = "over the hill";

const OFFER: &str = r#"
playbook: 1
name: offer-change
agent: code
level: 1
intents: ["offer the change"]
steps:
  - {id: change, tool: Write, args: {file_path: new.txt, content: "new"}}
  - {id: commit, tool: GitCommit, args: {message: "a change"}}
  - {id: push, tool: GitPush, args: {remote: origin, commit: "{{ steps.commit.commit }}"}}
  - {id: offer, tool: OpenPull, args: {forge: shop, title: "a change"}}
criteria:
  - {id: c1, text: "the file is there", change: true, check: {file: {path: new.txt, contains: new}}}
report: "{{ steps.push.text }}; {{ steps.offer.text }}"
tests: [{ask: "offer the change"}]
"#;

const START: &str = r#"
playbook: 1
name: start-build
agent: code
level: 1
intents: ["start the build"]
steps:
  - {id: start, tool: StartWorkflow, args: {forge: shop, workflow: tests.yml, branch: main}}
  - {id: look, tool: WorkflowRuns, args: {forge: shop}}
criteria:
  - {id: c1, text: "a run is there", check: {tool: {name: WorkflowRuns, input: {forge: shop}, expect: "result.found | length > 0"}}}
report: "{{ steps.start.text }}"
tests: [{ask: "start the build"}]
"#;

struct Stage {
    team: Team,
    server: GitHttps,
    forge: Forge,
    work: PathBuf,
}

fn git(folder: &Path, args: &[&str]) -> String {
    let done = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t",
            "-c",
            "safe.directory=*",
        ])
        .args(args)
        .current_dir(folder)
        .output()
        .expect("git runs");
    assert!(
        done.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    String::from_utf8_lossy(&done.stdout).trim().to_owned()
}

impl Stage {
    fn new(acts: &str) -> Option<Stage> {
        let server = tests::git_https::start(TOKEN)?;
        let forge = Forge::start();
        forge.kept().repositories.insert("me/shop".to_owned(), true);
        let team = Team::new(AI_INFRA);
        let playbooks = team.home().join("playbooks");
        fs::create_dir_all(&playbooks).expect("a folder");
        fs::write(playbooks.join("offer-change.yaml"), OFFER).expect("a playbook");
        fs::write(playbooks.join("start-build.yaml"), START).expect("a playbook");
        let rules = format!(
            "acts: {{{acts}}}\nremotes:\n  origin: {{url: \"{}\", token: {{secret: push}}, authority: {}, agents: [code]}}\n\
             forges:\n  shop: {{repository: me/shop, url: \"{}\", token: {{secret: pulls}}, agents: [code]}}\n",
            server.url(),
            server.nginx.authority().display(),
            forge.url()
        );
        fs::write(team.home().join("config/permissions.yaml"), rules).expect("rules");
        team.piped(&["secret", "set", "push"], TOKEN).expect(0);
        team.piped(&["secret", "set", "pulls"], "a-token").expect(0);
        team.up().expect(0);
        let work = team.scratch("work");
        git(&work, &["init", "-q"]);
        fs::write(work.join("README.md"), "here\n").expect("a file");
        git(&work, &["add", "."]);
        git(&work, &["commit", "-qm", "one"]);
        let there = server.repository().display().to_string();
        git(&work, &["push", "-q", &there, "HEAD:refs/heads/main"]);
        // Whoever takes a push writes it down, and takes their time where they are held.
        let hook = server.repository().join("hooks/post-receive");
        let own = server.repository().display().to_string();
        let text = format!(
            "#!/bin/sh\ncat >> {own}/taken\nwhile [ -e {own}/hold ]; do sleep 0.05; done\n"
        );
        fs::create_dir_all(hook.parent().expect("a folder")).expect("a folder");
        fs::write(&hook, text).expect("a hook");
        let made = Command::new("chmod").arg("755").arg(&hook).status();
        assert!(made.expect("chmod runs").success());
        Some(Stage {
            team,
            server,
            forge,
            work,
        })
    }

    fn begin(&self, playbook: &str) {
        let folder = self.work.display().to_string();
        let words = [
            "run",
            "--playbook",
            playbook,
            "--workspace",
            &folder,
            "--no-wait",
        ];
        self.team.ai(&words).expect(0);
    }

    /// Pushes that the server took, a line each.
    fn taken(&self) -> Vec<String> {
        let text = fs::read_to_string(self.server.repository().join("taken"));
        text.unwrap_or_default()
            .lines()
            .map(str::to_owned)
            .collect()
    }

    fn document(&self, task: &str) -> Value {
        let page = self.team.ai(&["task", "show", task, "--json"]).expect(0);
        page.json()["task"]["document"].clone()
    }

    fn until(&self, task: &str, so: impl Fn(&Value) -> bool) -> Value {
        let there = wait_until(PATIENCE, || so(&self.document(task)));
        let document = self.document(task);
        assert!(there, "{document:#}");
        document
    }
}

#[test]
fn a_branch_is_pushed_once_and_offered_once_whoever_dies() {
    let Some(stage) = Stage::new("git.push: allow, pull.open: allow") else {
        return;
    };
    let hold = stage.server.repository().join("hold");
    fs::write(&hold, "").expect("a file");
    stage.begin("offer-change");
    // The server has it, and nobody has heard so.
    assert!(
        wait_until(PATIENCE, || stage.taken().len() == 1),
        "{:#}",
        stage.document("t1")
    );
    processes::send(stage.team.pid("code"), Signal::SIGKILL);
    fs::remove_file(&hold).expect("it was there");
    let document = stage.until("t1", |document| document["state"] == "done");
    let taken = stage.taken();
    assert_eq!(taken.len(), 1, "{taken:?}");
    assert!(taken[0].ends_with("refs/heads/ai-infra/t1"), "{taken:?}");
    let said = document["result"].as_str().unwrap_or_default();
    assert!(
        said.contains("is at") && said.contains("pull request"),
        "{document:#}"
    );
    let pulls = stage.forge.kept().pulls.clone();
    assert_eq!(pulls.len(), 1, "{pulls:?}");
    assert_eq!(
        (&pulls[0]["head"], &pulls[0]["base"]),
        (&"ai-infra/t1".into(), &"main".into())
    );
    let there = git(
        &stage.server.repository(),
        &["log", "-1", "--format=%s", "ai-infra/t1"],
    );
    assert_eq!(there, "a change");
    // The record knows both, before and after; the token is nowhere but where it is kept.
    let tail = stage
        .team
        .ai(&["audit", "tail", "-n", "100", "--json"])
        .expect(0)
        .stdout;
    let of = |tool: &str, stage: &str| {
        let lines = tail
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a line"));
        lines
            .filter(|line| line["tool"] == tool && line["stage"] == stage)
            .count()
    };
    assert!(
        of("GitPush", "before") >= 1 && of("GitPush", "after") == 1,
        "{tail}"
    );
    assert_eq!(
        (of("OpenPull", "before"), of("OpenPull", "after")),
        (1, 1),
        "{tail}"
    );
    stage.team.ai(&["audit", "verify"]).expect(0);
    stage.team.down();
    for (path, bytes) in tests::many::files(&stage.team.home()) {
        let found = bytes
            .windows(TOKEN.len())
            .any(|part| part == TOKEN.as_bytes());
        assert!(
            !found || path.starts_with("secrets"),
            "the token is in {}",
            path.display()
        );
    }
}

#[test]
fn without_a_rule_a_person_says_yes_to_exactly_that_push() {
    let Some(stage) = Stage::new("pull.open: deny") else {
        return;
    };
    let pin = format!("{PIN}\n");
    stage.team.piped(&["approvals", "pin"], &pin).expect(0);
    stage.begin("offer-change");
    stage.until("t1", |document| document["on"] == "approval");
    assert!(stage.taken().is_empty());
    let list = stage
        .team
        .ai(&["approvals", "list", "--json"])
        .expect(0)
        .json();
    let ticket = list["tickets"][0].clone();
    let text = |key: &str| ticket[key].as_str().expect("text").to_owned();
    let shown = stage
        .team
        .ai(&["approvals", "show", &text("id")])
        .expect(0)
        .stdout;
    for part in ["git.push", "ai-infra/t1", &stage.server.url()] {
        assert!(shown.contains(part), "{part}: {shown}");
    }
    let approve = ["approvals", "approve", &text("id"), &text("mark")];
    stage.team.piped(&approve, &pin).expect(0);
    let document = stage.until("t1", |document| document["state"] == "failed");
    assert_eq!(stage.taken().len(), 1, "{document:#}");
    // What a rule denies is not asked about and not done.
    assert!(stage.forge.kept().pulls.is_empty());
    stage.team.down();
}

#[test]
fn a_workflow_whose_answer_never_came_is_asked_about() {
    let Some(stage) = Stage::new("workflow.start: allow") else {
        return;
    };
    stage.forge.kept().silent = true;
    stage.begin("start-build");
    let document = stage.until("t1", |document| document["state"] == "waiting");
    assert_eq!(document["on"], "input", "{document:#}");
    let page = stage.team.ai(&["task", "show", "t1"]).expect(0).stdout;
    assert!(
        page.contains("did this happen: start tests.yml of me/shop on main?"),
        "{page}"
    );
    stage
        .team
        .ai(&["task", "answer", "t1", "happened"])
        .expect(0);
    stage.until("t1", |document| document["state"] == "done");
    let started = stage.forge.kept().started.clone();
    assert_eq!(started.len(), 1, "{started:?}");
    stage.team.down();
}
