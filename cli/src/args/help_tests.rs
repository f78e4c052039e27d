//! Every help text, read aloud: each command and flag says what it is, in lines that fit, and what
//! people use most shows how.

#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;
use clap::CommandFactory;

/// Commands whose help must show examples.
const WITH_EXAMPLES: [&str; 9] = [
    "ledger", "run", "task", "secret", "memory", "config", "playbook", "schedule", "backup",
];

fn walk(command: &mut clap::Command, path: &str, wrong: &mut Vec<String>) {
    let name = format!("{path} {}", command.get_name()).trim().to_owned();
    if command.get_about().is_none() {
        wrong.push(format!("{name}: says nothing about itself"));
    }
    for argument in command.get_arguments().filter(|a| !a.is_hide_set()) {
        if argument.get_help().is_none() {
            wrong.push(format!("{name}: `{}` is not described", argument.get_id()));
        }
    }
    let help = command
        .clone()
        .term_width(100)
        .render_long_help()
        .to_string();
    for line in help.lines().filter(|line| line.chars().count() > 100) {
        wrong.push(format!("{name}: too long a line: {line}"));
    }
    for line in help
        .lines()
        .filter(|line| line.trim_end() != *line && !line.trim().is_empty())
    {
        wrong.push(format!("{name}: ends in white space: {line}"));
    }
    let main = path == "ai-infra" && WITH_EXAMPLES.contains(&command.get_name());
    if main && !help.contains("\n  ai-infra ") {
        wrong.push(format!("{name}: shows no example"));
    }
    let inner: Vec<&mut clap::Command> = command.get_subcommands_mut().collect();
    for command in inner {
        if command.get_name() != "help" && !command.is_hide_set() {
            walk(command, &name, wrong);
        }
    }
}

#[test]
fn every_help_text_says_what_it_is() {
    let mut command = Args::command();
    command.build();
    let mut wrong = Vec::new();
    walk(&mut command, "", &mut wrong);
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each example that a help text shows is understood.
#[test]
fn every_example_is_a_command() {
    let mut command = Args::command();
    command.build();
    let mut lines = Vec::new();
    gather(&mut command, &mut lines);
    assert!(lines.len() >= 20, "{lines:#?}");
    for line in lines {
        let words = words(&line);
        assert!(Args::try_parse_from(&words).is_ok(), "{line}: {words:?}");
    }
}

fn gather(command: &mut clap::Command, lines: &mut Vec<String>) {
    let after = command.get_after_help().map(ToString::to_string);
    for line in after.unwrap_or_default().lines() {
        let line = line.trim().split("   ").next().unwrap_or_default();
        let line = line.split(['<', '>']).next().unwrap_or_default().trim_end();
        if line.starts_with("ai-infra ") && !line.contains('…') {
            lines.push(line.to_owned());
        }
    }
    for inner in command.get_subcommands_mut() {
        gather(inner, lines);
    }
}

/// Words of a line, quotes around what belongs together.
fn words(line: &str) -> Vec<String> {
    let quoted = line
        .split('"')
        .enumerate()
        .flat_map(|(at, piece)| match at % 2 {
            1 => vec![piece.to_owned()],
            _ => piece.split_whitespace().map(str::to_owned).collect(),
        });
    quoted.collect()
}

#[test]
fn what_is_nearly_right_is_named() {
    for (line, near) in [
        ("statsu", "status"),
        ("tsk list", "task"),
        ("task lst", "list"),
        ("run x --agnet qa", "--agent"),
        ("memory serch x", "search"),
        ("run x --effort huge", "standard"),
    ] {
        let words = std::iter::once("ai-infra").chain(line.split_whitespace());
        let said = Args::try_parse_from(words).unwrap_err().to_string();
        assert!(said.contains(near), "{line}: {said}");
    }
}
