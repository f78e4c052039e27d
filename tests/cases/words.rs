//! A person speaks to a task that is being worked on: a model hears it between two steps, once,
//! whoever is killed meanwhile; a playbook says that it takes no words; a question is answered.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use tests::model_api::ModelApi;
use tests::processes::{self, wait_until};
use tests::team::{Ran, Team};

/// What is said.
const WORDS: &str = "also log the rejected ones";

fn call(id: &str, name: &str, input: Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": name, "input": input})
}

/// A step that says that it began and ends when the story lets it.
fn gate(name: &str) -> Value {
    let command = format!("touch begun-{name}; until [ -e go-{name} ]; do sleep 0.05; done");
    call(name, "Bash", json!({"command": command}))
}

fn write(id: &str, file: &str) -> Value {
    let input = json!({"file_path": file, "content": "hello\n"});
    call(id, "Write", input)
}

fn holds(file: &str) -> Value {
    json!({"file": {"path": file, "contains": "hello"}})
}

fn model(turns: Vec<Value>) -> ModelApi {
    let proposal = json!({
        "options": [{"name": "write", "summary": "write it", "risk": "none"}],
        "choice": "write",
        "steps": ["write"],
        "criteria": [{"id": "c1", "text": "it is written", "change": true, "check": holds("note.txt")}]
    });
    ModelApi::start(proposal, turns)
}

struct Story {
    team: Team,
    work: String,
}

impl Story {
    fn new(api: &ModelApi) -> Self {
        Self::of(Team::new(AI_INFRA), api)
    }

    fn of(team: Team, api: &ModelApi) -> Self {
        let team = team
            .with_env("ANTHROPIC_API_KEY", "sk-ant-story")
            .with_env("ANTHROPIC_BASE_URL", api.url());
        team.configure("team:\n  lease_ms: 1500\nengine:\n  name: anthropic\n");
        let work = team.scratch("work");
        std::fs::write(work.join("README.md"), "a small folder\n").expect("a file");
        team.up();
        let work = work.display().to_string();
        Self { team, work }
    }

    fn begin(&self) {
        let words = ["run", "write a greeting", "--agent", "code", "--no-wait"];
        let words = words.iter().copied().chain(["--workspace", &self.work]);
        self.team.ai(&words.collect::<Vec<_>>()).expect(0);
    }

    fn page(&self, task: &str) -> Value {
        let shown = self.team.ai(&["task", "show", task, "--json"]);
        shown.expect(0).json()["task"].take()
    }

    fn comes_to(&self, task: &str, state: &str) -> Value {
        let came = wait_until(Duration::from_secs(20), || {
            self.page(task)["document"]["state"] == state
        });
        let page = self.page(task);
        assert!(came, "{page:#}");
        page
    }

    fn clone_of(&self, task: u32) -> PathBuf {
        self.team.home().join(format!("tasks/t{task}/work"))
    }

    /// The n-th holder stands at a gate.
    fn at_gate(&self, name: &str, attempt: usize) {
        let begun = self.clone_of(1).join(format!("begun-{name}"));
        let there = wait_until(Duration::from_secs(20), || {
            let attempts = self.page("t1")["attempts"].as_array().map_or(0, Vec::len);
            attempts >= attempt && begun.exists()
        });
        assert!(there, "{:#}", self.page("t1"));
    }

    fn open_gate(&self, name: &str) {
        std::fs::write(self.clone_of(1).join(format!("go-{name}")), "").expect("a file");
    }

    fn tell(&self, task: &str, words: &str) -> Ran {
        self.team.ai(&["task", "tell", task, words])
    }

    /// Kills the agent and waits until the next one stands at the gate again.
    fn kill_at_gate(&self, name: &str, attempt: usize) {
        let begun = self.clone_of(1).join(format!("begun-{name}"));
        let agent = self.team.pid("code");
        // The clone is put back before the step is made again.
        std::fs::remove_file(begun).expect("the gate had begun");
        processes::send(agent, Signal::SIGKILL);
        self.at_gate(name, attempt + 1);
    }
}

