//! A person says how good a result was. It is kept with the task; words said with it are kept as a
//! memory of its project too, so that the next task of the kind is told.

use crate::control::verbs::VerbError;
use crate::desk::Desk;
use crate::ledger::store::LedgerError;
use jiff::Timestamp;
use protocol::ids::TaskRef;
use protocol::memory::NewMemory;
use protocol::rating::{self, BEST};
use protocol::task::{Principal, Task};

/// Rates an ended task; answers with a sentence.
///
/// # Errors
/// When there is no such task, it has not ended, or the rating is none.
pub async fn rate(
    desk: &Desk,
    who: &Principal,
    task: TaskRef,
    number: u8,
    remark: Option<String>,
) -> Result<String, VerbError> {
    let remark = remark.filter(|words| !words.trim().is_empty());
    let open = desk.ledger.find(task).await?;
    let (task, short_id) = (&open.task, open.task.short_id);
    let why = match rating::misfit(number, remark.as_deref()) {
        None if !open.state.is_final() => {
            Some(format!("it is {}: rate it once it has ended", open.state))
        }
        misfit => misfit,
    };
    if let Some(why) = why {
        return Err(LedgerError::Answer { short_id, why }.into());
    }
    let now = Timestamp::now();
    desk.ledger
        .rate(task.id, number, remark.as_deref(), who, now)
        .await?;
    let learned = match &remark {
        Some(words) => {
            let memory = said(task, number, words);
            desk.memory.remember(memory).await.is_ok()
        }
        None => false,
    };
    let kept = if learned {
        ", and your words are remembered"
    } else {
        ""
    };
    Ok(format!("{short_id} is rated {number} of {BEST}{kept}"))
}

/// What a person said of a result, as the next task of the kind reads it.
fn said(task: &Task, number: u8, words: &str) -> NewMemory {
    let request: String = task
        .request
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let request: String = request.chars().take(120).collect();
    NewMemory {
        title: format!("rated {number} of {BEST}: {request}"),
        body: words.to_owned(),
        project: task.workspace.as_deref().map(memory::project_of),
        tags: vec!["rating".to_owned()],
        source: "person".to_owned(),
        task: Some(task.short_id.to_string()),
        phase: None,
        evidence: Vec::new(),
        key: format!("rating/{}", task.id),
    }
}
