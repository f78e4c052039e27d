//! What a playbook that reads well must still satisfy to work: names, tools and levels, and
//! templates that only speak of what exists by then.

use super::grammar::{self, OnError, Playbook, Step};
use super::params::{ParamSpec, ParamType};
use super::{hint, render, tools};
use protocol::criterion::{Check, Criterion};
use protocol::tool::TEAM_TOOLS;
use serde_json::Value;
use std::collections::BTreeSet;

/// Names a parameter may not have, for templates use them.
const RESERVED: &[&str] = &[
    "params",
    "steps",
    "task",
    "item",
    "index",
    "result",
    "loop",
    "true",
    "false",
    "none",
    "namespace",
    "range",
    "dict",
];

/// Checks a whole playbook.
///
/// # Errors
/// A sentence that names the step, criterion or key.
pub fn check(playbook: &Playbook) -> Result<(), String> {
    match problems(playbook).into_iter().next() {
        Some((_, problem)) => Err(problem),
        None => Ok(()),
    }
}

/// Everything that keeps a playbook from working: where, as a path such as `steps[1]`, and a sentence.
pub fn problems(playbook: &Playbook) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut note = |path: String, result: Result<(), String>| {
        found.extend(result.err().map(|problem| (path, problem)));
    };
    if !is_name(&playbook.name, '-') {
        let problem = "`name` takes 1 to 48 of a-z, 0-9 and -, starting with a letter";
        note("name".to_owned(), Err(problem.to_owned()));
    }
    if playbook.intents.is_empty() || playbook.steps.is_empty() || playbook.criteria.is_empty() {
        let problem = "it needs at least one intent, one step and one criterion";
        note(String::new(), Err(problem.to_owned()));
    }
    if playbook.steps.len() > grammar::MOST_STEPS {
        let problem = format!(
            "it has {} steps: use at most {}",
            playbook.steps.len(),
            grammar::MOST_STEPS
        );
        note("steps".to_owned(), Err(problem));
    }
    params(playbook, &mut note);
    let mut known = BTreeSet::new();
    for (number, step) in playbook.steps.iter().enumerate() {
        let path = format!("steps[{number}]");
        let checked = check_step(playbook, step, &known)
            .map_err(|problem| format!("step {}: {problem}", step.id));
        note(path.clone(), checked);
        if !known.insert(step.id.as_str()) {
            note(path, Err(format!("two steps are called {}", step.id)));
        }
    }
    let mut ids = BTreeSet::new();
    for (number, criterion) in playbook.criteria.iter().enumerate() {
        let path = format!("criteria[{number}]");
        let checked = check_criterion(playbook, criterion, &known)
            .map_err(|problem| format!("criterion {}: {problem}", criterion.id));
        note(path.clone(), checked);
        if !ids.insert(criterion.id.as_str()) {
            note(
                path,
                Err(format!("two criteria are called {}", criterion.id)),
            );
        }
    }
    let scope = Scope {
        playbook,
        steps: &known,
        extra: &[],
    };
    let report = scope.template(&playbook.report);
    note(
        "report".to_owned(),
        report.map_err(|problem| format!("report: {problem}")),
    );
    found
}

/// Names that steps, criteria and report speak of: parameters, and `steps.ID`.
pub fn names_used(playbook: &Playbook) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut take = |names: Result<BTreeSet<String>, render::RenderError>| {
        for name in names.unwrap_or_default() {
            let mut parts = name.split('.');
            match (parts.next(), parts.next()) {
                (Some("steps"), Some(step)) => used.insert(format!("steps.{step}")),
                (Some("params"), Some(param)) => used.insert(param.to_owned()),
                (Some(root), _) => used.insert(root.to_owned()),
                (None, _) => false,
            };
        }
    };
    let mut values: Vec<Value> = Vec::new();
    for step in &playbook.steps {
        for expression in step.when.iter().chain(match &step.foreach {
            Some(Value::String(expression)) => Some(expression),
            _ => None,
        }) {
            take(render::names_in_expression(expression));
        }
        values.extend(step.foreach.clone());
        values.push(step.args.clone());
        values.extend(step.undo.as_ref().map(|undo| undo.args.clone()));
    }
    for criterion in &playbook.criteria {
        take(render::names_in_template(&criterion.text));
        if let Check::Tool { expect, .. } = &criterion.check {
            take(render::names_in_expression(expect));
        }
        values.extend(serde_json::to_value(&criterion.check).ok());
    }
    take(render::names_in_template(&playbook.report));
    let mut texts = Vec::new();
    values.iter().for_each(|value| strings(value, &mut texts));
    for text in texts {
        take(render::names_in_template(text));
    }
    used
}

