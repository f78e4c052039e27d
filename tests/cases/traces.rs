//! One trace id from whoever asked to the last tool call: in the task's page, in what programs in the
//! sandbox are told, and on every line of every log about the task; `logs` finds them all.

use crate::AI_INFRA;
use serde_json::Value;
use tests::team::{Ran, Team};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

const TELL: &str = r#"
playbook: 1
name: tell-the-trace
agent: code
level: 1
intents: ["tell the trace"]
steps:
  - {id: tell, tool: Bash, args: {argv: [sh, -c, "echo $TRACEPARENT"]}}
  - {id: last, tool: Bash, args: {argv: [echo, "token ghp_0123456789abcdefghijABCDEFGHIJ012345"]}}
criteria:
  - {id: c1, text: "the folder is whole", check: {file: {path: README.md}}}
report: "{{ steps.tell.text }}"
tests: [{ask: "tell the trace"}]
"#;

fn lines(ran: Ran) -> Vec<Value> {
    let parse = |line: &str| serde_json::from_str(line).expect("a JSON line");
    ran.stdout.lines().map(parse).collect()
}

fn is(line: &Value, process: &str, message: &str) -> bool {
    line["process"] == process && line["fields"]["message"] == message
}

#[test]
fn one_id_leads_from_the_request_to_the_last_call() {
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    let team = Team::new(AI_INFRA).with_env("TRACEPARENT", &parent);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("tell.yaml"), TELL).expect("a playbook");
    let folder = team.scratch("shop");
    std::fs::write(folder.join("README.md"), "x").expect("a file");
    team.up();
    let (code, document) = team.run(&folder, "tell the trace");
    assert_eq!(
        (code, &document["trace_id"]),
        (0, &TRACE.into()),
        "{document:#}"
    );
    let page = team.ai(&["task", "show", "t1", "--json"]).expect(0).json();
    let kept = page["task"]["task"]["trace"].as_str().unwrap_or_default();
    assert!(kept.starts_with(&format!("00-{TRACE}-")), "{page:#}");
    // What a program in the sandbox was told: the same trace, another step of it.
    let told = document["result"].as_str().unwrap_or_default().trim();
    assert!(told.starts_with(&format!("00-{TRACE}-")), "{told}");
    assert!(told != parent && told != kept, "{told}");

    let found = lines(team.ai(&["logs", "--trace", TRACE, "--json"]).expect(0));
    assert!(found.iter().all(|line| line["version"] == 1), "{found:#?}");
    assert!(is(&found[0], "supervisor", "accepted"), "{found:#?}");
    let calls: Vec<&Value> = found
        .iter()
        .filter(|line| is(line, "code", "call"))
        .collect();
    assert_eq!(calls.len(), 2, "{found:#?}");
    for call in &calls {
        let span = &call["spans"][0];
        assert_eq!(
            (&span["trace_id"], &span["task"]),
            (&TRACE.into(), &"t1".into())
        );
    }
    let of_task = lines(team.ai(&["task", "logs", "t1", "--json"]).expect(0));
    assert_eq!(of_task, found);

    // Another request has another trace, and none of its lines are among these.
    let quiet = team.ai(&["logs", "--trace", &"0".repeat(32)]).expect(0);
    assert_eq!(quiet.stdout, "");
    // A token that a tool was called with stands in no log.
    let all = team.ai(&["logs", "-n", "10000"]).expect(0).stdout;
    assert!(
        all.contains("[secret]") && !all.contains("ghp_0123"),
        "{all}"
    );
    let warnings = team
        .ai(&["logs", "--agent", "code", "--level", "error"])
        .expect(0);
    assert_eq!(warnings.stdout, "");
    let wrong = team.ai(&["logs", "--agent", "poet"]).expect(2);
    assert!(wrong.stderr.contains("there are logs of:"), "{wrong:?}");
    let grep = team
        .ai(&["logs", "--grep", "TELL-THE", "--since", "1h"])
        .expect(0);
    assert!(
        grep.stdout.is_empty() || grep.stdout.contains("tell"),
        "{grep:?}"
    );
    team.down();
    // The logs are read from the files: the team need not be up.
    let later = lines(team.ai(&["logs", "--task", "t1", "--json"]).expect(0));
    assert!(later.len() >= found.len());
}
