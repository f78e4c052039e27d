//! Plans: a file or a sentence becomes several tasks; they run in their order, see what came before,
//! fail as the plan says, stop together, and go on whoever is killed.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tests::processes::{self, wait_until};
use tests::projects;
use tests::team::Team;

const SAY: &str = r#"
playbook: 1
name: say-it
agent: qa
level: 1
intents: ["announce {words}"]
params: {words: {type: text, required: true}, pause: {type: text, default: "0"}}
steps:
  - {id: say, tool: Bash, args: {argv: [sh, -c, "sleep {{ pause }}; echo said"]}, timeout: 60s}
criteria:
  - {id: c1, text: "it was said", check: {command: {argv: ["true"]}}}
report: "I say: {{ words }}"
tests: [{ask: "announce hello", params: {words: hello}}]
"#;

const FAIL: &str = r#"
playbook: 1
name: fail-at-first
agent: code
level: 1
intents: ["fail at first"]
steps:
  - {id: look, tool: Bash, args: {argv: [sh, -c, "test -e /cache/tried || { touch /cache/tried; exit 1; }"]}}
criteria:
  - {id: c1, text: "it was looked at", check: {command: {argv: ["true"]}}}
report: "looked"
tests: [{ask: "fail at first"}]
"#;

fn team() -> (Team, PathBuf) {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    for (name, yaml) in [("say", SAY), ("fail", FAIL)] {
        std::fs::write(playbooks.join(format!("{name}.yaml")), yaml).expect("a playbook");
    }
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "hello\n").expect("a file");
    (team, work)
}

fn file(team: &Team, yaml: &str) -> String {
    let path = team.scratch("plans").join("plan.yaml");
    std::fs::write(&path, yaml).expect("a plan");
    path.display().to_string()
}

fn run_plan(team: &Team, work: &Path, yaml: &str) -> (i32, Value) {
    let (plan, work) = (file(team, yaml), work.display().to_string());
    let ran = team.ai(&["run", "--plan", &plan, "--workspace", &work, "--json"]);
    (ran.code, ran.json())
}

/// `id state` of every part.
fn parts(document: &Value) -> String {
    let parts = document["plan"]["parts"].as_array().expect("parts");
    let said = parts.iter().map(|part| {
        let text = |name: &str| part[name].as_str().unwrap_or("?").to_owned();
        format!("{} {}", text("id"), text("state"))
    });
    said.collect::<Vec<_>>().join(", ")
}

const RELEASE: &str = r#"
plan: 1
name: release
tasks:
  - {id: first, playbook: say-it, params: {words: "one"}}
  - {id: left, ask: "announce left", after: [first]}
  - {id: right, playbook: say-it, params: {words: "{{ tasks.first.line }} and right"}, after: [first]}
  - {id: last, ask: "announce {{ tasks.left.state }} {{ tasks.right.task }}", after: [left, right]}
gather: "{% for t in parts %}{{ t.id }}: {{ t.line }}\n{% endfor %}"
"#;

#[test]
fn a_plan_runs_in_its_order_and_hands_results_on() {
    let (team, work) = team();
    team.up();
    let (code, document) = run_plan(&team, &work, RELEASE);
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(
        parts(&document),
        "first done, left done, right done, last done"
    );
    assert_eq!(document["children"].as_array().map(Vec::len), Some(4));
    let result = document["result"].as_str().expect("a result");
    assert!(
        result.contains("right: I say: I say: one and right"),
        "{result}"
    );
    assert!(result.contains("last: I say: done t"), "{result}");
    let shown = team.ai(&["task", "show", "t1"]).expect(0).stdout;
    assert!(
        shown.contains("✓  t2  first") && shown.contains("plan release"),
        "{shown}"
    );
    let part = team.ai(&["task", "show", "t2"]).expect(0).stdout;
    assert!(part.contains("`first` of t1"), "{part}");
    let list = team.ai(&["task", "list"]).expect(0).stdout;
    assert!(list.contains("\n  t2"), "{list}");
    team.down();
}

#[test]
fn a_sentence_for_several_agents_becomes_a_plan() {
    let (team, work) = team();
    projects::cargo(&work, false);
    team.up();
    let folder = work.display().to_string();
    let asked = "run the tests, then look for leaked secrets and announce hello";
    let ran = team.ai(&["run", asked, "--workspace", &folder]).expect(0);
    // Shown before it runs, followed as one, gathered at the end.
    for line in [
        "  run_tests       code  playbook run-tests",
        "after run_tests",
        "run_tests is t2: code",
        "t2    code",
        "run_tests (t2) is done",
        "**leaked_secrets** (t3) done by qa",
    ] {
        assert!(ran.stdout.contains(line), "{line}: {}", ran.stdout);
    }
    let (code, one) = team.run(&work, "run the tests and tell me what fails");
    assert_eq!((code, one["plan"].is_null()), (0, true), "{one:#}");
    let guess = team.ai(&[
        "run",
        "run the tests and write a poem",
        "--workspace",
        &folder,
    ]);
    assert_eq!(guess.expect(2).stdout, "", "it is not guessed at");
    team.down();
}

