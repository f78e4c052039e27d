//! A private registry in a whole team: what a task's programs fetch from it stands in the record, and its token is in
//! nothing that was written, kept or shown.

use crate::AI_INFRA;
use serde_json::Value;
use std::fs;
use tests::team::Team;

const TOKEN: &str = "tkn-81d3f6a0c25e4b97";

const FETCH: &str = r#"
playbook: 1
name: fetch-cart
agent: code
level: 1
intents: ["fetch the cart"]
steps:
  - id: fetch
    tool: Bash
    args:
      argv:
        - bash
        - -c
        - |
          ask() { exec 3<>/dev/tcp/127.0.0.1/3128; printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:3128\r\n\r\n' "$1" >&3; timeout 20 cat <&3; exec 3>&-; }
          python3 -m pip --version >/dev/null && python3 -m pip download --no-input --no-deps -q -d got cart; ls got
          ask /py/echo; ask /py/away; ask /nobody/x; env; cat /proc/*/environ | tr '\0' '\n'; git clone -q "${GIT_CONFIG_VALUE_0}kept.git" src; cat src/total
criteria:
  - {id: c1, text: "it was fetched", check: {file: {path: src/total, contains: "42"}}}
report: "{{ steps.fetch.text }}"
tests: [{ask: "fetch the cart"}]
"#;

#[test]
fn what_is_fetched_stands_in_the_record_and_the_token_nowhere() {
    let Some(registry) = tests::registry::start(TOKEN) else {
        return;
    };
    let team = Team::new(AI_INFRA);
    let playbooks = team.home().join("playbooks");
    fs::create_dir_all(&playbooks).expect("a folder");
    fs::write(playbooks.join("fetch-cart.yaml"), FETCH).expect("a playbook");
    let authority = registry.git.nginx.authority().display().to_string();
    let rules = format!(
        "registries:\n  py: {{url: \"{}\", kind: pip, token: {{secret: corp}}, authority: {authority}, agents: [code]}}\n  src: {{url: \"{}\", kind: git, token: {{secret: corp}}, authority: {authority}, agents: [code]}}\n",
        registry.url("py/simple"),
        registry.url("git")
    );
    fs::write(team.home().join("config/permissions.yaml"), rules).expect("rules");
    team.piped(&["secret", "set", "corp"], TOKEN).expect(0);
    team.up().expect(0);
    let work = team.scratch("work");
    fs::write(work.join("README.md"), "here\n").expect("a file");
    let (code, ran) = team.run(&work, "fetch the cart");
    assert_eq!(code, 0, "{ran:#}");
    let said = ran.to_string();
    assert!(said.contains("you sent Basic ****"), "{said}");
    let tail = team.ai(&["audit", "tail", "-n", "200", "--json"]).expect(0);
    let lines: Vec<Value> = tail
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line"))
        .collect();
    let place = format!("localhost:{}", registry.git.nginx.good);
    for (summary, stages) in [
        (format!("GET py/echo at {place}"), vec!["before", "after"]),
        (
            format!("POST src/kept.git/git-upload-pack at {place}"),
            vec!["before", "after"],
        ),
        ("GET nobody/x".to_owned(), vec!["refused"]),
    ] {
        let told = lines.iter().filter(|line| line["tool"] == "connect");
        let told = told.filter(|line| line["summary"] == summary.as_str());
        let mut told: Vec<&str> = told
            .map(|line| line["stage"].as_str().expect("a stage"))
            .collect();
        told.truncate(stages.len());
        assert_eq!(told, stages, "{summary}: {lines:#?}");
    }
    let shown = team.ai(&["config", "show"]).expect(0).stdout;
    team.down();
    // The basic shape too: that is how it travels.
    let basic = "X190b2tlbl9fOnRrbi04MWQzZjZhMGMyNWU0Yjk3";
    let mut places = vec![
        (
            "what was shown".to_owned(),
            (said + &tail.stdout + &shown).into_bytes(),
        ),
        (
            "the server's log".to_owned(),
            registry.git.nginx.asked().into_bytes(),
        ),
    ];
    for (path, bytes) in tests::many::files(&team.home()) {
        if !path.starts_with("secrets") {
            places.push((path.display().to_string(), bytes));
        }
    }
    assert!(places.len() > 20);
    for (place, bytes) in places {
        for secret in [TOKEN, basic] {
            let found = bytes
                .windows(secret.len())
                .any(|part| part == secret.as_bytes());
            assert!(!found, "the token is in {place}");
        }
    }
}
