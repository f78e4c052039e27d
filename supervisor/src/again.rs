//! Doing an ended task again: a new task with the same words, workspace, agent, way and parameters,
//! that names the old one. What the old one left is not touched; its journal is not used, because
//! it may be what made it fail.

use crate::attached::checked;
use crate::desk::Desk;
use crate::intake::hosts;
use crate::intake::{self, Accepted, IntakeError};
use crate::ledger::keep::NewTask;
use crate::pinned;
use crate::plans;
use crate::route;
use jiff::Timestamp;
use protocol::ids::{RequestId, TaskId, TaskRef};
use protocol::task::{Principal, Task, Way};
use protocol::trace::Trace;

/// `task retry`: only what has ended is done again.
pub async fn retry(
    desk: &Desk,
    principal: Principal,
    task: TaskRef,
    request_id: RequestId,
) -> Result<Accepted, IntakeError> {
    let open = desk.ledger.find(task).await?;
    if !open.state.is_final() {
        return Err(IntakeError::NotEnded {
            short_id: open.task.short_id,
            state: open.state,
        });
    }
    anew(desk, principal, &open.task, request_id).await
}

/// Does an ended task again, as a new one that names it: the same words, workspace, agent, way and
/// parameters. Safe to repeat with the same request id.
pub(crate) async fn anew(
    desk: &Desk,
    principal: Principal,
    old: &Task,
    request_id: RequestId,
) -> Result<Accepted, IntakeError> {
    let asked = format!("again {}", old.id);
    if let Some(task) = desk.ledger.asked_before(&request_id, &asked).await? {
        return intake::hand_over(desk, &task, true).await;
    }
    let now = Timestamp::now();
    let there = hosts::other(desk, old);
    let workspace = hosts::folder(desk, old.workspace.as_deref(), there)?;
    let mut parts = match &old.way {
        // What is done stays done; its results are there for the parts that are tried again.
        Way::Plan { plan } => plans::again(desk, old, plan).await?,
        _ => {
            route::check_still_there(old, &desk.settings, &desk.shelf.library())?;
            Vec::new()
        }
    };
    if matches!(old.way, Way::Anthropic) {
        intake::check_month(desk, now).await?;
    }
    // Worked by as the playbook is now: it may have been mended since.
    let mut way = old.way.clone();
    pinned::pin(desk, &mut way)?;
    for part in parts.iter_mut().filter_map(|part| part.routed.as_mut()) {
        pinned::pin(desk, &mut part.way)?;
    }
    let new = NewTask {
        id: TaskId::new(),
        request_id,
        asked,
        principal,
        request: old.request.clone(),
        agent: old.agent.clone(),
        routed_because: format!("{} again: {}", old.short_id, old.routed_because),
        way,
        ceiling: hosts::ceiling(&desk.settings, &old.agent),
        workspace,
        host: old.host.clone(),
        effort: old.effort,
        budget: old.budget,
        priority: old.priority,
        deadline: None,
        due: None,
        retry_of: Some(old.short_id),
        accepted: now,
        parent: None,
        trace: Some(Trace::begin()),
        attachments: checked(desk, &old.attachments, there)?,
        parts,
    };
    let (task, again) = intake::keep_new(desk, &new).await?;
    intake::hand_over(desk, &task, again).await
}
