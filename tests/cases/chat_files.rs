//! Files that go with a request: kept when they are handed in, seen read-only beside the clone,
//! never part of the result; what cannot or should not be attached is said before anything begins.

use crate::AI_INFRA;
use crate::hosts::{invitation, join};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tests::processes;
use tests::team::{Ran, Team};
use tests::terminal::Window;

const READER: &str = r#"
playbook: 1
name: reader
agent: code
level: 1
intents: ["read {file} aloud"]
params: {file: {type: file, required: true}}
steps:
  - {id: read, tool: Read, args: {file_path: "{{ file }}"}}
  - {id: copy, tool: Bash, args: {argv: [sh, -c, "cat /attachments/* > copied; echo x > /attachments/new; true"]}}
criteria: [{id: c1, text: "it is copied", check: {file: {path: copied, contains: "aloud"}}}]
report: "{{ steps.read.text }}"
tests: [{ask: "read notes.txt aloud", params: {file: notes.txt}}]
"#;

fn team() -> Team {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("reader.yaml"), READER).expect("a playbook");
    team
}

/// A folder to work on, and files outside it.
fn given(team: &Team) -> (PathBuf, PathBuf) {
    let (shop, given) = (team.scratch("shop"), team.scratch("given"));
    std::fs::write(shop.join("README.md"), "# Shop\n").expect("a file");
    std::fs::write(given.join("notes.txt"), "read me aloud\n").expect("a file");
    std::fs::write(given.join("orders.csv"), "id,total\n1,20\n2,30\n").expect("a file");
    (shop, given)
}

fn ran(team: &Team, folder: &Path, words: &[&str]) -> Ran {
    let folder = folder.display().to_string();
    let args = [&["run"][..], words, &["--workspace", &folder]].concat();
    team.ai(&args)
}

#[test]
fn what_was_handed_in_is_worked_with_whatever_becomes_of_the_file() {
    let team = team();
    let (shop, given) = given(&team);
    team.up();
    team.ai(&["agents", "pause", "code"]).expect(0);
    let notes = given.join("notes.txt").display().to_string();
    let words = ["read notes.txt aloud", "--attach", &notes, "--no-wait"];
    let asked = [&words[..], &["--request-id", "r1"]].concat();
    ran(&team, &shop, &asked).expect(0);
    // The same request is one task; with another content under the same id it is refused.
    ran(&team, &shop, &asked).expect(0);
    std::fs::write(&notes, "something else\n").expect("a file");
    let other = ran(&team, &shop, &asked);
    assert!(other.code == 2 && other.stderr.contains("r1"), "{other:#?}");
    std::fs::remove_file(&notes).expect("removed");
    processes::send(team.pid("supervisor"), Signal::SIGKILL);
    team.ai(&["agents", "resume", "code"]).expect(0);
    team.ai(&["task", "follow", "t1"]).expect(0);
    let page = team.ai(&["task", "show", "t1"]).expect(0).stdout;
    assert!(page.contains("notes.txt (text, 14 B)"), "{page}");
    assert!(page.contains("read me aloud"), "{page}");
    // What was attached is not in the result, and could not be written to.
    let diff = team.ai(&["task", "diff", "t1"]).expect(0).stdout;
    assert!(
        diff.contains("b/copied") && !diff.contains("notes.txt"),
        "{diff}"
    );
    let laid = team.home().join("tasks/t1/attachments");
    let names: Vec<_> = std::fs::read_dir(laid)
        .expect("laid out")
        .flatten()
        .map(|entry| entry.file_name())
        .collect();
    assert_eq!(names, ["notes.txt"]);
    // Done again, it has the same files.
    team.ai(&["task", "retry", "t1"]).expect(0);
    team.ai(&["task", "follow", "t2"]).expect(0);
    let page = team.ai(&["task", "show", "t2"]).expect(0).stdout;
    assert!(page.contains("read me aloud"), "{page}");
    team.down();
}

#[test]
fn what_cannot_be_attached_is_said_before_anything_begins() {
    let team = team();
    let (shop, given) = given(&team);
    let at = |name: &str| given.join(name).display().to_string();
    nix::unistd::mkfifo(given.join("pipe").as_path(), nix::sys::stat::Mode::S_IRWXU)
        .expect("a pipe");
    let large = std::fs::File::create(given.join("large")).expect("a file");
    large.set_len(9 << 20).expect("a length");
    std::fs::write(given.join(".env"), "X=1\n").expect("a file");
    let check = |file: &str, code: i32, said: &str| {
        let refused = ran(&team, &shop, &["read notes.txt aloud", "--attach", file]);
        let fits = refused.code == code && refused.stderr.contains(said);
        assert!(fits, "{file}: {refused:#?}");
        assert!(!refused.stderr.contains("starting it"), "{refused:#?}");
    };
    check(&at("missing"), 2, "there is no such file");
    check(&at(""), 2, "it is a folder");
    check(&at("pipe"), 2, "it is a pipe");
    check("/dev/zero", 2, "it is a pipe, a device");
    check(&at("large"), 2, "at most 8 MiB are attached");
    check(&at(".env"), 3, "to attach it all the same: --even-secrets");
    let env = at(".env");
    let words = ["read .env aloud", "--attach", &env, "--even-secrets"];
    let ran = ran(&team, &shop, &words);
    assert!(!ran.stderr.contains("was not attached"), "{ran:#?}");
    team.down();
}

