//! What earlier parts gave, put into later ones: templates over `tasks.ID`, of bounded size.

use super::PlanError;
use crate::playbook::render::{self, RenderError};
use protocol::ids::{Role, ShortId};
use protocol::plan::{Part, PartState};
use serde_json::{Map, Value, json};

/// Most of one part's result that a later part sees, in bytes.
pub const RESULT_BYTES: usize = 8 * 1024;
/// Longest `tasks.ID.line`, in characters.
const LINE: usize = 300;

/// What a part came to, as far as later parts and the report need it.
#[derive(Debug, Clone, PartialEq)]
pub struct Came {
    /// The part's name.
    pub id: String,
    /// Where it stands.
    pub state: PartState,
    /// Why it failed or was left out.
    pub reason: Option<String>,
    /// Its newest task.
    pub task: Option<ShortId>,
    /// Who worked on it.
    pub agent: Option<Role>,
    /// That task's report.
    pub result: String,
    /// How many of its criteria were proven, and of how many.
    pub proven: (u64, u64),
}

impl Came {
    /// The first line of its result that says something.
    pub fn line(&self) -> String {
        let line = self.result.lines().map(str::trim).find(|l| !l.is_empty());
        line.unwrap_or_default().chars().take(LINE).collect()
    }
}

/// What templates see: `plan.name`, `tasks` by name, and for the report `parts` in their order.
pub fn context(name: &str, parts: &[Came]) -> Value {
    let mut tasks = Map::new();
    let mut list = Vec::new();
    for part in parts {
        let fields = json!({
            "id": part.id,
            "result": cut(&part.result, RESULT_BYTES),
            "line": part.line(),
            "state": part.state.as_str(),
            "task": part.task.map(|id| id.to_string()),
            "agent": part.agent.as_ref().map(Role::as_str),
            "evidence": part.proven.0,
        });
        list.push(fields.clone());
        tasks.insert(part.id.clone(), fields);
    }
    json!({"plan": {"name": name}, "tasks": tasks, "parts": list})
}

/// A part with its templates filled. One without templates is as it was.
///
/// # Errors
/// [`PlanError::Render`] when a template cannot be filled.
pub fn fill(part: &Part, context: &Value) -> Result<Part, PlanError> {
    let mut filled = part.clone();
    if let Some(ask) = &part.ask {
        filled.ask = Some(render::render(ask, context)?);
    }
    for value in filled.params.values_mut() {
        *value = inside(value, context)?;
    }
    Ok(filled)
}

/// Whether the part speaks of earlier ones, so that it is not known before they are done.
pub fn has_templates(part: &Part) -> bool {
    fn any(value: &Value) -> bool {
        match value {
            Value::String(text) => is_template(text),
            Value::Array(items) => items.iter().any(any),
            Value::Object(fields) => fields.values().any(any),
            _ => false,
        }
    }
    part.ask.as_deref().is_some_and(is_template) || part.params.values().any(any)
}

fn is_template(text: &str) -> bool {
    text.contains("{{") || text.contains("{%") || text.contains("{#")
}

fn inside(value: &Value, context: &Value) -> Result<Value, RenderError> {
    Ok(match value {
        Value::String(text) => Value::String(render::render(text, context)?),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .map(|item| inside(item, context))
                .collect::<Result<_, _>>()?,
        ),
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(name, field)| Ok((name.clone(), inside(field, context)?)))
                .collect::<Result<_, RenderError>>()?,
        ),
        other => other.clone(),
    })
}

/// The start of a text, at a character, with a mark where it was cut.
pub(super) fn cut(text: &str, bytes: usize) -> String {
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{} … (cut)", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn came(result: &str) -> Came {
        Came {
            id: "a".to_owned(),
            state: PartState::Done,
            reason: None,
            task: Some(ShortId(4)),
            agent: "qa".parse().ok(),
            result: result.to_owned(),
            proven: (2, 3),
        }
    }

    fn check(ask: &str, result: &str, expected: &str) {
        let part = Part {
            id: "b".to_owned(),
            ask: Some(ask.to_owned()),
            playbook: None,
            params: Map::new(),
            agent: None,
            after: vec!["a".to_owned()],
            on_failure: Default::default(),
            retries: None,
        };
        let filled = fill(&part, &context("p", &[came(result)])).map(|p| p.ask.unwrap());
        assert_eq!(filled.unwrap_or_else(|e| e.to_string()), expected, "{ask}");
    }

    #[test]
    fn templates_see_what_came_before() {
        check("plain", "", "plain");
        check(
            "on: {{ tasks.a.line }}",
            "\n\n all pass \nmore",
            "on: all pass",
        );
        check(
            "{{ tasks.a.task }} {{ tasks.a.state }} {{ tasks.a.agent }} {{ tasks.a.evidence }}",
            "",
            "t4 done qa 2",
        );
        // What a part gave is text, never a template again.
        check("{{ tasks.a.result }}", "{{ tasks.b }}", "{{ tasks.b }}");
        let long = "ä".repeat(RESULT_BYTES);
        let kept = format!("{} … (cut)", "ä".repeat(RESULT_BYTES / 2));
        check("{{ tasks.a.result }}", &long, &kept);
    }
}
