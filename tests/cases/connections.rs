//! What programs reach through the proxy of their task stands in the record: each connection before
//! it is made and after, each that is refused, and nothing is left open when the task is over.

use crate::AI_INFRA;
use serde_json::Value;
use tests::team::Team;

const ASK: &str = r#"
playbook: 1
name: ask-hosts
agent: code
level: 1
intents: ["ask the hosts"]
steps:
  - id: ask
    tool: Bash
    args:
      argv:
        - bash
        - -c
        - |
          ask() { exec 3<>/dev/tcp/127.0.0.1/3128; printf 'CONNECT %s HTTP/1.1\r\n\r\n' "$1" >&3; head -1 <&3; exec 3>&-; }
          ask other.example:443; ask nowhere.invalid:443; ask 127.0.0.1:443; echo asked > asked
criteria:
  - {id: c1, text: "they were asked", check: {file: {path: asked, contains: asked}}}
report: "asked"
tests: [{ask: "ask the hosts"}]
"#;

#[test]
fn every_connection_stands_in_the_record() {
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    std::fs::create_dir_all(&playbooks).expect("a folder");
    std::fs::write(playbooks.join("ask-hosts.yaml"), ASK).expect("a playbook");
    let rules = "programs: {agents: [code], hosts: [nowhere.invalid]}\n";
    std::fs::write(team.home().join("config/permissions.yaml"), rules).expect("rules");
    team.up();
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "here\n").expect("a file");
    let (code, ran) = team.run(&work, "ask the hosts");
    assert_eq!(code, 0, "{ran:#}");
    let tail = team.ai(&["audit", "tail", "-n", "100", "--json"]).expect(0);
    let lines = tail.stdout.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).expect("a line"))
        .collect();
    let told = |summary: &str| -> Vec<(&str, &str)> {
        let found = lines
            .iter()
            .filter(|l| l["tool"] == "connect" && l["summary"] == summary);
        found
            .map(|l| {
                (
                    l["stage"].as_str().expect("a stage"),
                    l["outcome"].as_str().expect("words"),
                )
            })
            .collect()
    };
    let other = told("other.example:443");
    assert!(
        matches!(other[..], [("refused", why)] if why.contains("permissions.programs.hosts")),
        "{other:?}"
    );
    let nowhere = told("nowhere.invalid:443");
    assert!(
        matches!(nowhere[..], [("before", ""), ("after", why)] if why.contains("looked up")),
        "{nowhere:?}"
    );
    let unreadable = told("a place that cannot be read");
    assert!(matches!(unreadable[..], [("refused", _)]), "{unreadable:?}");
    team.ai(&["audit", "verify"]).expect(0);
    team.down();
}