#[test]
fn a_word_is_heard_once_between_two_steps_whoever_dies() {
    let added = json!({"criteria": [{"text": "the rejected ones are logged", "change": true, "check": holds("log.txt")}]});
    let api = model(vec![
        gate("one"),
        call("more", "AddCriteria", added),
        gate("two"),
        write("w1", "log.txt"),
        write("w2", "note.txt"),
        json!({"type": "text", "text": "Both are written."}),
    ]);
    let story = Story::new(&api);
    story.begin();
    story.at_gate("one", 1);
    // Redis stands still: the word is kept, and told when it answers again.
    let redis = story.team.pid("redis");
    processes::send(redis, Signal::SIGSTOP);
    let kept = story.tell("t1", WORDS);
    processes::send(redis, Signal::SIGCONT);
    let kept = kept.expect(0).stdout;
    assert!(kept.contains("redis does not answer; kept"), "{kept}");
    let attempts = || story.page("t1")["attempts"].as_array().map_or(0, Vec::len);
    story.at_gate("one", 1);
    story.kill_at_gate("one", attempts());
    let page = story.page("t1");
    let word = &page["document"]["words"][0];
    assert_eq!(word["said"]["words"], WORDS, "{page:#}");
    assert!(word["heard"].is_null(), "no step began since: {page:#}");
    story.open_gate("one");
    story.at_gate("two", 1);
    let shown = story.team.ai(&["task", "show", "t1"]).expect(0).stdout;
    assert!(
        shown.contains(WORDS) && shown.contains("; heard 2"),
        "{shown}"
    );
    assert!(shown.contains("the rejected ones are logged"), "{shown}");
    // It was heard; the next holder hears it at the same place and not again.
    story.kill_at_gate("two", attempts());
    story.open_gate("two");
    let page = story.comes_to("t1", "done");
    let criteria = page["document"]["criteria"].as_array().expect("criteria");
    let seen: Vec<_> = criteria.iter().map(|c| (&c["id"], &c["passed"])).collect();
    assert_eq!(
        seen,
        [(&json!("c1"), &json!(true)), (&json!("c2"), &json!(true))]
    );
    let talks = api.conversations();
    let heard: Vec<usize> = talks
        .iter()
        .map(|talk| talk.matches(WORDS).count())
        .collect();
    assert_eq!(heard.last(), Some(&1), "{heard:?}");
    assert!(heard.iter().all(|times| *times <= 1), "{heard:?}");
    // No reply was bought twice: one proposal and six turns.
    assert_eq!(api.replies(), 7, "{heard:?}");
    let late = story.tell("t1", "one more thing").expect(4);
    assert!(
        late.stderr.contains("had ended already (done)"),
        "{late:#?}"
    );
    story.team.down();
}

/// A word is heard, then the holder dies and another goes on: how often it stands in what the model
/// was shown at last.
fn heard_over_a_death(team: Team) -> usize {
    let api = model(vec![
        gate("one"),
        gate("two"),
        write("w", "note.txt"),
        json!({"type": "text", "text": "It is written."}),
    ]);
    let story = Story::of(team, &api);
    story.begin();
    story.at_gate("one", 1);
    story.tell("t1", WORDS).expect(0);
    story.open_gate("one");
    story.at_gate("two", 1);
    story.kill_at_gate("two", 1);
    story.open_gate("two");
    story.comes_to("t1", "done");
    let last = api.conversations().pop().unwrap_or_default();
    story.team.down();
    last.matches(WORDS).count()
}

#[test]
fn without_the_memory_of_what_was_heard_a_word_is_heard_twice() {
    assert_eq!(heard_over_a_death(Team::new(AI_INFRA)), 1);
    let forgets = Team::new(AI_INFRA).with_env("AI_INFRA_FAULT", "words-again");
    assert_eq!(heard_over_a_death(forgets), 2, "the control sees nothing");
}

