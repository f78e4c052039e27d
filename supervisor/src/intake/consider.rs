//! What a request would become, before anything is kept: checked, its folder found, routed. Taking a
//! request in starts with it; proposing one ends with it.

use super::{IntakeError, attached, check_terms, check_words, hosts};
use crate::attached::checked;
use crate::desk::Desk;
use crate::ledger::keep::NewPart;
use crate::plans;
use crate::route::{self, Routed};
use jiff::Timestamp;
use protocol::attachment::Attachment;
use protocol::control::Submit;
use std::path::PathBuf;

/// A request that was checked and routed, and is not kept.
pub(crate) struct Considered {
    /// The folder, without links.
    pub(crate) workspace: Option<PathBuf>,
    /// The host of a task that has a folder.
    pub(crate) host: Option<String>,
    /// Who, and how.
    pub(crate) routed: Routed,
    /// What is known of the parts of a plan.
    pub(crate) parts: Vec<NewPart>,
    /// Files handed in with it, as they are kept.
    pub(crate) attachments: Vec<Attachment>,
}

/// Checks a request and finds out who would do it, and how. Keeps nothing.
pub(crate) async fn consider(
    desk: &Desk,
    submit: &Submit,
    now: Timestamp,
) -> Result<Considered, IntakeError> {
    check_words(&submit.request)?;
    check_terms(submit, &desk.settings, now)?;
    let there = hosts::named(desk, submit)?;
    let workspace = hosts::folder(desk, submit.workspace.as_deref(), there.as_deref())?;
    if workspace.is_none() && !submit.attachments.is_empty() {
        return Err(IntakeError::NoFolder);
    }
    let attachments = checked(desk, &submit.attachments, there.as_deref())?;
    let library = desk.shelf.library();
    let plan = match submit.plan.clone() {
        Some(plan) => Some(*plan),
        None => route::compound(submit, &desk.settings, &library),
    };
    let mut parts = Vec::new();
    let routed = match plan {
        Some(plan) => {
            parts = plans::check(desk, submit, &plan).await?;
            route::of_plan(plan, submit.plan.is_some())
        }
        None => attached::decide(submit, &desk.settings, &library)?,
    };
    let roles = hosts::roles(&routed.agent, &parts);
    let host = hosts::host_of(desk, there, workspace.is_some(), &roles).await?;
    Ok(Considered {
        workspace,
        host,
        routed,
        parts,
        attachments,
    })
}
