//! Calls that reach no executor: what they do is done by the team. They go through the journal like
//! any other call, so that a later holder takes their answer from there.

use crate::ask_person;
use crate::call_line::{line, refusal};
use crate::peer;
use crate::record::Record;
use crate::stop::{self, Stop};
use crate::workbench::Workbench;
use protocol::ids::Role;
use protocol::journal::EntryKind;
use protocol::report::{HandOff, Progress};
use protocol::tool::{TALK, TEAM_TOOLS, ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::json;

/// Longest note that goes with a task, in bytes: it travels in one journal entry.
const NOTE_BYTES: usize = 1500;

/// Whether a call is one of these.
pub fn is(call: &ToolCall) -> bool {
    TEAM_TOOLS.contains(&call.name.as_str())
}

/// Makes such a call, or takes its recorded answer.
pub async fn make(
    bench: &mut Workbench,
    record: &mut Record,
    step: &str,
    call: &ToolCall,
) -> Result<ToolAnswer, Stop> {
    if let Some(answer) = bench.steps.recorded::<ToolAnswer>(step)? {
        peer::paid(record, &answer);
        record.called(line(record, call, &answer, &bench.toolbox.redactor));
        return Ok(answer);
    }
    stop::check(&bench.toolbox.watch)?;
    let grant = &bench.toolbox.grant;
    let granted = grant.tools.is_empty()
        || grant.tools.contains(&call.name)
        || TALK.contains(&call.name.as_str());
    let answer = match call.name.as_str() {
        _ if !granted => refusal(
            call,
            &format!("refused: {} is not among this agent's tools", call.name),
        ),
        peer::TOOL => {
            let doing = record.screen.doing("waits for the answer of another agent");
            let answer = peer::ask(bench, step, call).await?;
            drop(doing);
            answer
        }
        "AskUserQuestion" => ask_person::ask(bench, step, call).await?,
        _ => hand_off(bench, step, call).await?,
    };
    let line = line(record, call, &answer, &bench.toolbox.redactor);
    let mut told = vec![bench.outbox.word(&Progress::Call { line: line.clone() })?];
    if let Some(spent) = peer::told(step, &answer) {
        told.push(bench.outbox.word(&spent)?);
    }
    let Workbench { steps, .. } = bench;
    steps
        .record_and_tell(step, EntryKind::Result, &answer, &told)
        .await?;
    peer::paid(record, &answer);
    record.called(line);
    Ok(answer)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    to: Role,
    note: String,
}

/// Asks for the task to be handed on. The wish is journaled and the task parked with it; its answer
/// is written by whoever moves the task, so nothing comes back here.
async fn hand_off(bench: &mut Workbench, step: &str, call: &ToolCall) -> Result<ToolAnswer, Stop> {
    let wish: Wish = match serde_json::from_value(call.input.clone()) {
        Ok(wish) => wish,
        Err(error) => {
            let text = format!("HandOff takes `to`, a role, and `note`, a text: {error}");
            return Ok(refusal(call, &text));
        }
    };
    if wish.note.trim().is_empty() || wish.note.len() > NOTE_BYTES {
        let text = format!("the note needs 1 to {NOTE_BYTES} bytes: say what is left to be done");
        return Ok(refusal(call, &text));
    }
    if bench.steps.interrupted(step)?.is_none() {
        let asked = json!({"hand_off": {"to": wish.to}});
        bench.steps.intent(step, EntryKind::Intent, asked).await?;
    }
    Err(Stop::HandOff(Box::new(HandOff {
        to: wish.to,
        note: bench.toolbox.redactor.text(&wish.note),
        step: step.to_owned(),
        call: call.id.clone(),
    })))
}