fn strings<'v>(value: &'v Value, found: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => found.push(text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, found)),
        Value::Object(fields) => fields.values().for_each(|field| strings(field, found)),
        _ => {}
    }
}

fn is_name(text: &str, joiner: char) -> bool {
    (1..=48).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joiner)
}

fn params(playbook: &Playbook, note: &mut dyn FnMut(String, Result<(), String>)) {
    for (name, spec) in &playbook.params {
        let path = format!("params.{name}");
        if !is_name(name, '_') || RESERVED.contains(&name.as_str()) {
            let problem = format!(
                "parameter `{name}`: use a-z, 0-9 and _, starting with a letter, and none of {}",
                RESERVED.join(", ")
            );
            note(path.clone(), Err(problem));
        }
        let checked = param(spec).map_err(|problem| format!("parameter `{name}`: {problem}"));
        note(path, checked);
    }
    for (number, intent) in playbook.intents.iter().enumerate() {
        for name in intent.params() {
            if !playbook.params.contains_key(&name) {
                let near = hint(&name, playbook.params.keys().map(String::as_str));
                let problem = format!(
                    "intent `{}` speaks of `{{{name}}}`, which is no parameter{near}",
                    intent.text
                );
                note(format!("intents[{number}]"), Err(problem));
            }
        }
    }
    for (number, test) in playbook.tests.iter().enumerate() {
        for name in test.params.keys() {
            if !playbook.params.contains_key(name) {
                let problem = format!("test `{}` gives `{name}`, which is no parameter", test.ask);
                note(format!("tests[{number}]"), Err(problem));
            }
        }
    }
}

fn param(spec: &ParamSpec) -> Result<(), String> {
    if (spec.kind == ParamType::Choice) == spec.choices.is_empty() {
        return Err("`choices` goes with `type: choice`, and only there".to_owned());
    }
    if spec.kind != ParamType::Int && (spec.min.is_some() || spec.max.is_some()) {
        return Err("`min` and `max` go with `type: int`".to_owned());
    }
    let named = matches!(spec.kind, ParamType::File | ParamType::Table);
    if !named && !spec.extensions.is_empty() {
        return Err("`extensions` goes with `type: file` or `type: table`".to_owned());
    }
    if spec.required && spec.default.is_some() {
        return Err("it is required and has a default: keep one of them".to_owned());
    }
    match &spec.default {
        Some(value) => spec
            .check(value)
            .map(drop)
            .map_err(|problem| format!("its default {problem}")),
        None => Ok(()),
    }
}

fn check_step(playbook: &Playbook, step: &Step, known: &BTreeSet<&str>) -> Result<(), String> {
    if !is_name(&step.id, '_') {
        return Err("its id takes a-z, 0-9 and _, starting with a letter".to_owned());
    }
    tool(playbook, &step.tool)?;
    if let Some(timeout) = &step.timeout {
        grammar::duration(timeout)?;
    }
    let before = Scope {
        playbook,
        steps: known,
        extra: &[],
    };
    if let Some(when) = &step.when {
        before.expression(when)?;
    }
    match &step.foreach {
        None => {}
        Some(Value::String(expression)) => before.expression(expression)?,
        Some(list @ Value::Array(items)) if items.len() <= grammar::MOST_ITEMS => {
            before.value(list)?
        }
        Some(_) => {
            return Err(format!(
                "`foreach` takes an expression or a list of at most {}",
                grammar::MOST_ITEMS
            ));
        }
    }
    let extra: &[&str] = if step.foreach.is_some() {
        &["item", "index"]
    } else {
        &[]
    };
    arguments(&step.args)?;
    Scope {
        playbook,
        steps: known,
        extra,
    }
    .value(&step.args)?;
    if step.on_error == OnError::Undo && step.undo.is_none() {
        return Err("`on_error: undo` needs an `undo`".to_owned());
    }
    if let Some(undo) = &step.undo {
        tool(playbook, &undo.tool)?;
        arguments(&undo.args)?;
        let mut after = known.clone();
        after.insert(&step.id);
        Scope {
            playbook,
            steps: &after,
            extra,
        }
        .value(&undo.args)?;
    }
    Ok(())
}

fn arguments(args: &Value) -> Result<(), String> {
    match args {
        Value::Null | Value::Object(_) => Ok(()),
        _ => Err("`args` takes a mapping of names to values".to_owned()),
    }
}

fn tool(playbook: &Playbook, name: &str) -> Result<(), String> {
    let Some(facts) = tools::find(name) else {
        return Err(format!(
            "there is no tool `{name}`{}",
            hint(name, tools::TOOLS.iter().map(|t| t.name))
        ));
    };
    if facts.level > playbook.level {
        return Err(format!(
            "{name} needs level {}, the playbook's ceiling is {}",
            facts.level, playbook.level
        ));
    }
    Ok(())
}

