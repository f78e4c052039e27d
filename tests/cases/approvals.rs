//! Leave that a person gives, as a person and as everybody else sees it: nothing happens without a yes,
//! the yes is good once and for exactly what was shown, and nobody but a person can say it.

use crate::AI_INFRA;
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use tests::leave::{PATIENCE, PIN, Stage};
use tests::processes::{self, wait_until};
use tests::team::Team;

fn stage(rule: &str) -> Stage {
    let stage = Stage::new(Team::new(AI_INFRA), rule, "");
    let said = stage.team.up().stderr;
    // Whoever is first sets the PIN: better the person, before anything waits.
    assert_eq!(said.contains("approvals pin"), rule == "ask", "{said}");
    stage
}

#[test]
fn a_yes_of_a_person_is_good_once_and_nobody_else_can_say_it() {
    let stage = stage("ask");
    stage.begin();
    let (id, mark) = stage.asked("t1");
    assert_eq!(id, "a1");
    let page = stage.team.ai(&["approvals", "show", &id]).expect(0).stdout;
    for words in [
        "POST http://",
        "payload of the step",
        "claimed",
        "approvals approve a1",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    let status = stage.team.ai(&["status"]).expect(0).stdout;
    assert!(
        status.contains(&format!("approvals approve a1 {mark}")),
        "{status}"
    );

    // The same user without a PIN: a program, an agent, a tool that got out.
    let none = stage
        .team
        .ai(&["approvals", "approve", &id, &mark])
        .expect(4);
    assert!(none.stderr.contains("approvals pin"), "{none:#?}");
    stage
        .typed(&["approvals", "pin"], &format!("{PIN}\n"))
        .expect(0);
    let wrong = stage
        .typed(&["approvals", "approve", &id, &mark], "123456\n")
        .expect(4);
    assert!(wrong.stderr.contains("not the PIN"), "{wrong:#?}");
    let other = stage
        .typed(&["approvals", "pin"], "guess\nanother one\n")
        .expect(4);
    assert!(other.stderr.contains("not the PIN"), "{other:#?}");
    let yes = |pin: Value| {
        json!({"v": 1, "ask": "answer", "id": id, "mark": mark, "yes": true,
            "for_task": false, "because": "", "pin": pin})
    };
    assert!(
        stage
            .forged("warden.sock", &yes(Value::Null))
            .contains("needs your PIN")
    );
    // A word to the supervisor, as for a question.
    let answer = stage
        .team
        .ai(&["task", "answer", "t1", "--text", "approved"]);
    assert!(answer.stderr.contains("approvals show a1"), "{answer:#?}");
    // Without having looked.
    let blind = stage.typed(&["approvals", "approve", &id, "0000"], &format!("{PIN}\n"));
    assert!(mark == "0000" || blind.code == 4, "{blind:#?}");
    assert_eq!(
        (stage.effects(), stage.task("t1")["document"]["on"].as_str()),
        (0, Some("approval"))
    );

    // Everybody who keeps something dies while it waits.
    for name in ["warden", "supervisor", "redis"] {
        processes::send(stage.team.pid(name), Signal::SIGKILL);
    }
    assert_eq!(stage.asked("t1"), (id.clone(), mark.clone()));
    stage
        .typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"))
        .expect(0);
    stage.comes_to("t1", "done");
    assert_eq!((stage.effects(), stage.hooks.requests("effect")), (1, 1));
    let again = stage
        .typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"))
        .expect(4);
    assert!(again.stderr.contains("used already"), "{again:#?}");
    // The next one asks anew, and a no holds.
    stage.begin();
    let (id, _) = stage.asked("t2");
    assert_eq!(id, "a2");
    let deny = ["approvals", "deny", &id, "--because", "not on a Friday"];
    stage.typed(&deny, &format!("{PIN}\n")).expect(0);
    stage.comes_to("t2", "failed");
    let text = stage.task("t2").to_string();
    assert!(text.contains("not on a Friday"), "{text}");
    assert_eq!(stage.effects(), 1);
    // What nobody waits for any more is taken back.
    stage.begin();
    let (id, _) = stage.asked("t3");
    stage.team.ai(&["task", "cancel", "t3"]).expect(0);
    let cancelled = wait_until(PATIENCE, || {
        let shown = stage
            .team
            .ai(&["approvals", "show", &id, "--json"])
            .expect(0)
            .json();
        shown["ticket"]["state"] == "cancelled"
    });
    assert!(cancelled);
    assert_eq!(stage.effects(), 1);
    stage.intact();
    stage.team.down();
}

#[test]
fn a_rule_that_denies_is_not_asked_about() {
    let stage = stage("deny");
    stage.begin();
    stage.comes_to("t1", "failed");
    let text = stage.task("t1").to_string();
    assert!(text.contains("permissions.acts.http.change"), "{text}");
    assert_eq!(stage.effects(), 0);
    let list = stage
        .team
        .ai(&["approvals", "list", "--all"])
        .expect(0)
        .stdout;
    assert!(list.contains("nothing waits"), "{list}");
    stage.intact();
    stage.team.down();
}
