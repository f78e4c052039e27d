//! The plan file: how it is read, and everything that is refused before anything runs.

use super::PlanError;
use crate::playbook::{grammar, hint, render};
use protocol::plan::{MOST_PARTS, MOST_RETRIES, OnFailure, PLAN_VERSION, Part, Plan};
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Largest plan, in bytes.
pub const LARGEST: usize = 256 * 1024;
/// Longest name of a plan or a part, in characters.
const LONGEST_NAME: usize = 48;

/// Reads and checks a plan file.
///
/// # Errors
/// [`PlanError`] with the line where the YAML parser knows it, else the part.
pub fn parse(yaml: &str) -> Result<Plan, PlanError> {
    if yaml.len() > LARGEST {
        return Err(PlanError::TooLarge(yaml.len()));
    }
    refuse_newer(yaml)?;
    let plan: Plan =
        grammar::yaml_1_2(yaml).map_err(|e| PlanError::Grammar(grammar::yaml_error(&e)))?;
    check(&plan)?;
    Ok(plan)
}

/// The version is looked at first, so that a newer file is called newer and not wrong.
fn refuse_newer(yaml: &str) -> Result<(), PlanError> {
    #[derive(Deserialize)]
    struct Peek {
        plan: Option<Value>,
    }
    let version = grammar::yaml_1_2::<Peek>(yaml)
        .ok()
        .and_then(|peek| peek.plan?.as_u64());
    match version {
        Some(version) if version > PLAN_VERSION => Err(PlanError::Version(version)),
        _ => Ok(()),
    }
}

/// Checks a plan, whoever made it.
///
/// # Errors
/// The first thing that cannot work.
pub fn check(plan: &Plan) -> Result<(), PlanError> {
    if plan.plan != PLAN_VERSION {
        return Err(PlanError::Version(plan.plan));
    }
    let bytes = serde_json::to_vec(plan).map_or(usize::MAX, |json| json.len());
    if bytes > LARGEST {
        return Err(PlanError::TooLarge(bytes));
    }
    match plan.tasks.len() {
        0 => return Err(PlanError::Empty),
        many if many > MOST_PARTS => return Err(PlanError::TooMany(many)),
        _ => {}
    }
    if !is_name(&plan.name, '-') {
        return Err(PlanError::Whole {
            place: "name",
            problem: format!(
                "`{}` is no name: use 1 to {LONGEST_NAME} of a-z, 0-9 and -, starting with a letter",
                plan.name.escape_debug()
            ),
        });
    }
    let mut known = BTreeSet::new();
    for part in &plan.tasks {
        if !known.insert(part.id.as_str()) {
            return Err(wrong(part, "is there twice: give each its own id"));
        }
    }
    for part in &plan.tasks {
        check_part(part, &known)?;
    }
    let before = order(plan)?;
    for part in &plan.tasks {
        let earlier = before.get(part.id.as_str()).cloned().unwrap_or_default();
        check_templates(part, &earlier)?;
    }
    check_gather(plan, &known)
}

fn wrong(part: &Part, problem: impl Into<String>) -> PlanError {
    PlanError::Part {
        part: part.id.escape_debug().to_string(),
        problem: problem.into(),
    }
}

fn is_name(text: &str, joiner: char) -> bool {
    (1..=LONGEST_NAME).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == joiner)
}

fn check_part(part: &Part, known: &BTreeSet<&str>) -> Result<(), PlanError> {
    if !is_name(&part.id, '_') {
        return Err(wrong(
            part,
            format!(
                "has no usable id: use 1 to {LONGEST_NAME} of a-z, 0-9 and _, starting with a letter"
            ),
        ));
    }
    match (&part.ask, &part.playbook) {
        (None, None) => return Err(wrong(part, "says nothing: give it `ask` or `playbook`")),
        (Some(_), Some(_)) => {
            return Err(wrong(part, "has both `ask` and `playbook`: keep one"));
        }
        (Some(ask), None) if ask.trim().is_empty() => {
            return Err(wrong(part, "has an empty `ask`: say what should be true"));
        }
        (Some(_), None) if !part.params.is_empty() => {
            return Err(wrong(
                part,
                "has `params` without a playbook: name one with `playbook`",
            ));
        }
        _ => {}
    }
    let mut seen = BTreeSet::new();
    for name in &part.after {
        if !known.contains(name.as_str()) {
            let near = hint(name, known.iter().copied());
            return Err(wrong(
                part,
                format!("comes after `{name}`, which is no task of the plan{near}"),
            ));
        }
        if !seen.insert(name) {
            return Err(wrong(
                part,
                format!("comes after `{name}` twice: say it once"),
            ));
        }
    }
    match part.retries {
        Some(_) if part.on_failure != OnFailure::Retry => Err(wrong(
            part,
            "has `retries` without `on_failure: retry`: add it, or leave `retries` out",
        )),
        Some(many) if !(1..=MOST_RETRIES).contains(&many) => Err(wrong(
            part,
            format!("has `retries: {many}`: use 1 to {MOST_RETRIES}"),
        )),
        _ => Ok(()),
    }
}

