//! The guide for people says what is so: its examples are right, and it names every tool, filter and
//! type.

#![allow(clippy::unwrap_used)]
use super::super::shipped_tests;
use super::{Finding, lint};
use crate::playbook::tools;

const GUIDE: &str = include_str!("../../../../docs/playbooks.md");
const FILTERS: &str = include_str!("../filters.rs");

#[test]
fn every_example_of_the_guide_is_right() {
    let all = shipped_tests::all();
    let examples: Vec<&str> = GUIDE
        .split("```yaml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(examples.len(), 2);
    for example in examples {
        let found: Vec<Finding> = lint(example, &all);
        assert_eq!(found, [], "{example}");
    }
}

#[test]
fn the_guide_names_everything_there_is() {
    for tool in tools::TOOLS {
        assert!(GUIDE.contains(&format!("`{}`", tool.name)), "{}", tool.name);
    }
    let filters = FILTERS.lines().filter_map(|line| {
        let rest = line
            .trim()
            .strip_prefix("environment.add_")?
            .split_once("(\"")?
            .1;
        rest.split('"').next()
    });
    let named: Vec<&str> = filters.collect();
    assert!(named.len() > 8, "{named:?}");
    for filter in named {
        let there = [format!("`{filter}"), format!("`is {filter}")];
        assert!(there.iter().any(|f| GUIDE.contains(f)), "{filter}");
    }
    for kind in [
        "text", "int", "bool", "path", "file", "place", "table", "columns", "unit", "command",
        "address", "hosts", "choice",
    ] {
        assert!(GUIDE.contains(&format!("| `{kind}` |")), "{kind}");
    }
}