fn check_criterion(
    playbook: &Playbook,
    criterion: &Criterion,
    steps: &BTreeSet<&str>,
) -> Result<(), String> {
    if !is_name(&criterion.id, '_') || criterion.text.trim().is_empty() {
        return Err("it needs an id of a-z, 0-9 and _, and a text".to_owned());
    }
    let scope = Scope {
        playbook,
        steps,
        extra: &[],
    };
    scope.template(&criterion.text)?;
    match &criterion.check {
        Check::Command { argv, expect, .. } => {
            if argv.is_empty() {
                return Err("`argv` is empty: give the program and its arguments".to_owned());
            }
            argv.iter().try_for_each(|arg| scope.template(arg))?;
            expect
                .stdout_contains
                .iter()
                .try_for_each(|text| scope.template(text))
        }
        Check::File {
            path,
            contains,
            lacks,
            sha256,
            ..
        } => {
            scope.template(path)?;
            [contains, lacks, sha256]
                .into_iter()
                .flatten()
                .try_for_each(|text| scope.template(text))
        }
        Check::Tool {
            name,
            input,
            expect,
        } => {
            let facts = tools::find(name).ok_or_else(|| {
                format!(
                    "there is no tool `{name}`{}",
                    hint(name, tools::TOOLS.iter().map(|t| t.name))
                )
            })?;
            if TEAM_TOOLS.contains(&name.as_str()) {
                return Err(format!(
                    "{name} is for the team: a check only looks; use a `command` check"
                ));
            }
            if facts.writes {
                return Err(format!(
                    "{name} may change the workspace: a check only looks; use a `command` check"
                ));
            }
            tool(playbook, name)?;
            arguments(input)?;
            scope.value(input)?;
            Scope {
                playbook,
                steps,
                extra: &["result"],
            }
            .judging(expect)
        }
    }
}

/// What a template may speak of.
struct Scope<'a> {
    playbook: &'a Playbook,
    steps: &'a BTreeSet<&'a str>,
    extra: &'a [&'a str],
}

impl Scope<'_> {
    fn template(&self, text: &str) -> Result<(), String> {
        let names = render::names_in_template(text).map_err(|e| e.to_string())?;
        self.names(&names)
    }

    fn expression(&self, text: &str) -> Result<(), String> {
        let names = render::names_in_expression(text).map_err(|e| e.to_string())?;
        self.names(&names)
    }

    /// An expression that must look at the fresh answer, else it proves nothing.
    fn judging(&self, text: &str) -> Result<(), String> {
        self.expression(text)?;
        let names = render::names_in_expression(text).map_err(|e| e.to_string())?;
        if names
            .iter()
            .any(|name| name.split('.').next() == Some("result"))
        {
            Ok(())
        } else {
            Err(
                "`expect` does not look at `result`, the fresh answer, so it would prove nothing"
                    .to_owned(),
            )
        }
    }

    fn value(&self, value: &Value) -> Result<(), String> {
        match value {
            Value::String(text) => self.template(text),
            Value::Array(items) => items.iter().try_for_each(|item| self.value(item)),
            Value::Object(fields) => fields.values().try_for_each(|field| self.value(field)),
            _ => Ok(()),
        }
    }

    fn names(&self, names: &BTreeSet<String>) -> Result<(), String> {
        names.iter().try_for_each(|name| self.name(name))
    }

    fn name(&self, dotted: &str) -> Result<(), String> {
        let mut parts = dotted.split('.');
        let root = parts.next().unwrap_or_default();
        let second = parts.next();
        let params = || self.playbook.params.keys().map(String::as_str);
        match (root, second) {
            ("steps", Some(step)) if !self.steps.contains(step) => Err(format!(
                "`{dotted}` speaks of a step that has not run by then{}",
                hint(step, self.steps.iter().copied())
            )),
            ("params", Some(name)) if !self.playbook.params.contains_key(name) => Err(format!(
                "`{dotted}`: there is no parameter `{name}`{}",
                hint(name, params())
            )),
            ("steps" | "params" | "range" | "dict" | "namespace", _) => Ok(()),
            _ if self.playbook.params.contains_key(root) || self.extra.contains(&root) => Ok(()),
            _ => Err(format!(
                "`{root}` is not known there: templates know params, steps{}{}",
                self.extra
                    .iter()
                    .map(|e| format!(", {e}"))
                    .collect::<String>(),
                hint(root, params())
            )),
        }
    }
}
