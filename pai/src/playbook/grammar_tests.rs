//! Playbooks that read, and those that are refused with a sentence that helps.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use proptest::prelude::*;

const GOOD: &str = r#"playbook: 1
name: demo
agent: code
level: 1
intents: ["demo {unit}"]
params: {unit: {type: unit, required: true}, days: {type: int, default: 14, min: 1}}
steps:
  - {id: one, tool: Bash, args: {argv: [du, -sb, "/var/log/{{ unit }}"]}, timeout: 10s}
  - {id: two, tool: Read, args: {file_path: "{{ steps.one.stdout }}"}, when: "days > 0"}
criteria: [{id: c1, text: "it is so", check: {command: {argv: ["true"], expect: {exit: 0}}}}]
report: "{{ steps.two.text }}"
tests: [{ask: "demo shop", params: {unit: shop}}]
"#;

fn problem(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    Playbook::parse(&GOOD.replacen(from, to, 1))
        .map_or_else(|e| e.to_string(), |_| "fine".to_owned())
}

#[test]
fn a_good_one_reads() {
    let demo = Playbook::parse(GOOD).unwrap();
    assert_eq!(
        (demo.steps.len(), demo.example().as_str()),
        (2, "demo shop")
    );
    assert!(demo.writes(), "Bash may write");
}

#[test]
fn wrong_ones_are_refused_with_a_hint() {
    for (from, to, expected) in [
        (
            "playbook: 1",
            "playbook: 2\nnew_key: 1",
            "the playbook says version 2",
        ),
        ("playbook: 1", "playbook: 0", "version 0"),
        (
            "agent: code",
            "agnet: code",
            "line 3: unknown key `agnet`: did you mean `agent`?",
        ),
        (
            "timeout: 10s",
            "timout: 10s",
            "line 8: unknown key `timout`: did you mean `timeout`?",
        ),
        (
            "timeout: 10s",
            "timeout: 10",
            "step one: timeout `10` is not a time",
        ),
        (
            "timeout: 10s",
            "timeout: 99999999999999999999h",
            "is not a time",
        ),
        ("level: 1", "level: 0", "step one: Bash needs level 1"),
        ("level: 1", "level: 9", "level 9 does not exist"),
        (
            "tool: Bash",
            "tool: Bsah",
            "there is no tool `Bsah`: did you mean `Bash`?",
        ),
        (
            "steps.one.stdout",
            "steps.two.stdout",
            "a step that has not run by then",
        ),
        ("days > 0", "dais > 0", "`dais` is not known there"),
        ("days > 0", "days >", "step two: in `days >`"),
        (
            "demo {unit}",
            "demo {unti}",
            "which is no parameter: did you mean `unit`?",
        ),
        ("demo {unit}", "demo (x", "a bracket is not closed"),
        ("id: two", "id: one", "two steps are called one"),
        ("min: 1", "min: 20", "its default must be at least 20"),
        ("{type: unit, required: true}", "{type: unti}", "unti"),
        (
            "{command: {argv: [\"true\"], expect: {exit: 0}}}",
            "{tool: {name: Read, expect: \"steps.one.ok\"}}",
            "would prove nothing",
        ),
        (
            "{command: {argv: [\"true\"], expect: {exit: 0}}}",
            "{tool: {name: Bash, expect: \"result.exit == 0\"}}",
            "a check only looks",
        ),
        (
            "{command: {argv: [\"true\"], expect: {exit: 0}}}",
            "{command: {argv: []}}",
            "`argv` is empty",
        ),
        (
            "{command: {argv: [\"true\"], expect: {exit: 0}}}",
            "{comand: {argv: []}}",
            "comand",
        ),
        ("report: \"{{", "report: \"{{{{ ", "report: in `"),
        ("name: demo", "name: \"De mo\"", "`name` takes"),
        ("when: \"days > 0\"", "on_error: undo", "needs an `undo`"),
        ("when: \"days > 0\"", "foreach: 7", "`foreach` takes"),
    ] {
        let problem = problem(from, to);
        assert!(problem.contains(expected), "{to}: {problem}");
    }
}

#[test]
fn huge_and_broken_ones_are_refused() {
    assert!(matches!(
        Playbook::parse(&" ".repeat(LARGEST + 1)),
        Err(PlaybookError::TooLarge { .. })
    ));
    for text in [
        "",
        "7",
        "[",
        "playbook: 1",
        "playbook: [1",
        "a: &x [*x]",
        "\u{0}",
        "--- a\n--- b",
    ] {
        assert!(Playbook::parse(text).is_err(), "{text}");
    }
    let bomb = "a: &a [x,x,x,x,x,x,x,x]\n".to_owned()
        + &(0..20)
            .map(|n| {
                format!(
                    "k{n}: &k{n} [{}]\n",
                    vec![
                        if n == 0 {
                            "*a".to_owned()
                        } else {
                            format!("*k{}", n - 1)
                        };
                        9
                    ]
                    .join(",")
                )
            })
            .collect::<String>();
    assert!(Playbook::parse(&bomb).is_err());
}

#[test]
fn times_are_read() {
    for (text, expected) in [
        ("500ms", Some(500)),
        ("10s", Some(10_000)),
        ("5m", Some(300_000)),
        ("24h", Some(86_400_000)),
        ("25h", None),
        ("0s", None),
        ("10", None),
        ("s", None),
        ("", None),
        ("1d", None),
        ("-1s", None),
    ] {
        assert_eq!(
            duration(text).ok().map(|d| d.as_millis()),
            expected,
            "{text}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_cut_off_or_damaged_one_never_breaks_it(at in 0usize..900, with in "\\PC{0,3}") {
        let at = GOOD.char_indices().map(|(i, _)| i).nth(at).unwrap_or(GOOD.len());
        let _ = Playbook::parse(&GOOD[..at]);
        let _ = Playbook::parse(&format!("{}{with}{}", &GOOD[..at], &GOOD[at..]));
    }
}
