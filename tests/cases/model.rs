//! A coding task of several steps by a model: the scripted engine for the exact course of
//! events, and the Messages API as a mock that others wrote speaks it.

use crate::AI_INFRA;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::Path;
use tests::projects;
use tests::team::Team;

fn proposal() -> Value {
    json!({
        "options": [{"name": "mend", "summary": "mend the sum", "risk": "none"}],
        "choice": "mend",
        "steps": ["read", "edit", "test"],
        "criteria": [
            {"id": "c1", "text": "the test suite passes", "change": true,
             "check": {"command": {"argv": ["cargo", "test", "--offline", "--quiet"]}}},
            {"id": "c2", "text": "the wrong term is gone",
             "check": {"file": {"path": "src/lib.rs", "lacks": "a + b + 1"}}}
        ]
    })
}

fn edit() -> Value {
    json!({"file_path": "src/lib.rs", "old_string": "a + b + 1", "new_string": "a + b"})
}

fn call(id: &str, name: &str, input: Value) -> Value {
    json!({"content": [{"type": "tool_use", "id": id, "name": name, "input": input}],
        "stop_reason": "tool_use", "usage": {"input_tokens": 100, "output_tokens": 20}})
}

fn say(text: &str) -> Value {
    json!({"content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn", "usage": {"input_tokens": 100, "output_tokens": 20}})
}

fn check(team: &Team, project: &Path, code: i32, document: &Value) {
    assert_eq!(code, 0, "{document:#}");
    assert_eq!(document["state"], "done", "{document:#}");
    assert!(
        document["criteria"]
            .as_array()
            .expect("criteria")
            .iter()
            .all(|c| c["passed"] == true)
    );
    assert!(
        document["usage"]["requests"].as_u64().unwrap_or_default() >= 3,
        "{document:#}"
    );
    let read = || std::fs::read_to_string(project.join("src/lib.rs")).expect("lib.rs");
    assert!(
        read().contains("a + b + 1"),
        "the workspace was changed before apply"
    );
    let short = document["short_id"].as_str().expect("a short id");
    let diff = team.ai(&["task", "diff", short]).expect(0);
    assert!(
        diff.stdout
            .contains("+pub fn add(a: i32, b: i32) -> i32 { a + b }"),
        "{diff:#?}"
    );
    // What was built from the mended clone must not pass for built from the folder.
    let (code, red) = team.run(project, "run the tests and tell me what fails");
    assert_eq!(code, 0, "{red:#}");
    let report = red["result"].as_str().unwrap_or_default();
    assert!(report.contains("tests::sums::small"), "{report}");
    team.ai(&["task", "apply", short]).expect(0);
    assert!(
        !read().contains("a + b + 1"),
        "apply did not change the workspace"
    );
}

#[test]
fn a_scripted_model_mends_a_test() {
    let team = Team::new(AI_INFRA);
    let project = team.scratch("project");
    projects::cargo(&project, true);
    projects::commit_all(&project);
    let script = team.scratch("script").join("replies.json");
    let replies = json!({"replies": [
        call("p1", "propose", proposal()),
        call("e1", "Edit", edit()),
        call("t1", "Tests", json!({})),
        say("The sum had one term too many; it is gone and the suite passes."),
    ]});
    std::fs::write(&script, replies.to_string()).expect("a script");
    let folder = project.display().to_string();
    let script = script.display().to_string();
    let ran = team.ai(&[
        "run",
        "mend the failing test",
        "--workspace",
        &folder,
        "--json",
        "--agent",
        "code",
        "--script",
        &script,
    ]);
    check(&team, &project, ran.code, &ran.json());
    team.down();
}

fn node_major() -> u32 {
    let output = std::process::Command::new("node").arg("--version").output();
    let text = output
        .map(|o| String::from_utf8_lossy(&o.stdout).into_owned())
        .unwrap_or_default();
    let major = text
        .trim()
        .trim_start_matches('v')
        .split('.')
        .next()
        .unwrap_or_default();
    major.parse().unwrap_or(0)
}

#[test]
fn the_messages_api_mends_a_test() {
    let mock = projects::test_tools().join("node_modules/.bin/llmock");
    if !mock.exists() || node_major() < 20 {
        let mock = mock.display();
        eprintln!("skipped: needs {mock} (scripts/test.sh installs it) and node 20 or later");
        return;
    }
    let fixtures = json!({"fixtures": [
        {"match": {"toolName": "propose", "endpoint": "chat"},
         "response": {"toolCalls": [{"id": "toolu_p", "name": "propose", "arguments": proposal()}], "usage": {"input_tokens": 900, "output_tokens": 200}}},
        {"match": {"turnIndex": 0, "endpoint": "chat"},
         "response": {"content": "I mend it.", "toolCalls": [{"id": "toolu_e", "name": "Edit", "arguments": edit()}], "usage": {"input_tokens": 1000, "output_tokens": 50}}},
        {"match": {"turnIndex": 1, "endpoint": "chat"},
         "response": {"toolCalls": [{"id": "toolu_t", "name": "Tests", "arguments": {}}], "usage": {"input_tokens": 1100, "output_tokens": 30}}},
        {"match": {"turnIndex": 2, "endpoint": "chat"},
         "response": {"content": "The sum is mended; the suite passes.", "usage": {"input_tokens": 1200, "output_tokens": 40}}}
    ]});
    let port = tests::port::free();
    let team = Team::new(AI_INFRA)
        .with_env("ANTHROPIC_API_KEY", "sk-ant-story")
        .with_env("ANTHROPIC_BASE_URL", &format!("http://127.0.0.1:{port}"));
    team.configure("team:\n  lease_ms: 1500\nengine:\n  name: anthropic\n");
    let file = team.scratch("mock").join("fixtures.json");
    std::fs::write(&file, fixtures.to_string()).expect("fixtures");
    let mut server = std::process::Command::new(&mock)
        .args(["-p", &port.to_string(), "-f"])
        .arg(&file)
        .args(["--log-level", "warn"])
        .spawn()
        .expect("the mock starts");
    let ready = tests::processes::wait_until(std::time::Duration::from_secs(10), || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    assert!(ready, "the mock does not listen");
    let project = team.scratch("project");
    projects::cargo(&project, true);
    projects::commit_all(&project);
    // A picture goes with it: the API that others wrote takes it as one.
    let shot = team.scratch("given").join("shot");
    std::fs::write(&shot, crate::pictures::pixel()).expect("a file");
    let (folder, shot) = (project.display().to_string(), shot.display().to_string());
    let words = [
        "run",
        "mend the failing test",
        "--workspace",
        &folder,
        "--attach",
        &shot,
        "--json",
    ];
    let ran = team.ai(&words);
    let (code, document) = (ran.code, ran.json());
    let seen = journal(port);
    let _ = server.kill();
    let _ = server.wait();
    check(&team, &project, code, &document);
    assert!(
        document["usage"]["cost_usd"].as_f64().unwrap_or_default() > 0.0,
        "{document:#}"
    );
    // Its journal keeps words alone; the story of the pictures has the blocks.
    let told = "/attachments/shot: PNG image, 69 bytes; you see it above";
    assert!(seen.contains(told), "no picture in {seen}");
    team.down();
}

/// What the mock was asked, as it keeps it.
fn journal(port: u16) -> String {
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port)).expect("the mock");
    let ask = "GET /__aimock/journal HTTP/1.0\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(ask.as_bytes()).expect("it is asked");
    let mut said = String::new();
    stream.read_to_string(&mut said).expect("it answers");
    said
}
