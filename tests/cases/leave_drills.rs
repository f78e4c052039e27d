//! Whoever is not the person tries to give leave, and whoever has leave tries to use it for more: counted,
//! and the effects with it. With the wall of leave taken away the same count must not be zero.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tests::leave::{PATIENCE, PIN, Stage};
use tests::processes::{self, wait_until};
use tests::team::Team;

/// What the attempts came to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    attempts: u32,
    denied: u32,
    effects_without_ticket: u64,
}

struct Drill {
    stage: Stage,
    count: Count,
    /// Effects that a ticket was used for.
    paid: u64,
}

impl Drill {
    fn new(team: Team) -> Self {
        let stage = Stage::new(team, "ask", ", key_header: none");
        stage.team.up();
        Self {
            stage,
            count: Count::default(),
            paid: 0,
        }
    }

    /// Notes an attempt: whether it was refused, in these words.
    fn tried(&mut self, what: &str, said: &str, words: &str) {
        self.count.attempts += 1;
        match said.contains(words) {
            true => self.count.denied += 1,
            false => eprintln!("not refused as it should be: {what}: {said}"),
        }
        self.counted();
    }

    fn counted(&mut self) {
        self.count.effects_without_ticket = self.stage.effects() - self.paid;
    }

    fn cli(&mut self, words: &[&str], lines: &str, refusal: &str) {
        let ran = self.stage.typed(words, lines);
        let said = format!("{}{}", ran.stdout, ran.stderr);
        let said = if ran.code == 0 { String::new() } else { said };
        self.tried(&words.join(" "), &said, refusal);
    }

    fn warden(&mut self, line: Value, refusal: &str) {
        let said = self.stage.forged("warden.sock", &line);
        self.tried(&line.to_string(), &said, refusal);
    }

