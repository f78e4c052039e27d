//! Criteria that cannot fail prove nothing. An expression is tried in made-up worlds: one that holds in
//! each of them holds whatever is measured.

use super::{Report, samples};
use crate::playbook::grammar::Playbook;
use crate::playbook::render;
use protocol::criterion::Check;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// Commands that end well whatever they are given.
const ALWAYS: [&str; 5] = ["true", ":", "echo", "printf", "sleep"];

/// Looks at every criterion.
pub(super) fn criteria(playbook: &Playbook, report: &mut Report<'_>) {
    for (number, criterion) in playbook.criteria.iter().enumerate() {
        let path = format!("criteria[{number}]");
        match &criterion.check {
            Check::Tool { expect, .. } if always(playbook, expect) => {
                let problem = format!(
                    "criterion `{}` cannot fail: `{}` holds whatever is measured",
                    criterion.id,
                    short(expect)
                );
                report.wrong_at(&path, problem);
            }
            Check::Command { argv, expect, .. }
                if expect.exit == 0
                    && argv.first().is_some_and(|a| ALWAYS.contains(&a.as_str())) =>
            {
                let problem = format!(
                    "criterion `{}` cannot fail: {} always ends well",
                    criterion.id,
                    argv.first().map_or("it", String::as_str)
                );
                report.wrong_at(&path, problem);
            }
            Check::File {
                contains: Some(text),
                ..
            } if text.is_empty() => {
                report.wrong_at(
                    &path,
                    format!(
                        "criterion `{}` cannot fail: every file contains an empty text",
                        criterion.id
                    ),
                );
            }
            _ => {}
        }
    }
}

fn short(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars().take(80).collect()
}

/// What a fresh answer and an earlier one may be, in pairs that differ.
fn worlds() -> [(Value, Value); 12] {
    [
        (json!(1), json!(2)),
        (json!(2), json!(1)),
        (json!(-1), json!(-2)),
        (json!("a"), json!("b")),
        (json!([]), json!([1])),
        (json!([{"name": "x"}]), json!([])),
        (json!(false), json!(true)),
        (json!({}), json!({"a": 1})),
        (json!({"a": 1}), json!({"a": 2})),
        (json!(1), json!(1_000_000)),
        (json!([1, 1, 1]), json!([1_000_000, 1_000_000, 1_000_000])),
        (
            json!([{"name": "x", "processes": 1, "settled_s": 99, "memory": 1, "users": ["a"]}]),
            json!([{"name": "x", "processes": 9, "settled_s": 99, "memory": 9, "users": ["b"]}]),
        ),
    ]
}

/// Whether an expression holds in every world in which it can be judged, and in one at least.
fn always(playbook: &Playbook, expect: &str) -> bool {
    let Ok(names) = render::names_in_expression(expect) else {
        return false;
    };
    let mut held = 0;
    for (fresh, earlier) in worlds() {
        let result = made("result", &names, &fresh);
        let mut ctx = Map::new();
        for (name, spec) in &playbook.params {
            ctx.insert(name.clone(), samples::json(spec));
        }
        ctx.insert("params".to_owned(), Value::Object(ctx.clone()));
        ctx.insert("steps".to_owned(), made("steps", &names, &earlier));
        match render::tool_check_holds(expect, &Value::Object(ctx), &result) {
            Ok(true) => held += 1,
            Ok(false) => return false,
            Err(_) => {}
        }
    }
    held > 0
}

/// A value in which every dotted name of a root is there.
fn made(root: &str, names: &BTreeSet<String>, leaf: &Value) -> Value {
    let mut value = json!({});
    let mut whole = true;
    for name in names
        .iter()
        .filter_map(|name| name.strip_prefix(root)?.strip_prefix('.'))
    {
        whole = false;
        let mut here = &mut value;
        for part in name.split('.') {
            if !here.is_object() {
                *here = json!({});
            }
            here = &mut here[part];
        }
        *here = leaf.clone();
    }
    if whole { leaf.clone() } else { value }
}