#[test]
fn a_word_to_a_model_that_thinks_it_is_done_is_heard_and_a_limit_holds_at_once() {
    let api = model(vec![
        gate("one"),
        write("w", "note.txt"),
        json!({"type": "text", "text": "It is written."}),
    ]);
    let story = Story::new(&api);
    story.begin();
    story.at_gate("one", 1);
    for (words, expected) in [("", "no words"), ("a\u{1b}[2Jb", "plain text")] {
        let refused = story.tell("t1", words).expect(4);
        assert!(refused.stderr.contains(expected), "{refused:#?}");
    }
    let budget = |task: &str, usd: &str| story.team.ai(&["task", "budget", task, usd]);
    let said = budget("t1", "3.00").expect(0).stdout;
    assert!(
        said.starts_with("t1 may cost $3.00 from now on; it was $"),
        "{said}"
    );
    let said = budget("t1", "$2").expect(0).stdout;
    assert!(said.contains("it was $3.00"), "{said}");
    let refused = budget("t1", "0").expect(4);
    assert!(refused.stderr.contains("more than 0"), "{refused:#?}");
    // A second one waits in the queue; what it is told there it hears when it begins.
    story.begin();
    let queued = story.tell("t2", WORDS).expect(0).stdout;
    assert!(queued.starts_with("t2 hears it when it begins"), "{queued}");
    // What is spent already is more than it may cost now.
    let said = budget("t1", "0.001").expect(0).stdout;
    assert!(said.contains("so its next model call is refused"), "{said}");
    story.open_gate("one");
    let page = story.comes_to("t1", "refused");
    let reason = page["document"]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("budget"), "{page:#}");
    let notes = page["notes"].to_string();
    assert!(
        notes.contains("may cost $2.00 from now on, says "),
        "{notes}"
    );
    assert_eq!(page["task"]["budget"], 1000, "{page:#}");
    let begun = story.clone_of(2).join("begun-one");
    assert!(wait_until(Duration::from_secs(20), || begun.exists()));
    let heard = wait_until(Duration::from_secs(5), || {
        !story.page("t2")["document"]["words"][0]["heard"].is_null()
    });
    assert!(heard, "{:#}", story.page("t2"));
    story.team.ai(&["task", "cancel", "t2"]).expect(0);
    story.team.down();
}

#[test]
fn a_model_asks_in_words_and_a_word_to_it_is_the_answer() {
    let asked = json!({"questions": [{"question": "Which greeting?", "header": "Greeting",
        "options": [{"label": "hello", "description": "as everywhere"}, {"label": "good day"}]}]});
    let api = model(vec![
        call("ask", "AskUserQuestion", asked),
        write("w", "note.txt"),
        json!({"type": "text", "text": "It is written."}),
    ]);
    let story = Story::new(&api);
    let words = [
        "run",
        "write a greeting",
        "--agent",
        "code",
        "--workspace",
        &story.work,
    ];
    let ran = story.team.ai(&words).expect(3);
    assert!(ran.stdout.contains("Which greeting?"), "{ran:#?}");
    assert!(ran.stdout.contains("hello: as everywhere"), "{ran:#?}");
    assert!(ran.stdout.contains("task answer t1 --text"), "{ran:#?}");
    let wrong = story.team.ai(&["task", "answer", "t1", "again"]).expect(4);
    assert!(wrong.stderr.contains("wants words"), "{wrong:#?}");
    processes::send(story.team.pid("code"), Signal::SIGKILL);
    let told = story.tell("t1", "hello, please").expect(0).stdout;
    assert!(
        told.starts_with("t1 had asked, and goes on with it"),
        "{told}"
    );
    let page = story.comes_to("t1", "done");
    assert_eq!(
        page["document"]["questions"][0]["answer"]["text"],
        "hello, please"
    );
    let talks = api.conversations();
    let answered = talks
        .last()
        .map(|talk| talk.matches("The person answers: hello, please").count());
    assert_eq!(answered, Some(1), "{talks:#?}");
    story.team.down();
}

#[test]
fn a_playbook_takes_no_words_and_says_what_can_be_done() {
    let team = Team::new(AI_INFRA);
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "a small folder\n").expect("a file");
    team.up();
    team.ai(&["agents", "pause", "qa"]).expect(0);
    let work = work.display().to_string();
    let run = |words: &str| {
        team.ai(&["run", words, "--workspace", &work, "--no-wait"])
            .expect(0)
    };
    run("look for leaked secrets");
    run("run the tests, then look for leaked secrets");
    let check = |words: &[&str], code: i32, expected: &str| {
        let ran = team.ai(words).expect(code);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        assert!(said.contains(expected), "{words:?}: {ran:#?}");
    };
    check(
        &["task", "tell", "t1", "also"],
        4,
        "takes no words. What can be done: ai-infra task cancel t1",
    );
    check(
        &["task", "budget", "t1", "3"],
        4,
        "costs nothing, so there is no limit to set",
    );
    check(
        &["task", "tell", "t2", "also"],
        4,
        "it is a plan, and its parts do the work",
    );
    check(&["task", "tell", "t99", "also"], 2, "no task t99");
    check(&["task", "budget", "t1", "NaN"], 2, "no amount of dollars");
    check(&["task", "cancel", "t1"], 0, "t1 is cancelled");
    check(
        &["task", "tell", "t1", "also"],
        4,
        "had ended already (cancelled)",
    );
    team.down();
}
