//! Agents, windows and prices from texts and layers, or the exact sentence about them.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod case;

use case::{Case, check_refused, check_value, load, user};

const REVIEWER: &str = "---\nname: reviewer\ndescription: d\ntools: Read, Grep\nlevel: 2\nhost_read: true\n---\nBe kind.\n";

#[test]
fn a_sixth_agent_gets_the_next_window_and_no_more_than_allowed() {
    let mut case = Case {
        agents: &[("reviewer", REVIEWER)],
        ..Case::default()
    };
    let origin = "/home/agents/reviewer/AGENT.md";
    check_value(case, "agents.reviewer.tools", ("Read, Grep", origin));
    check_value(case, "agents.reviewer.level", ("1", "default"));
    check_value(case, "agents.reviewer.host_read", ("false", "default"));
    let windows = load(case).unwrap().tmux.windows;
    let last = windows.last().unwrap();
    assert_eq!((last.index, last.name.as_str()), (8, "reviewer"));
    case.user = &[("permissions.yaml", "agents: {reviewer: {level: 2}}\n")];
    check_value(case, "agents.reviewer.level", ("2", origin));
    case.system = &[("permissions.yaml", "defaults: {level: 0}\n")];
    check_value(
        case,
        "agents.reviewer.level",
        ("0", "/etc/permissions.yaml:1:12"),
    );
}

#[test]
fn agents_are_replaced_and_overridden() {
    let mine = REVIEWER.replace("reviewer", "qa");
    let agents = [("qa", mine.as_str())];
    let mut case = Case {
        agents: &agents,
        ..Case::default()
    };
    check_value(
        case,
        "agents.qa.prompt",
        ("8 characters", "/home/agents/qa/AGENT.md"),
    );
    case.user = &[("agents.yaml", "qa:\n  model: m\n  tools: [Read]\n")];
    check_value(
        case,
        "agents.qa.model",
        ("m", "/home/config/agents.yaml:2:3"),
    );
    check_value(
        case,
        "agents.qa.tools",
        ("Read", "/home/config/agents.yaml:3:3"),
    );
    let names: Vec<String> = load(case)
        .unwrap()
        .agents
        .iter()
        .map(|a| a.name.to_string())
        .collect();
    assert_eq!(names, ["code", "data", "infra", "research", "qa"]);
}

#[test]
fn wrong_agents_are_refused() {
    for (name, text, expected) in [
        (
            "reviewer",
            "no front",
            "must start with a line `---`, keys, and another line `---`",
        ),
        (
            "reviewer",
            "---\nname: reviewer\n",
            "must start with a line `---`, keys, and another line `---`",
        ),
        (
            "reviewer",
            "---\nname: reviewer\n---\nx",
            "`description` is missing between the `---` lines",
        ),
        (
            "reviewer",
            "---\nname: reviewer\ndescription: d\n---\n \n",
            "has no prompt below the second `---` line",
        ),
        (
            "reviewer",
            "---\nname: r2\ndescription: d\n---\nx",
            "`name` is `r2`, must be `reviewer` like its folder",
        ),
        (
            "reviewer",
            "---\nlevle: 1\n---\nx",
            "unknown key `levle`; did you mean `level`?",
        ),
        (
            "reviewer",
            "---\nlevel: 3\n---\nx",
            "`level` is 3, must be a whole number from 0 to 2",
        ),
        (
            "logs",
            "---\nname: logs\n---\nx",
            "`logs` is not an agent's name: a process has it already",
        ),
        (
            "Bad Name",
            "",
            "`Bad Name` is not a role: use 1 to 32 characters of a-z, 0-9 and -, starting with a letter",
        ),
    ] {
        let case = Case {
            agents: &[(name, text)],
            ..Case::default()
        };
        // A key stands somewhere, what is missing does not.
        let at = match text.contains("\nlev") {
            true => ":2:1",
            false => "",
        };
        check_refused(
            case,
            &format!("/home/agents/{name}/AGENT.md{at}: {expected}"),
        );
    }
    let tools = "/home/config/agents.yaml:1:8: agent `code` has a tool `Raed` that does not exist; did you mean `Read`?";
    check_refused(user(&[("agents.yaml", "code: {tools: [Raed]}\n")]), tools);
    let stranger =
        "/home/config/agents.yaml:1:8: `agents.coed` names no agent; did you mean `code`?";
    check_refused(user(&[("agents.yaml", "coed: {model: m}\n")]), stranger);
}

#[test]
fn wrong_windows_and_prices_are_refused() {
    let file = "/home/config/tmux/session.yaml:1:1: ";
    for (windows, expected) in [
        (
            "[{index: 0, name: a, runs: supervisor}, {index: 0, name: b, runs: logs}]",
            "two windows have index 0",
        ),
        (
            "[{index: 0, name: a, runs: supervisor}, {index: 1, name: b, runs: {agent: coed}}]",
            "window `b` runs agent `coed`, which does not exist; did you mean `code`?",
        ),
        (
            "[]",
            "no window runs the supervisor: add {index: 0, name: supervisor, runs: supervisor}",
        ),
        (
            "[{index: 0, name: \"a:b\", runs: supervisor}]",
            "window name `a:b` must be 1 to 64 characters of letters, digits, - and _",
        ),
    ] {
        let text = format!("windows: {windows}\n");
        let files = [("tmux/session.yaml", text.as_str())];
        check_refused(user(&files), &format!("{file}{expected}"));
    }
    check_refused(
        user(&[(
            "prices.yaml",
            "models: {m: {input: 1, output: 1, cache_read: 1}}\n",
        )]),
        "/home/config/prices.yaml:1:35: `prices.models.m` lacks `cache_write`",
    );
}

#[test]
fn the_supervisors_text_is_one_too() {
    let text = config::shipped::agent("supervisor").unwrap();
    let parsed = config::agents::parse(text, &config::layers::Origin::Shipped).unwrap();
    assert!(parsed.settings.tools.is_empty());
    assert_eq!(config::shipped::agent("nobody"), None);
}
