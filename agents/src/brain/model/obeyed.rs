//! What the workspace says to agents (AGENTS.md, CLAUDE.md): told to the model where a person trusts exactly
//! this content, and not otherwise. Decided once, before the work, and kept in the journal: what an
//! agent writes into such a file is not obeyed by the next holder.

use crate::context::Trusted;
use crate::record::Record;
use crate::stop::Stop;
use crate::workbench::Workbench;
use protocol::journal::EntryKind;
use protocol::tool::ToolCall;
use serde_json::json;

/// The step that holds what was decided.
const STEP: &str = "observe/trusted";

/// The words that are obeyed.
pub(super) async fn trusted(
    bench: &mut Workbench,
    record: &mut Record,
) -> Result<Vec<Trusted>, Stop> {
    if let Some(decided) = bench.steps.recorded(STEP)? {
        return Ok(decided);
    }
    let Some(workspace) = bench.task.workspace.clone() else {
        return Ok(Vec::new());
    };
    let call = ToolCall {
        id: "observe-AgentFiles".to_owned(),
        name: "AgentFiles".to_owned(),
        input: json!({}),
    };
    let answer = bench
        .call(record, "observe/AgentFiles", &call, None)
        .await?;
    let said = answer.data["instructions"].clone();
    let said: Vec<Trusted> = serde_json::from_value(said).unwrap_or_default();
    if said.is_empty() {
        return Ok(said);
    }
    let digest = answer.data["digest"].as_str().unwrap_or_default();
    let path = workspace.to_string_lossy();
    let decided = match bench.toolbox.witness.trusts(&path, digest).await {
        true => said,
        false => Vec::new(),
    };
    bench
        .steps
        .record(STEP, EntryKind::Result, &decided)
        .await?;
    if decided.is_empty() {
        let note = format!(
            "what {path} says to agents is not obeyed until you trust it: ai-infra workspace trust {path}"
        );
        bench.note(note).await?;
    }
    Ok(decided)
}
