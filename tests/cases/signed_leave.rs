//! An answer by a signature: whose counts is said by the owner's file, and one signature is good for one answer to one
//! ticket. With the real ssh-keygen, at the real team.

use crate::AI_INFRA;
use serde_json::json;
use std::fs;
use tests::leave::{PIN, Stage};
use tests::signers::{NAMESPACE, Signers};
use tests::team::Team;

struct Desk {
    stage: Stage,
    keys: Signers,
}

impl Desk {
    fn new() -> Option<Self> {
        let stage = Stage::new(Team::new(AI_INFRA), "ask", "");
        let keys = Signers::new(stage.team.scratch("keys"), &["ada", "stranger"], &["ada"])?;
        let rules = stage.team.home().join("config/permissions.yaml");
        let mut text = fs::read_to_string(&rules).expect("rules");
        text.push_str(&keys.principals());
        fs::write(rules, text).expect("a file");
        stage.team.up();
        Some(Self { stage, keys })
    }

    fn to_sign(&self, id: &str, answer: &str) -> String {
        let shown = self
            .stage
            .team
            .ai(&["approvals", "show", id, "--to-sign", answer]);
        shown.expect(0).stdout
    }

    /// An answer with a signature on standard input that is not taken.
    fn refused(&self, id: &str, mark: &str, signature: &str, words: &str) {
        let ran = self.stage.typed(
            &["approvals", "approve", id, mark, "--signature", "-"],
            signature,
        );
        assert!(ran.stderr.contains(words), "{words}: {ran:#?}");
        assert_ne!(ran.code, 0);
    }
}

#[test]
fn a_key_answers_for_whom_the_owner_named_and_each_signature_once() {
    let Some(desk) = Desk::new() else { return };
    let stage = &desk.stage;
    let seen = stage.team.ai(&["doctor"]).stdout;
    let words = "answers are signed by those whom";
    assert!(seen.contains(words), "{seen}");
    stage.begin();
    let (id, mark) = stage.asked("t1");
    // A PIN is not taken where the rules say so, one that is kept either.
    stage.keeps_pin();
    let ran = stage
        .typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"))
        .expect(4);
    assert!(ran.stderr.contains("take no PIN"), "{ran:#?}");
    // The command asks for none; the warden takes none from whoever says it to its socket either.
    let said = stage.forged(
        "warden.sock",
        &json!({"v": 1, "ask": "answer", "id": id, "mark": mark, "yes": true, "for_task": false, "because": "", "pin": PIN}),
    );
    assert!(said.contains("take no PIN"), "{said}");
    let yes = desk.to_sign(&id, "approve");
    assert!(yes.contains(&format!("ticket: {id} {mark}\n")), "{yes}");
    let no = desk.to_sign(&id, "deny");
    for (signature, words) in [
        (desk.keys.signed("stranger", NAMESPACE, &yes), "nobody whom"),
        (desk.keys.signed("ada", "git", &yes), "does not hold"),
        (desk.keys.signed("ada", NAMESPACE, &no), "does not hold"),
        (
            desk.keys
                .signed("ada", NAMESPACE, &desk.to_sign(&id, "for-task")),
            "does not hold",
        ),
        (
            desk.keys.signed("ada", NAMESPACE, "approve"),
            "does not hold",
        ),
        ("approve".to_owned(), "holds no signature"),
    ] {
        desk.refused(&id, &mark, &signature, words);
    }
    // A file that others can write names nobody.
    desk.keys.mode(0o666);
    let good = desk.keys.signed("ada", NAMESPACE, &yes);
    desk.refused(&id, &mark, &good, "is not taken");
    desk.keys.mode(0o644);
    desk.refused(&id, "zzzz", &good, "does not stand for");
    assert_eq!(
        (stage.ticket(&id)["state"].as_str(), stage.effects()),
        (Some("requested"), 0)
    );
    // The key's owner says yes.
    let key = desk.keys.file("ada");
    let ran = stage
        .team
        .ai(&["approvals", "approve", &id, &mark, "--sign", &key])
        .expect(0);
    assert!(ran.stdout.contains("is approved, once"), "{ran:#?}");
    stage.comes_to("t1", "done");
    let said = stage.ticket(&id)["said"].clone();
    assert_eq!(said["by"], "ada", "{said:#}");
    assert!(
        said["key"]
            .as_str()
            .is_some_and(|key| key.contains("SHA256:")),
        "{said:#}"
    );
    // The same signature again, for the same ticket and for the next.
    desk.refused(&id, &mark, &good, "used already");
    stage.begin();
    let (second, mark) = stage.asked("t2");
    desk.refused(&second, &mark, &good, "does not hold");
    // One that was made elsewhere.
    let good = desk
        .keys
        .signed("ada", NAMESPACE, &desk.to_sign(&second, "approve"));
    let words = ["approvals", "approve", &second, &mark, "--signature", "-"];
    stage.typed(&words, &good).expect(0);
    stage.comes_to("t2", "done");
    // A no is signed too.
    stage.begin();
    let (third, _) = stage.asked("t3");
    stage
        .team
        .ai(&["approvals", "deny", &third, "--sign", &key])
        .expect(0);
    stage.comes_to("t3", "failed");
    assert_eq!(stage.effects(), 2);
    let tail = stage
        .team
        .ai(&["audit", "tail", "-n", "200"])
        .expect(0)
        .stdout;
    assert!(tail.contains("signed with ED25519 key SHA256:"), "{tail}");
    stage.intact();
    stage.team.down();
}