/// Every part with all that comes before it, directly or not.
fn order(plan: &Plan) -> Result<BTreeMap<&str, BTreeSet<&str>>, PlanError> {
    let mut before: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    while before.len() < plan.tasks.len() {
        let settled = before.len();
        for part in &plan.tasks {
            let ready = part.after.iter().all(|id| before.contains_key(id.as_str()));
            if ready && !before.contains_key(part.id.as_str()) {
                let mut all = BTreeSet::new();
                for id in &part.after {
                    all.insert(id.as_str());
                    all.extend(before.get(id.as_str()).into_iter().flatten());
                }
                before.insert(part.id.as_str(), all);
            }
        }
        if before.len() == settled {
            return Err(PlanError::Circle(circle(plan, &before)));
        }
    }
    Ok(before)
}

/// One circle among the parts that no order was found for, from a part back to itself.
fn circle(plan: &Plan, settled: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let open = |id: &str| !settled.contains_key(id);
    let mut way: Vec<&str> = Vec::new();
    let mut at = plan.tasks.iter().find(|part| open(&part.id));
    while let Some(part) = at {
        if let Some(start) = way.iter().position(|id| *id == part.id) {
            way.drain(..start);
            way.push(&part.id);
            break;
        }
        way.push(&part.id);
        let next = part.after.iter().find(|id| open(id));
        at = next.and_then(|id| plan.tasks.iter().find(|part| part.id == *id));
    }
    way.into_iter().map(str::to_owned).collect()
}

/// The fields of an earlier part that a template may speak of.
pub(super) const FIELDS: [&str; 7] = ["result", "line", "state", "task", "agent", "evidence", "id"];

fn check_templates(part: &Part, earlier: &BTreeSet<&str>) -> Result<(), PlanError> {
    let mut templates: Vec<&str> = part.ask.iter().map(String::as_str).collect();
    for value in part.params.values() {
        texts(value, &mut templates);
    }
    for template in templates {
        let names = render::names_in_template(template)
            .map_err(|e| wrong(part, format!("has a template that cannot be read: {e}")))?;
        for name in names {
            speaks_of(&name, |id| earlier.contains(id)).map_err(|problem| wrong(part, problem))?;
        }
    }
    Ok(())
}

fn check_gather(plan: &Plan, known: &BTreeSet<&str>) -> Result<(), PlanError> {
    let Some(gather) = &plan.gather else {
        return Ok(());
    };
    let whole = |problem: String| PlanError::Whole {
        place: "gather",
        problem,
    };
    let names = render::names_in_template(gather)
        .map_err(|e| whole(format!("is a template that cannot be read: {e}")))?;
    for name in names {
        if matches!(name.as_str(), "plan" | "plan.name" | "tasks" | "parts") {
            continue;
        }
        speaks_of(&name, |id| known.contains(id)).map_err(whole)?;
    }
    Ok(())
}

/// Whether a dotted name is `tasks.ID` or `tasks.ID.FIELD`.
fn speaks_of(name: &str, known: impl Fn(&str) -> bool) -> Result<(), String> {
    let mut words = name.split('.');
    let (first, id, field) = (words.next(), words.next(), words.next());
    match (first, id) {
        (Some("tasks"), Some(id)) if known(id) => match field {
            Some(field) if !FIELDS.contains(&field) => Err(format!(
                "speaks of `{name}`: of a task there are {}",
                FIELDS.join(", ")
            )),
            _ => Ok(()),
        },
        (Some("tasks"), Some(id)) => Err(format!(
            "speaks of `tasks.{id}`, which is not done by then: put `{id}` under its `after`"
        )),
        _ => Err(format!(
            "speaks of `{name}`, which is not known there: write tasks.ID.result"
        )),
    }
}

fn texts<'v>(value: &'v Value, into: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => into.push(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, into)),
        Value::Object(fields) => fields.values().for_each(|field| texts(field, into)),
        _ => {}
    }
}
