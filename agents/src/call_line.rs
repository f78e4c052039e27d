//! What is told of a call: to the person who looks, to the supervisor, in the report, and to whoever
//! asked for it where no sandbox answered. Pure.

use crate::record::Record;
use guard::redact::Redactor;
use protocol::report::CallLine;
use protocol::text::cut;
use protocol::tool::{ToolAnswer, ToolCall};
use serde_json::Value;

/// A call that was made, as it is told.
pub(crate) fn line(
    record: &Record,
    call: &ToolCall,
    answer: &ToolAnswer,
    redactor: &Redactor,
) -> CallLine {
    CallLine {
        phase: record.phase(),
        tool: call.name.clone(),
        summary: summary(call, redactor),
        took_ms: answer.took_ms,
        is_error: answer.is_error,
    }
}

/// One line about a call: its main argument without secrets, then cut to 120 characters, control characters out.
pub fn summary(call: &ToolCall, redactor: &Redactor) -> String {
    let input = &call.input;
    let text = ["command", "file_path", "pattern", "suite", "question"]
        .iter()
        .find_map(|key| input[*key].as_str().map(str::to_owned))
        .or_else(|| {
            let argv = input["argv"].as_array()?;
            let words: Vec<&str> = argv.iter().filter_map(Value::as_str).collect();
            Some(words.join(" "))
        })
        .unwrap_or_default();
    cut(&redactor.text(&text), 120).replace(char::is_control, " ")
}

/// The answer of a call whose effect is there, by the world's word or a person's.
pub(crate) fn done(call: &ToolCall, text: String) -> ToolAnswer {
    ToolAnswer {
        id: call.id.clone(),
        is_error: false,
        text,
        data: Value::Null,
        took_ms: 0,
    }
}

/// An answer that says why nothing was done.
pub(crate) fn refusal(call: &ToolCall, text: &str) -> ToolAnswer {
    ToolAnswer {
        id: call.id.clone(),
        is_error: true,
        text: text.to_owned(),
        data: Value::Null,
        took_ms: 0,
    }
}
