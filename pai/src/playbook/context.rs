//! What templates and checks see: the parameters by name and as `params`, and under `steps` the
//! data of every answer so far.

use super::grammar::Step;
use protocol::tool::{ToolAnswer, ToolCall};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The answers of a run by call id; the last one wins.
pub(super) struct Done<'d>(HashMap<&'d str, (&'d ToolCall, &'d ToolAnswer)>);

impl<'d> Done<'d> {
    /// Indexes what was done.
    pub(super) fn new(done: &'d [(ToolCall, ToolAnswer)]) -> Self {
        Self(
            done.iter()
                .map(|(call, answer)| (call.id.as_str(), (call, answer)))
                .collect(),
        )
    }

    /// A call that was answered.
    pub(super) fn get(&self, id: &str) -> Option<(&'d ToolCall, &'d ToolAnswer)> {
        self.0.get(id).copied()
    }
}

/// Id of a step's call, `step` or `step[2]`.
pub(super) fn call_id(step: &Step, index: Option<usize>) -> String {
    match index {
        None => step.id.clone(),
        Some(index) => format!("{}[{index}]", step.id),
    }
}

/// One answer as templates see it: its data's fields, and `ok`, `ran`, `text`. Data that is not
/// an object is under `data`. A `text` among the data is kept.
pub(super) fn answered(answer: &ToolAnswer) -> Value {
    let mut fields = match &answer.data {
        Value::Object(fields) => fields.clone(),
        Value::Null => Map::new(),
        other => Map::from_iter([("data".to_owned(), other.clone())]),
    };
    fields.insert("ok".to_owned(), Value::Bool(!answer.is_error));
    fields.insert("ran".to_owned(), Value::Bool(true));
    fields
        .entry("text")
        .or_insert_with(|| Value::String(answer.text.clone()));
    Value::Object(fields)
}

/// A step that was left out.
pub(super) fn left_out() -> Value {
    json!({"ok": false, "ran": false, "text": ""})
}

/// A `foreach` step: its answers in `items`, and `ok` when all of them are.
pub(super) fn many(answers: &[&ToolAnswer]) -> Value {
    let items: Vec<Value> = answers.iter().map(|answer| answered(answer)).collect();
    let text: Vec<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
    json!({
        "ok": answers.iter().all(|answer| !answer.is_error),
        "ran": true,
        "text": text.join("\n"),
        "count": items.len(),
        "items": items,
    })
}

/// The whole context.
pub(super) fn context(params: &Map<String, Value>, steps: Map<String, Value>) -> Value {
    let mut fields = params.clone();
    fields.insert("params".to_owned(), Value::Object(params.clone()));
    fields.insert("steps".to_owned(), Value::Object(steps));
    Value::Object(fields)
}

/// A context with `item` and `index` for one round of a `foreach`.
pub(super) fn with_item(context: &Value, item: &Value, index: usize) -> Value {
    let mut fields = match context {
        Value::Object(fields) => fields.clone(),
        _ => Map::new(),
    };
    fields.insert("item".to_owned(), item.clone());
    fields.insert("index".to_owned(), Value::from(index));
    Value::Object(fields)
}