#[test]
fn a_model_reads_what_was_attached_and_cannot_write_there() {
    let team = team();
    let (shop, given) = given(&team);
    let call = |id: &str, name: &str, input: Value| {
        json!({"stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": id, "name": name, "input": input}],
        "usage": {"input_tokens": 10, "output_tokens": 2}})
    };
    let there = |name: &str| format!("/attachments/{name}");
    let proposal = json!({"options": [{"name": "n", "summary": "s", "risk": "none"}],
        "choice": "n", "steps": ["read"], "criteria": [{"id": "c1", "text": "the sum is there",
        "check": {"file": {"path": "sum", "contains": "50"}}}]});
    let replies = json!({"replies": [
        call("p1", "propose", proposal),
        call("a1", "Read", json!({"file_path": there("orders.csv")})),
        call("a2", "Grep", json!({"pattern": "aloud", "path": "/attachments"})),
        call("a3", "Write", json!({"file_path": there("mine"), "content": "x"})),
        call("a4", "Read", json!({"file_path": "/attachments/../etc/passwd"})),
        call("a5", "Write", json!({"file_path": "sum", "content": "50\n"})),
        {"content": [{"type": "text", "text": "The orders come to 50."}], "stop_reason": "end_turn",
         "usage": {"input_tokens": 10, "output_tokens": 2}},
    ]});
    let script = given.join("replies.json");
    std::fs::write(&script, replies.to_string()).expect("a script");
    let (orders, notes) = (given.join("orders.csv"), given.join("notes.txt"));
    let paths = [&orders, &notes, &script].map(|path| path.display().to_string());
    let words = [
        "what do the orders come to?",
        "--attach",
        &paths[0],
        "--attach",
        &paths[1],
    ];
    let words = [
        &words[..],
        &["--agent", "code", "--script", &paths[2], "--json"],
    ]
    .concat();
    let document = ran(&team, &shop, &words).expect(0).json();
    assert_eq!(document["state"], "done", "{document:#}");
    let page = team.ai(&["task", "show", "t1", "--json"]).expect(0).json();
    let calls = page["task"]["calls"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let went: Vec<(&str, bool)> = calls
        .iter()
        .filter(|call| call["phase"] == "execute" && call["tool"] != "propose")
        .map(|call| {
            let tool = call["tool"].as_str().unwrap_or_default();
            (tool, call["is_error"] == false)
        })
        .collect();
    let expected = [
        ("Read", true),
        ("Grep", true),
        ("Write", false),
        ("Read", false),
        ("Write", true),
    ];
    assert_eq!(went, expected, "{page:#}");
    team.down();
}

#[test]
fn in_the_chat_a_file_goes_with_the_next_request_and_a_secret_is_asked_about() {
    let team = team();
    let (shop, given) = given(&team);
    std::fs::write(given.join(".env"), "TOKEN=1\n").expect("a file");
    team.ai(&["up"]).expect(0);
    let window = Window::of(&team, 0, 80, 24);
    window.until("you ›");
    window.says(&format!("/workspace {}", shop.display()));
    window.until("requests are about");
    window.says(&format!("/attach {}/orders.csv", given.display()));
    window.until("orders.csv (CSV, 19 B) goes with your next request");
    window.says(&format!("/attach {}/.env", given.display()));
    window.until("attach it? yes or no");
    window.says("no");
    window.until("left as it is");
    window.says("profile my data");
    window.until_has_shown("attached, read-only: orders.csv (CSV, 19 B)");
    window.until_has_shown("file = /attachments/orders.csv");
    window.until_has_shown("criteria proven");
    // It went with that one request.
    window.says("/attach");
    window.until("no file goes with your next request: /attach FILE");
    window.says("/attach /no/such/file");
    window.until("there is no such file");
    let page = team.ai(&["task", "show", "t1"]).expect(0).stdout;
    assert!(page.contains("total") && page.contains("2 rows"), "{page}");
    team.down();
}

#[test]
fn files_travel_to_the_host_where_the_folder_is() {
    let port = tests::port::free();
    let team = team()
        .with_env("AI_INFRA__REDIS__LISTEN__ADDRESS", "127.0.0.1")
        .with_env("AI_INFRA__REDIS__LISTEN__PORT", &port.to_string());
    team.up();
    let there = Team::new(AI_INFRA);
    join(&there, &invitation(&team, "web2")).expect(0);
    let (_, given) = given(&team);
    let notes = given.join("notes.txt").display().to_string();
    let work = there.scratch("work");
    let words = [
        "read notes.txt aloud",
        "--attach",
        &notes,
        "--host",
        "web2",
        "--json",
    ];
    let document = ran(&team, &work, &words).expect(0).json();
    assert_eq!(document["state"], "done", "{document:#}");
    let result = document["result"].as_str().unwrap_or_default();
    assert!(result.contains("read me aloud"), "{document:#}");
    there.down();
    team.down();
}