#[test]
fn failures_are_mended_skipped_or_stop_the_plan() {
    let (team, work) = team();
    team.up();
    let (code, document) = run_plan(
        &team,
        &work,
        "plan: 1\nname: p\ntasks:\n\
         - {id: shaky, ask: fail at first, on_failure: retry}\n\
         - {id: after, ask: announce fine, after: [shaky]}\n",
    );
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["plan"]["parts"][0]["tries"], 2, "{document:#}");
    assert_eq!(document["children"].as_array().map(Vec::len), Some(3));
    let (code, document) = run_plan(
        &team,
        &work,
        "plan: 1\nname: p\ntasks:\n\
         - {id: bad, playbook: say-it, params: {words: \"{{ tasks.good.result }}\\nno\"}, after: [good], on_failure: skip}\n\
         - {id: good, ask: announce good}\n\
         - {id: never, ask: announce never, after: [bad]}\n\
         - {id: beside, ask: announce beside, after: [good]}\n",
    );
    assert_eq!(code, 1, "{document:#}");
    assert_eq!(
        parts(&document),
        "bad failed, good done, never left, beside done"
    );
    let reason = document["reason"].as_str().expect("a reason");
    assert!(
        reason.contains("`bad` failed") && reason.contains("2 of 4"),
        "{reason}"
    );
    team.down();
}

