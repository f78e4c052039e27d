//! What the warden does on the host, as a person sees it: shown before, done after a yes and once, on the record, put
//! back where it fails, and nothing of it where it was not granted.

use crate::duty_stage::{FILE, PIN, Stage};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use tests::processes;

#[test]
fn a_site_is_put_after_a_yes_to_exactly_what_was_shown() {
    let Some(stage) = Stage::new("ask") else {
        return;
    };
    stage.typed(&["approvals", "pin"], &format!("{PIN}\n"));
    let task = stage.put();
    let ticket = stage.asked(&task);
    let page = stage
        .team
        .ai(&["approvals", "show", &ticket.0])
        .expect(0)
        .stdout;
    for words in [
        "+    server_name shop.example;",
        "nginx takes the whole configuration",
        "claimed",
        "RestoreFile puts it back",
        "site.change = ask",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(!stage.placed() && stage.sites.visit("shop.example", "/").contains("404"));
    // Everybody who keeps something dies while it waits; the same is shown afterwards.
    for name in ["warden", "supervisor"] {
        processes::send(stage.team.pid(name), Signal::SIGKILL);
    }
    assert_eq!(stage.asked(&task), ticket);
    assert_eq!(
        stage
            .team
            .ai(&["approvals", "show", &ticket.0])
            .expect(0)
            .stdout
            .lines()
            .nth(4),
        page.lines().nth(4)
    );
    stage.says_yes(&ticket);
    let done = stage.comes_to(&task, "done");
    assert!(stage.sites.visit("shop.example", "/").contains("the shop"));
    let report = done["document"]["result"].as_str().unwrap_or_default();
    assert!(report.contains("put back k1"), "{report}");
    assert_eq!(stage.record(), ["PutSite before ", "PutSite after done"]);
}

#[test]
fn nobody_gets_by_the_rule_or_the_grant() {
    let Some(stage) = Stage::new("ask") else {
        return;
    };
    let root = stage.sites.text("www/shop");
    let wanted = |name: &str, root: &str, kind: &str| {
        json!({"task": "0197-forged", "short": "t9", "step": "s", "agent": "infra", "principal": "x", "level": 2, "kind": kind, "undo": null, "claimed": "",
            "action": {"do": "duty", "key": "aa11", "duty": {"duty": "put_site", "name": "shop.example", "over": true,
                "site": {"names": [name], "serve": {"root": root}, "certificate": null, "only_https": false}}}})
    };
    let operate =
        |wanted: Value| stage.forged(&json!({"v": 1, "ask": "operate", "wanted": wanted}));
    let good = || wanted("shop.example", &root, "site.change");
    for (wanted, words) in [
        (good(), "no used ticket"),
        (
            wanted("shop.example", &root, "http.change"),
            "was asked for as http.change",
        ),
        (
            wanted("evil.example", &root, "site.change"),
            "evil.example is not granted",
        ),
        (
            wanted("shop.example", "/etc", "site.change"),
            "/etc is not granted",
        ),
        (
            wanted("shop.example; include /etc/shadow", &root, "site.change"),
            "no duty",
        ),
        (
            {
                let mut one = good();
                one["agent"] = json!("code");
                one
            },
            "needs level 2",
        ),
        (
            {
                let mut one = good();
                one["action"]["duty"] = json!({"duty": "service", "unit": "ssh", "verb": "stop"});
                one["kind"] = json!("service.change");
                one
            },
            "not granted",
        ),
    ] {
        let said = operate(wanted);
        assert!(
            said.contains(words) && said.contains("refused"),
            "{words}: {said}"
        );
    }
    // Leave for what is not granted is not even asked of a person.
    let said = stage.forged(
        &json!({"v": 1, "ask": "request", "wanted": wanted("evil.example", &root, "site.change")}),
    );
    assert!(said.contains("not granted"), "{said}");
    assert_eq!((stage.placed(), stage.record()), (false, Vec::new()));
    // The control: where the rule allows it, the very same words do it, and a second time the same end is told.
    let file = stage.team.home().join("config/permissions.yaml");
    let text = fs::read_to_string(&file)
        .expect("the rules")
        .replace("ask", "allow");
    fs::write(&file, text).expect("a file");
    let first = operate(good());
    assert!(
        first.contains("\"end\":\"done\"") && stage.placed(),
        "{first}"
    );
    assert_eq!(operate(good()), first);
    assert_eq!(stage.record(), ["PutSite before ", "PutSite after done"]);
}

#[test]
fn what_is_asked_about_and_changes_meanwhile_is_not_done() {
    let Some(stage) = Stage::new("ask") else {
        return;
    };
    stage.typed(&["approvals", "pin"], &format!("{PIN}\n"));
    let task = stage.put();
    let ticket = stage.asked(&task);
    fs::write(stage.sites.at(FILE), "# a person's own\n").expect("a file");
    stage.says_yes(&ticket);
    let task = stage.comes_to(&task, "failed");
    assert_eq!(
        fs::read_to_string(stage.sites.at(FILE)).expect("the file"),
        "# a person's own\n"
    );
    assert!(
        task.to_string().contains("written by somebody else"),
        "{task:#}"
    );
    assert_eq!(stage.record(), Vec::<String>::new());
}
