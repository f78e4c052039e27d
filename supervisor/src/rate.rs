//! A person says how good a result was. It is kept with the task; words said with it are kept as a
//! memory of its project too, so that the next task of the kind is told.

use crate::control::verbs::VerbError;
use crate::desk::Desk;
use crate::ledger::store::LedgerError;
use crate::masked;
use guard::redact::Redactor;
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
            let redactor = masked::redactor(desk);
            let memory = said(task, number, words, &redactor);
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

/// What a person said of a result, as the next task of the kind reads it: without secrets.
fn said(task: &Task, number: u8, words: &str, redactor: &Redactor) -> NewMemory {
    let request: String = redactor
        .text(&task.request)
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    let request: String = request.chars().take(120).collect();
    NewMemory {
        title: format!("rated {number} of {BEST}: {request}"),
        body: redactor.text(words),
        project: task.workspace.as_deref().map(memory::project_of),
        tags: vec!["rating".to_owned()],
        source: "person".to_owned(),
        task: Some(task.short_id.to_string()),
        phase: None,
        evidence: Vec::new(),
        key: format!("rating/{}", task.id),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rating_is_remembered_without_secrets_also_where_the_request_is_cut() {
        let secret = "hunter2-hunter2";
        let task: Task = serde_json::from_value(json!({
            "id": "01990000-0000-7000-8000-000000000001", "short_id": "t1", "request_id": "r1",
            "principal": {"uid": 0, "name": "root"}, "request": format!("{} {secret}", "x".repeat(110)),
            "agent": "code", "routed_because": "", "way": {"engine": "anthropic"},
            "workspace": null, "effort": "standard", "budget": null, "priority": 5,
            "deadline": null, "accepted": "2026-03-01T12:00:00Z",
        }))
        .unwrap();
        let redactor = Redactor::new([secret.to_owned()]);
        let memory = said(&task, 5, &format!("it was {secret}"), &redactor);
        assert!(!memory.title.contains("hunter"), "{}", memory.title);
        assert_eq!(memory.body, "it was [secret]");
    }
}