#[test]
fn a_plan_tried_again_runs_what_is_not_done() {
    let (team, work) = team();
    team.up();
    let (code, document) = run_plan(
        &team,
        &work,
        "plan: 1\nname: p\ntasks:\n\
         - {id: shaky, ask: fail at first, on_failure: skip}\n\
         - {id: fine, ask: announce fine}\n\
         - {id: after, ask: \"announce {{ tasks.fine.line }}\", after: [shaky, fine]}\n",
    );
    assert_eq!(code, 1, "{document:#}");
    assert_eq!(parts(&document), "shaky failed, fine done, after left");
    let retry = team.ai(&["task", "retry", "t1", "--json"]).expect(0).json();
    let id = retry["short_id"].as_str().expect("an id");
    let again = team.ai(&["task", "follow", id, "--json"]).expect(0).json();
    assert_eq!(parts(&again), "shaky done, fine done, after done");
    assert_eq!(again["children"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        again["plan"]["parts"][1]["task"],
        document["plan"]["parts"][1]["task"]
    );
    let result = again["result"].as_str().expect("a result");
    assert!(result.contains("I say: I say fine"), "{result}");
    let whole = again["short_id"].as_str().expect("an id");
    let refused = team.ai(&["task", "retry", whole]).expect(2);
    assert!(
        refused.stderr.contains("nothing of it is left to retry"),
        "{refused:#?}"
    );
    team.down();
}

#[test]
fn plans_that_cannot_work_are_refused_before_anything_runs() {
    let (team, work) = team();
    team.up();
    let folder = work.display().to_string();
    let many: String = (0..51)
        .map(|n| format!("- {{id: t{n}, ask: announce x}}\n"))
        .collect();
    let many = format!("plan: 1\nname: p\ntasks:\n{many}");
    for (yaml, expected) in [
        ("plan: 1\nname: p\ntasks: []\n", "has no tasks"),
        (many.as_str(), "51 tasks, at most 50"),
        (
            "plan: 1\nname: p\ntasks:\n- {id: a, ask: announce x, after: [b]}\n- {id: b, ask: announce y, after: [a]}\n",
            "goes in a circle: a after b after a",
        ),
        (
            "plan: 1\nname: p\ntasks:\n- {id: a, ask: dance}\n",
            "task `a`: no playbook does this",
        ),
        (
            "plan: 1\nname: p\ntasks:\n- {id: a, playbook: say-its}\n",
            "did you mean `say-it`?",
        ),
        (
            "plan: 1\nname: p\ntasks:\n- {id: a, ask: announce x, agent: qaa}\n",
            "there is no agent `qaa`",
        ),
    ] {
        let plan = file(&team, yaml);
        let ran = team
            .ai(&["run", "--plan", &plan, "--workspace", &folder])
            .expect(2);
        assert!(ran.stderr.contains(expected), "{expected}: {}", ran.stderr);
    }
    let none = team.ai(&["run", "--plan", "/no/such/plan.yaml"]).expect(2);
    assert!(none.stderr.contains("cannot be read"), "{}", none.stderr);
    assert!(team.ai(&["task", "list"]).stdout.contains("no tasks yet"));
    team.down();
}

#[test]
fn a_plan_for_later_begins_at_its_time_and_not_before() {
    let (team, work) = team();
    team.up();
    let folder = work.display().to_string();
    let later = |words: &[&str]| {
        let words = [words, &["--workspace", &folder, "--json"]].concat();
        let left = team.ai(&words).expect(0).json();
        let due = left["due"].as_str().map(str::to_owned);
        (left["short_id"].as_str().map(str::to_owned), due)
    };
    let asked = "look for leaked secrets, then announce hello";
    let (id, due) = later(&["run", asked, "--in", "2s"]);
    let (id, due) = (id.expect("an id"), due.expect("a time"));
    let page = |id: &str| team.ai(&["task", "show", id, "--json"]).expect(0).json()["task"].take();
    let waits = page(&id)["document"].take();
    assert_eq!(
        (&waits["state"], &waits["on"]),
        (&"waiting".into(), &"time".into())
    );
    assert_eq!(waits["children"].as_array().map(Vec::len), Some(0));
    assert!(
        team.ai(&["status"])
            .expect(0)
            .stdout
            .contains("1 for later")
    );
    // One that is taken back has begun nothing, another is there when the supervisor is a new one.
    let plan = file(&team, RELEASE);
    let (other, _) = later(&["run", "--plan", &plan, "--in", "1h"]);
    let other = other.expect("an id");
    team.ai(&["task", "cancel", &other]).expect(0);
    let gone = page(&other)["document"].take();
    assert_eq!(gone["state"], "cancelled", "{gone:#}");
    assert_eq!(gone["children"].as_array().map(Vec::len), Some(0));
    processes::send(team.pid("supervisor"), Signal::SIGKILL);
    let ended = team.ai(&["task", "follow", &id, "--json"]).expect(0).json();
    assert_eq!(ended["state"], "done", "{ended:#}");
    assert_eq!(ended["children"].as_array().map(Vec::len), Some(2));
    let at = |text: &str| -> jiff::Timestamp { text.parse().expect("a time") };
    let began = ended["phases"][0]["started"].as_str().expect("a phase");
    assert!(at(began) >= at(&due), "{began} before {due}");
    for child in ended["children"].as_array().expect("children") {
        let child = page(child.as_str().expect("an id"));
        let accepted = child["task"]["accepted"].as_str().expect("a time");
        assert!(at(accepted) >= at(&due), "{child:#}");
    }
    team.down();
}

const SLOW: &str = r#"
plan: 1
name: slow
tasks:
  - {id: one, playbook: say-it, params: {words: one, pause: "1"}}
  - {id: two, playbook: say-it, params: {words: two, pause: "1"}, after: [one]}
  - {id: three, playbook: say-it, params: {words: three, pause: "1"}, after: [two]}
"#;

#[test]
fn cancelling_a_plan_takes_its_parts_with_it() {
    let (team, work) = team();
    team.up();
    let (plan, folder) = (
        file(&team, &SLOW.replace("\"1\"", "\"50\"")),
        work.display().to_string(),
    );
    team.ai(&["run", "--plan", &plan, "--workspace", &folder, "--no-wait"])
        .expect(0);
    let state = |task: &str| {
        let page = team.ai(&["task", "show", task, "--json"]);
        (page.code == 0).then(|| page.json()["task"]["document"]["state"].clone())
    };
    let is = |task: &str, name: &str| state(task).is_some_and(|state| state == name);
    assert!(wait_until(Duration::from_secs(20), || is("t2", "running")));
    assert!(is("t1", "waiting"));
    team.ai(&["task", "cancel", "t1"]).expect(0);
    assert!(wait_until(Duration::from_secs(20), || is(
        "t1",
        "cancelled"
    )));
    assert!(is("t2", "cancelled"));
    let page = team.ai(&["task", "show", "t1", "--json"]).json();
    let document = &page["task"]["document"];
    assert_eq!(parts(document), "one failed, two left, three left");
    team.down();
}

#[test]
pub(crate) fn a_plan_goes_on_whoever_is_killed() {
    let (team, work) = team();
    team.up();
    let (plan, folder) = (file(&team, SLOW), work.display().to_string());
    let run = team.start(&["run", "--plan", &plan, "--workspace", &folder, "--json"]);
    for process in [
        "supervisor",
        "agent-qa",
        "redis",
        "supervisor",
        "daemon",
        "supervisor",
    ] {
        std::thread::sleep(Duration::from_millis(700));
        let both = || team.noted_pid("daemon").is_some() && team.noted_pid("supervisor").is_some();
        wait_until(Duration::from_secs(20), both);
        if let Some(pid) = team.noted_pid(process) {
            processes::send(pid, Signal::SIGKILL);
        }
    }
    let ended = run.wait_with_output().expect("run ends");
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
    let document: Value = serde_json::from_slice(&ended.stdout).expect("a document");
    assert_eq!(parts(&document), "one done, two done, three done");
    // Each part had one task, and each task one end.
    assert_eq!(document["children"].as_array().map(Vec::len), Some(3));
    team.down();
}
