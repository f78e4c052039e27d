//! What shells offer at Tab, tried in the shells themselves: names of what is there, asked of the
//! running team, and nothing where it is down.

use crate::AI_INFRA;
use std::path::Path;
use std::process::{Command, Stdio};
use tests::team::Team;

/// A folder whose `ai-infra` is the program under test, first on `PATH`.
fn path(team: &Team) -> String {
    let folder = team.scratch("bin");
    let link = folder.join("ai-infra");
    if !link.exists() {
        std::os::unix::fs::symlink(AI_INFRA, link).expect("a link");
    }
    let path = std::env::var("PATH").expect("PATH");
    format!("{}:{path}", folder.display())
}

/// What a shell prints that runs `script`, in the environment of the team; `None` where it is not
/// installed.
fn shell(team: &Team, words: &[&str], script: &str) -> Option<String> {
    let name = words[0];
    let there = Command::new(name)
        .args(["-c", "true"])
        .stderr(Stdio::null())
        .status();
    if there.is_err() {
        eprintln!("not tried: {name} is not installed: apt install {name}");
        return None;
    }
    let given = team.command(&[]);
    let environment = given.get_envs();
    let output = Command::new(name)
        .args(&words[1..])
        .arg(script)
        .env_clear()
        .envs(environment.filter_map(|(name, value)| Some((name, value?))))
        .env("PATH", path(team))
        .current_dir(Path::new("/"))
        .stdin(Stdio::null())
        .output()
        .expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.stderr.is_empty(), "{name}: {output:#?}");
    Some(said)
}

/// The line completed by each shell, its offers in order.
fn bash(team: &Team, line: &str) -> Option<Vec<String>> {
    let script = format!(
        "source <(ai-infra completions bash); COMP_WORDS=({line}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
         COMP_TYPE=9; _clap_complete_ai_infra ai-infra \"${{COMP_WORDS[COMP_CWORD]}}\" x; \
         printf '%s\\n' \"${{COMPREPLY[@]}}\""
    );
    let said = shell(team, &["bash", "-c"], &script)?;
    // Flags are offered wherever nothing is typed yet.
    let offered = said
        .split_whitespace()
        .filter(|word| !word.starts_with('-'));
    Some(offered.map(str::to_owned).collect())
}

fn fish(team: &Team, line: &str) -> Option<String> {
    let script = format!("ai-infra completions fish | source; complete -C '{line}'");
    shell(team, &["fish", "--no-config", "-c"], &script)
}

/// zsh completes on a terminal only: its own offers are caught where they are made.
fn zsh(team: &Team, words: &[&str]) -> Option<String> {
    let script = format!(
        "compdef() {{ : }}; _describe() {{ shift 2; print -rl -- ${{(P)1}} }}; source <(ai-infra completions zsh); \
         words=({}); CURRENT={}; _clap_dynamic_completer_ai_infra",
        words
            .iter()
            .map(|word| format!("'{word}'"))
            .collect::<Vec<_>>()
            .join(" "),
        words.len()
    );
    shell(team, &["zsh", "-f", "-c"], &script)
}

#[test]
fn shells_offer_what_is_there() {
    let team = Team::new(AI_INFRA);
    let work = team.scratch("work");
    std::fs::write(work.join("README.md"), "TODO: one\n").expect("a file");
    let work = work.display().to_string();
    // Down: what is in files is offered, what only the team knows is not, and nothing is said.
    let offers = |line: &str| bash(&team, line).expect("bash is on every machine");
    assert_eq!(offers("ai-infra task show ''"), Vec::<String>::new());
    assert_eq!(offers("ai-infra sched"), ["schedule"]);
    assert_eq!(offers("ai-infra agents show q"), ["qa"]);
    team.up();
    team.ai(&["run", "what is unfinished here?", "--workspace", &work])
        .expect(0);
    let add = ["schedule", "add", "nightly", "--when", "@daily"];
    team.ai(&[&add[..], &["what is unfinished here?"]].concat())
        .expect(0);
    let found = team
        .ai(&["memory", "search", "unfinished", "--json"])
        .json();
    let memory = found["memories"][0]["id"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(memory.starts_with("m-"), "{found:#}");
    for (line, expected) in [
        ("ai-infra task show ''", "t1"),
        ("ai-infra task apply t", "t1"),
        ("ai-infra logs --task ''", "t1"),
        ("ai-infra run x --agent re", "research"),
        ("ai-infra run --playbook unfin", "unfinished-marks"),
        ("ai-infra playbook show unfin", "unfinished-marks"),
        ("ai-infra schedule pause ''", "nightly"),
        ("ai-infra backup run me", "memory"),
        ("ai-infra memory show ''", memory.as_str()),
        ("ai-infra memory forget m-2", memory.as_str()),
        ("ai-infra workspace forget ''", "work"),
        ("ai-infra secret set anth", "anthropic-api-key"),
        ("ai-infra --home /nowhere/at/all task show ''", ""),
    ] {
        let expected: Vec<&str> = expected.split_whitespace().collect();
        assert_eq!(offers(line), expected, "{line}");
    }
    // With what each is, where the shell can show it.
    if let Some(said) = fish(&team, "ai-infra task show ") {
        assert!(
            said.starts_with("t1\tdone: what is unfinished here?\n"),
            "{said}"
        );
    }
    if let Some(said) = zsh(&team, &["ai-infra", "task", "show", ""]) {
        assert!(
            said.starts_with("t1:done: what is unfinished here?\n"),
            "{said}"
        );
    }
    team.down();
}
