//! A program that a person lets run once on the host: shown whole, run after a yes and never twice, and with the very files
//! that were shown.

use crate::duty_stage::record_of;
use crate::privileged_stage::{Runs, script};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use tests::leave::{PIN, Stage};
use tests::processes;

#[test]
fn a_program_runs_once_after_a_yes_to_exactly_what_was_shown() {
    let runs = Runs::new();
    let stage = &runs.stage;
    let task = runs.begin(&runs.line("echo once >> count; echo said; exit 3"));
    let (id, mark) = stage.asked(&task);
    let page = runs.page(&id);
    for words in [
        "runs as",
        "word 1",
        "word 3",
        "echo once >> count",
        "/usr/bin/sh",
        "SHA-256",
        "level 3",
        "claimed",
        "there is none",
        "a yes of its own",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    // Not by somebody of the agents' user, not for more than this one, not by a word on an agent's own connection.
    let answer = |for_task: bool, pin: Value| json!({"v": 1, "ask": "answer", "id": id, "mark": mark, "yes": true, "for_task": for_task, "because": "", "pin": pin});
    for (line, words) in [
        (answer(false, Value::Null), "needs your PIN"),
        (answer(true, json!(PIN)), "a yes of its own"),
    ] {
        let said = stage.forged("warden.sock", &line);
        assert!(said.contains(words), "{words}: {said}");
    }
    for name in ["warden", "supervisor"] {
        processes::send(stage.team.pid(name), Signal::SIGKILL);
    }
    assert_eq!(stage.asked(&task), (id.clone(), mark.clone()));
    assert_eq!(
        (runs.page(&id).lines().count(), runs.read("count").as_str()),
        (page.lines().count(), "")
    );
    runs.says_yes(&task);
    stage.comes_to(&task, "done");
    assert_eq!(runs.read("count"), "once\n");
    let report = stage.task(&task)["document"]["result"].to_string();
    assert!(
        report.contains("exit code 3") && report.contains("said"),
        "{report}"
    );
    assert_eq!(
        record_of(&stage.team),
        ["HostRun before ", "HostRun after done"]
    );
    let lines = stage
        .team
        .ai(&["audit", "tail", "--lines", "50", "--json"])
        .expect(0)
        .stdout;
    let own = lines.lines().filter(|line| {
        line.contains("\"agent\":\"warden\"") && line.contains("\"tool\":\"HostRun\"")
    });
    for line in own {
        let line: Value = serde_json::from_str(line).expect("JSON");
        assert_eq!(
            (line["level"].as_u64(), line["ticket"].as_str()),
            (Some(3), Some(id.as_str())),
            "{line:#}"
        );
    }
    // The same words once more: the end it had, and another step: nobody's.
    let again = stage.typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"));
    assert!(again.stderr.contains("used already"), "{again:#?}");
    let mut wanted = kept(stage, &id)["wanted"].take();
    let operate = |wanted: &Value| {
        stage.forged(
            "warden.sock",
            &json!({"v": 1, "ask": "operate", "wanted": wanted}),
        )
    };
    assert!(operate(&wanted).contains("exit code 3"));
    wanted["step"] = json!("execute/9/x");
    wanted["action"]["key"] = json!("bb22");
    // Whether the warden has heard by now that the task is over or not.
    let nobodys = operate(&wanted);
    let refused = ["no used ticket", "is over"];
    assert!(refused.iter().any(|why| nobodys.contains(why)), "{nobodys}");
    assert_eq!((runs.read("count").as_str(), runs.copies()), ("once\n", 0));
    runs.ends();
}

/// The ticket as the warden keeps it.
fn kept(stage: &Stage, id: &str) -> Value {
    let said = stage.forged("warden.sock", &json!({"v": 1, "ask": "ticket", "id": id}));
    serde_json::from_str::<Value>(&said).expect("JSON")["ticket"].take()
}

#[test]
fn what_was_seen_is_shown_to_people_and_what_is_said_hides_secrets() {
    let runs = Runs::new();
    let stage = &runs.stage;
    let path = runs.script(
        "do.sh",
        "name=SHOP_API; echo ${name}_TOKEN=hunter2hunter2xyz",
    );
    let task = runs.begin(&path);
    let (id, mark) = stage.asked(&task);
    assert!(runs.page(&id).contains("program:2"), "{}", runs.page(&id));
    // An agent that asks for the same on its own connection is told no file's text, and answers nothing there.
    let wanted = kept(stage, &id)["wanted"].take();
    let socket = stage.team.home().join("run/warden.sock");
    let mut agent = BufReader::new(UnixStream::connect(socket).expect("a socket"));
    let mut says = |line: Value| {
        writeln!(agent.get_mut(), "{line}").expect("it reads");
        let mut answer = String::new();
        agent.read_line(&mut answer).expect("it answers");
        answer
    };
    assert!(says(json!({"v": 1, "ask": "for", "role": "infra"})).contains("done"));
    let asked = says(json!({"v": 1, "ask": "request", "wanted": wanted}));
    assert!(
        asked.contains("\"shown\":[]") && asked.contains(&mark),
        "{asked}"
    );
    let answer = json!({"v": 1, "ask": "answer", "id": id, "mark": mark, "yes": true, "for_task": false, "because": "", "pin": PIN});
    assert!(says(answer).contains("that is for people"));
    runs.says_yes(&task);
    stage.comes_to(&task, "done");
    let seen = stage.team.ai(&["task", "show", &task]).expect(0).stdout;
    assert!(
        seen.contains("SHOP_API_TOKEN=[secret:") && !seen.contains("hunter2hunter2"),
        "{seen}"
    );
    let record = stage
        .team
        .ai(&["audit", "tail", "--lines", "50", "--json"])
        .expect(0)
        .stdout;
    assert!(!record.contains("hunter2"), "{record}");
    runs.ends();
}

#[test]
fn a_no_and_a_time_that_is_over_hold_and_the_copies_go() {
    let runs = Runs::new();
    let stage = &runs.stage;
    let text = format!("echo once >> {}/count", stage.work.display());
    let path = runs.script("do.sh", &text);
    let task = runs.begin(&path);
    let (id, _) = stage.asked(&task);
    assert!(runs.page(&id).contains(&text), "{}", runs.page(&id));
    assert_eq!(runs.copies(), 1);
    let deny = ["approvals", "deny", &id, "--because", "not on a Friday"];
    stage.typed(&deny, &format!("{PIN}\n")).expect(0);
    stage.comes_to(&task, "failed");
    assert_eq!(runs.copies(), 0);

    let task = runs.begin(&path);
    let (id, mark) = stage.asked(&task);
    let tickets = stage.team.home().join("warden/tickets.jsonl");
    let warden = stage.team.pid("warden");
    processes::send(warden, Signal::SIGSTOP);
    let text = fs::read_to_string(&tickets).expect("tickets");
    let line = text
        .lines()
        .rfind(|line| line.contains(&format!("\"id\":\"{id}\"")))
        .expect("its line");
    let line: Value = serde_json::from_str(line).expect("JSON");
    let expires = line["expires"].as_str().expect("a time");
    fs::write(&tickets, text.replace(expires, "2020-01-01T00:00:00Z")).expect("kept");
    processes::send(warden, Signal::SIGKILL);
    stage.comes_to(&task, "failed");
    assert!(
        stage
            .task(&task)
            .to_string()
            .contains("nobody said yes in time")
    );
    let late = stage.typed(&["approvals", "approve", &id, &mark], &format!("{PIN}\n"));
    assert!(late.stderr.contains("expired already"), "{late:#?}");
    assert_eq!((runs.read("count").as_str(), runs.copies()), ("", 0));
    runs.ends();
}

#[test]
fn a_file_that_changes_after_the_request_is_never_run() {
    let runs = Runs::new();
    let stage = &runs.stage;
    let out = stage.work.join("count").display().to_string();
    // One that others can change: what was copied runs, whatever stands there now.
    let path = runs.script("do.sh", &format!("echo as shown >> {out}"));
    let task = runs.begin(&path);
    stage.asked(&task);
    runs.script("evil.sh", &format!("echo evil >> {out}"));
    fs::remove_file(&path).expect("removed");
    std::os::unix::fs::symlink(stage.work.join("evil.sh"), &path).expect("a link");
    runs.says_yes(&task);
    stage.comes_to(&task, "done");
    assert_eq!(runs.read("count"), "as shown\n");
    // One that is root's alone is run where it lies, or not at all.
    if nix::unistd::geteuid().is_root() {
        let own = tempfile::tempdir_in("/root").expect("a folder of root's");
        let path = own.path().join("do.sh");
        script(&path, &format!("echo as shown >> {out}"));
        let task = runs.begin(&path.display().to_string());
        let (id, _) = stage.asked(&task);
        assert!(
            runs.page(&id).contains("only root can change it"),
            "{}",
            runs.page(&id)
        );
        script(&path, &format!("echo evil >> {out}"));
        runs.says_yes(&task);
        stage.comes_to(&task, "failed");
        let seen = stage.task(&task).to_string();
        assert!(
            seen.contains("changed since leave was asked for: nothing was done"),
            "{seen}"
        );
        assert_eq!(runs.read("count"), "as shown\n");
    }
    runs.ends();
}

#[test]
fn nobody_asks_who_was_not_named_and_no_rule_allows_it() {
    let runs = Runs::with("acts: {http.change: allow}\n");
    let stage = &runs.stage;
    let task = runs.begin("id -u");
    stage.comes_to(&task, "failed");
    let seen = stage.task(&task).to_string();
    assert!(
        seen.contains("name its role in `permissions.privileged`"),
        "{seen}"
    );
    assert!(stage.tickets().is_empty());
    let file = stage.team.home().join("config/permissions.yaml");
    let wanted = |env: Value| {
        json!({"task": "0197-forged", "short": "t9", "step": "s", "agent": "infra", "principal": "x", "level": 3, "kind": "host.run", "undo": null, "claimed": "",
            "action": {"do": "duty", "key": "aa11", "duty": {"duty": "host_run", "run": {"argv": ["id"], "env": env}}}})
    };
    for (rules, env, words) in [
        (
            "acts: {http.change: allow}",
            json!({}),
            "permissions.privileged",
        ),
        ("privileged: [code]", json!({}), "permissions.privileged"),
        ("privileged: [infra]", json!({}), "no used ticket"),
        (
            "privileged: [infra]\nacts: {host.run: allow}",
            json!({}),
            "no used ticket",
        ),
        (
            "privileged: [infra]\nacts: {host.run: deny}",
            json!({}),
            "denies it",
        ),
        (
            "privileged: [infra]",
            json!({"LD_PRELOAD": "/x.so"}),
            "LD_PRELOAD steers",
        ),
    ] {
        fs::write(&file, rules).expect("a file");
        let line = json!({"v": 1, "ask": "operate", "wanted": wanted(env)});
        let said = stage.forged("warden.sock", &line);
        assert!(
            said.contains("refused") && said.contains(words),
            "{rules}: {said}"
        );
    }
    fs::write(&file, "privileged: [infra]\nacts: {host.run: allow}").expect("a file");
    let check = stage.team.ai(&["config", "check"]);
    assert!(check.code != 0, "{check:#?}");
    let said = format!("{}{}", check.stdout, check.stderr);
    assert!(
        said.contains("cannot be `allow`: each one wants a person's yes of its own"),
        "{said}"
    );
    fs::write(&file, "privileged: [infar]").expect("a file");
    let check = stage.team.ai(&["config", "check"]);
    let said = format!("{}{}", check.stdout, check.stderr);
    assert!(
        said.contains("names no agent `infar`") && said.contains("infra"),
        "{said}"
    );
    fs::write(&file, "privileged: [infra]").expect("a file");
    runs.ends();
}