    fn state(&self, id: &str) -> String {
        self.stage.ticket(id)["state"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// The ticket as the warden keeps it.
    fn kept(&self, id: &str) -> Value {
        let line = json!({"v": 1, "ask": "ticket", "id": id});
        let said = self.stage.forged("warden.sock", &line);
        serde_json::from_str::<Value>(&said).expect("JSON")["ticket"].take()
    }
}

fn answer(id: &str, mark: &str, pin: Value) -> Value {
    json!({"v": 1, "ask": "answer", "id": id, "mark": mark, "yes": true, "for_task": false, "because": "", "pin": pin})
}

#[test]
fn nothing_happens_without_a_ticket() {
    let mut drill = Drill::new(Team::new(AI_INFRA));
    drill.stage.keeps_pin();
    drill.stage.begin();
    let (id, mark) = drill.stage.asked("t1");
    let wanted = drill.kept(&id)["wanted"].take();

    // The same user without the PIN: an agent, a tool that got out, a script.
    drill.warden(answer(&id, &mark, Value::Null), "needs your PIN");
    drill.warden(answer(&id, &mark, json!("")), "not the PIN");
    drill.cli(
        &["approvals", "approve", &id, &mark],
        "123456\n",
        "not the PIN",
    );
    drill.cli(&["approvals", "pin"], "guess\nanother one\n", "not the PIN");
    // Its time is over before it can be tried again; the right one is not taken meanwhile either.
    drill.cli(
        &["approvals", "approve", &id, &mark],
        &format!("{PIN}\n"),
        "wait",
    );
    // Used up before anybody said yes, asked for anew, with a word of one's own.
    let burn =
        |id: &str, wanted: &Value| json!({"v": 1, "ask": "burn", "id": id, "wanted": wanted});
    drill.warden(burn(&id, &wanted), "not answered yet");
    drill.warden(
        json!({"v": 1, "ask": "approve", "id": id}),
        "no request the warden understands",
    );
    drill.warden(json!({"v": 9, "ask": "head"}), "older than this program");
    // By the supervisor's socket, as an answer to a question; on a pipe into the chat.
    drill.cli(
        &["task", "answer", "t1", "--text", "approved"],
        "",
        "approvals show",
    );
    let piped = drill
        .stage
        .typed(&["chat"], &format!("/approve {id} {mark}\n"));
    drill.tried("a pipe", &piped.stdout, "typed at a terminal");
    // By whoever kills everybody: what was not answered still is not.
    for name in ["warden", "supervisor", "redis"] {
        processes::send(drill.stage.team.pid(name), Signal::SIGKILL);
    }
    assert_eq!(drill.stage.asked("t1"), (id.clone(), mark.clone()));
    drill.tried("kill everybody", &drill.state(&id), "requested");

    // A person says yes, and the yes is used once; then it is good for nothing more.
    drill
        .stage
        .typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"))
        .expect(0);
    drill.stage.comes_to("t1", "done");
    drill.paid += 1;
    drill.cli(
        &["approvals", "approve", &id, &mark],
        &format!("{PIN}\n"),
        "used already",
    );
    drill.stage.begin();
    let (second, mark) = drill.stage.asked("t2");
    let other = drill.kept(&second)["wanted"].take();
    drill.warden(burn(&id, &other), "something else");
    let mut changed = other.clone();
    changed["action"]["body"] = json!("something worse");
    drill.warden(
        json!({"v": 1, "ask": "request", "wanted": changed}),
        "changed after the request",
    );
    assert_eq!(drill.state(&second), "cancelled");
    drill.cli(
        &["approvals", "approve", &second, &mark],
        &format!("{PIN}\n"),
        "cancelled already",
    );
    drill.stage.team.ai(&["task", "cancel", "t2"]).expect(0);

    // A time that ran out while the warden was away.
    drill.stage.begin();
    let (late, mark) = drill.stage.asked("t3");
    let path = drill.stage.team.home().join("warden/tickets.jsonl");
    let warden = drill.stage.team.pid("warden");
    processes::send(warden, Signal::SIGSTOP);
    let text = std::fs::read_to_string(&path).expect("tickets");
    let expires = drill.stage_expires(&text, &late);
    std::fs::write(&path, text.replace(&expires, "2020-01-01T00:00:00Z")).expect("kept");
    processes::send(warden, Signal::SIGKILL);
    drill.stage.comes_to("t3", "failed");
    assert!(
        drill
            .stage
            .task("t3")
            .to_string()
            .contains("nobody said yes in time")
    );
    drill.cli(
        &["approvals", "approve", &late, &mark],
        &format!("{PIN}\n"),
        "expired already",
    );

    assert_eq!(
        drill.count.attempts, drill.count.denied,
        "{:?}",
        drill.count
    );
    assert_eq!(drill.count.effects_without_ticket, 0, "{:?}", drill.count);
    assert!(drill.count.attempts >= 16, "{:?}", drill.count);
    drill.stage.intact();
    drill.stage.team.down();
}

impl Drill {
    fn stage_expires(&self, text: &str, id: &str) -> String {
        let line = text
            .lines()
            .rfind(|line| line.contains(&format!("\"id\":\"{id}\"")));
        let ticket: Value = serde_json::from_str(line.expect("its line")).expect("JSON");
        ticket["expires"].as_str().expect("a time").to_owned()
    }
}

#[test]
fn with_the_wall_taken_away_the_same_is_counted() {
    let mut drill = Drill::new(Team::new(AI_INFRA).with_env("AI_INFRA_FAULT", "without=leave"));
    drill.stage.begin();
    drill.stage.comes_to("t1", "done");
    drill.counted();
    assert_eq!(drill.count.effects_without_ticket, 1);
    assert!(drill.stage.tickets().is_empty());
    drill.stage.team.down();
}

#[test]
fn an_act_that_cannot_be_made_twice_asks_again_after_a_crash_and_not_for_leave() {
    let drill = Drill::new(Team::new(AI_INFRA));
    let stage = &drill.stage;
    stage.keeps_pin();
    stage.begin();
    let (id, mark) = stage.asked("t1");
    // The hook does it and does not answer; the agent dies with the ticket used.
    stage.hooks.hold(true);
    stage
        .typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"))
        .expect(0);
    assert!(wait_until(PATIENCE, || stage.hooks.requests("effect") == 1));
    assert_eq!(drill.state(&id), "used");
    processes::send(stage.team.pid("infra"), Signal::SIGKILL);
    stage.hooks.hold(false);
    let asks = wait_until(PATIENCE, || stage.task("t1")["document"]["on"] == "input");
    assert!(asks, "{:#}", stage.task("t1"));
    assert_eq!((stage.effects(), stage.tickets().len()), (1, 0));
    stage
        .team
        .ai(&["task", "answer", "t1", "happened"])
        .expect(0);
    stage.comes_to("t1", "done");
    assert_eq!((stage.effects(), stage.hooks.requests("effect")), (1, 1));
    stage.intact();
    stage.team.down();
}
