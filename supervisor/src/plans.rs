//! Plans: makes a task of every part whose time has come. What may start is decided by the ledger
//! in the transaction that writes an end; this loop only carries it out, and may be cut off
//! anywhere: a part that still is `ready` has no task yet.

use crate::desk::Desk;
use crate::dispatch;
use crate::intake::{self, IntakeError};
use crate::intake::{attached, hosts};
use crate::ledger::events::Event;
use crate::ledger::keep::{NewPart, NewTask, Routed};
use crate::ledger::parts;
use crate::ledger::start::ReadyPart;
use crate::ledger::store::LedgerError;
use crate::pinned;
use crate::route;
use jiff::Timestamp;
use pai::plan::fill;
use pai::plan::grammar;
use protocol::control::Submit;
use protocol::ids::{RequestId, TaskId};
use protocol::money::MicroUsd;
use protocol::plan::{Parent, Part, Plan};
use protocol::task::{Task, Way};
use protocol::task_state::TaskState;
use protocol::trace::Trace;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

/// Looks at the ledger at least this often, whatever it heard.
const LOOK: Duration = Duration::from_secs(1);
/// How many parts one look takes from the ledger.
const PAGE: u32 = 200;

/// Checks a plan, and routes every part that does not depend on what earlier ones give.
///
/// # Errors
/// When the plan cannot work, or nobody can do one of its parts.
pub async fn check(desk: &Desk, submit: &Submit, plan: &Plan) -> Result<Vec<NewPart>, IntakeError> {
    grammar::check(plan)?;
    let library = desk.shelf.library();
    let mut known = Vec::with_capacity(plan.tasks.len());
    let mut paid = false;
    for part in &plan.tasks {
        let wrong = |error| IntakeError::Part {
            part: part.id.clone(),
            error: Box::new(error),
        };
        let routed = match fill::has_templates(part) {
            true => {
                let asked = asked(part, submit);
                route::there_is(&asked, &desk.settings, &library).map_err(|e| wrong(e.into()))?;
                None
            }
            false => {
                intake::check_words(&parts::request(part)).map_err(wrong)?;
                let asked = asked(part, submit);
                let routed = attached::decide(&asked, &desk.settings, &library);
                Some(routed.map_err(|e| wrong(e.into()))?)
            }
        };
        paid |= routed
            .as_ref()
            .is_some_and(|routed| matches!(routed.way, Way::Anthropic));
        known.push(NewPart {
            routed: routed.map(|routed| Routed {
                agent: routed.agent,
                way: routed.way,
                because: routed.because,
            }),
            done_by: None,
        });
    }
    if paid {
        intake::check_month(desk, Timestamp::now()).await?;
    }
    Ok(known)
}

/// What is known of the parts of an ended plan that is tried again: which an earlier task has done,
/// and how the others are routed now.
///
/// # Errors
/// When every part is done, or nobody can do one that is not.
pub async fn again(desk: &Desk, old: &Task, plan: &Plan) -> Result<Vec<NewPart>, IntakeError> {
    let done = desk.ledger.parts_done(old.id).await?;
    if done.iter().all(Option::is_some) {
        return Err(IntakeError::PlanDone(old.short_id));
    }
    let mut parts = check(desk, &as_asked(old), plan).await?;
    for (part, done_by) in parts.iter_mut().zip(done) {
        part.done_by = done_by;
    }
    Ok(parts)
}

/// A part as if a person had asked for it alone.
fn asked(part: &Part, whole: &Submit) -> Submit {
    Submit {
        request: parts::request(part),
        agent: part.agent.clone(),
        playbook: part
            .playbook
            .clone()
            .map(|name| (name, part.params.clone())),
        plan: None,
        script: None,
        ..whole.clone()
    }
}

/// Starts what may start. Runs for ever.
pub async fn keep_going(desk: &Desk) {
    let mut heard = desk.hub.listen();
    loop {
        if let Err(error) = start_ready(desk).await {
            desk.note(&error);
        }
        let _looked_anyway = timeout(LOOK, may_have_moved(&mut heard)).await;
    }
}

async fn may_have_moved(heard: &mut Receiver<Arc<crate::ledger::events::Happening>>) {
    loop {
        match heard.recv().await {
            Ok(happening) => match &happening.event {
                Event::State(TaskState::Waiting { .. }) => return,
                Event::State(state) if state.is_final() => return,
                _ => {}
            },
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn start_ready(desk: &Desk) -> Result<(), LedgerError> {
    loop {
        let ready = desk.ledger.ready_parts(PAGE).await?;
        let mut moved = false;
        for part in &ready {
            moved |= start(desk, part).await?;
        }
        // A part that could not be made a task of may have let others start, or end.
        if !moved {
            return Ok(());
        }
    }
}

/// Makes a task of a part; says whether anything changed.
async fn start(desk: &Desk, ready: &ReadyPart) -> Result<bool, LedgerError> {
    let new = match task_of(desk, ready).await {
        Ok(new) => new,
        Err(IntakeError::Ledger(error)) => return Err(error),
        Err(error) => {
            let reason = error.to_string();
            let told = desk
                .ledger
                .part_unstartable(ready, &reason, Timestamp::now());
            let told = told.await?;
            let moved = !told.is_empty();
            desk.hub.tell(told);
            return Ok(moved);
        }
    };
    let limit = desk.settings.team.queue_limit;
    match desk.ledger.start_part(ready, &new, limit).await {
        Ok(Some((task, told))) => {
            desk.hub.tell(told);
            // Where the bus is away the outbox sends it later.
            let _notice = dispatch::first(desk, &task).await;
            Ok(true)
        }
        Ok(None) => Ok(false),
        // It waits like any other request would have to, only that nobody must ask again.
        Err(LedgerError::QueueFull(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The task of a part, filled with what earlier parts gave, checked and routed.
async fn task_of(desk: &Desk, ready: &ReadyPart) -> Result<NewTask, IntakeError> {
    let plan = &ready.plan;
    let now = Timestamp::now();
    let mut part = ready.part.clone();
    if fill::has_templates(&part) {
        let came = desk.ledger.parts_came(plan.id).await?;
        let name = crate::ledger::plan::plan_of(plan).map_or("", |plan| plan.name.as_str());
        part = fill::fill(&part, &fill::context(name, &came))?;
    }
    let request = parts::request(&part);
    intake::check_words(&request)?;
    let routed = match ready.routed.clone() {
        Some(routed) => routed,
        None => {
            let submit = asked(&part, &as_asked(plan));
            let mut routed = attached::decide(&submit, &desk.settings, &desk.shelf.library())?;
            pinned::pin(desk, &mut routed.way)?;
            Routed {
                agent: routed.agent,
                way: routed.way,
                because: routed.because,
            }
        }
    };
    let free = matches!(routed.way, Way::Playbook { .. });
    if matches!(routed.way, Way::Anthropic) {
        intake::check_month(desk, now).await?;
    }
    let budget = match plan.budget {
        Some(budget) if !free => Some(share(desk, plan.id, budget).await?),
        _ => None,
    };
    let there = hosts::other(desk, plan).map(str::to_owned);
    let agent = std::slice::from_ref(&routed.agent);
    let new = NewTask {
        host: hosts::host_of(desk, there, plan.workspace.is_some(), agent).await?,
        ceiling: intake::lowered(
            hosts::ceiling(&desk.settings, &routed.agent),
            plan.ceiling.as_ref().map(|ceiling| ceiling.level),
        ),
        id: TaskId::new(),
        request_id: request_id(plan, &ready.part.id, ready.number)?,
        asked: format!("part {} of {}", ready.part.id, plan.short_id),
        principal: plan.principal.clone(),
        request,
        agent: routed.agent,
        routed_because: format!(
            "part `{}` of {}: {}",
            ready.part.id, plan.short_id, routed.because
        ),
        way: routed.way,
        workspace: plan.workspace.clone(),
        effort: plan.effort,
        budget,
        priority: plan.priority,
        deadline: plan.deadline,
        due: None,
        retry_of: None,
        accepted: now,
        parent: Some(Parent {
            task: plan.id,
            short_id: plan.short_id,
            part: ready.part.id.clone(),
            number: ready.number,
        }),
        trace: plan.trace.map(Trace::next),
        attachments: plan.attachments.clone(),
        parts: Vec::new(),
    };
    intake::check_fits(desk, &new)?;
    Ok(new)
}

/// The same part and try always has the same id, so it is one task whatever happens in between. Where nobody is there
/// to ask for the plan, nobody is for its parts.
fn request_id(plan: &Task, part: &str, number: u32) -> Result<RequestId, IntakeError> {
    let by = match plan.request_id.is_by_schedule() {
        true => RequestId::BY_SCHEDULE,
        false => "",
    };
    let id = format!("{by}plan/{}/{part}/{number}", plan.id);
    id.parse().map_err(|_| {
        IntakeError::Ledger(LedgerError::Unreadable {
            what: "part",
            task: plan.id.to_string(),
            why: part.to_owned(),
        })
    })
}

/// What a paid part may cost: an equal share of what the plan has left, among the paid parts that
/// were not started yet.
async fn share(desk: &Desk, plan: TaskId, budget: MicroUsd) -> Result<MicroUsd, LedgerError> {
    let (taken, open) = desk.ledger.plan_money(plan).await?;
    Ok(MicroUsd(budget.0.saturating_sub(taken.0) / open.max(1)))
}

fn as_asked(plan: &Task) -> Submit {
    Submit {
        request_id: plan.request_id.clone(),
        workspace: plan.workspace.clone(),
        host: plan.host.clone(),
        effort: plan.effort,
        attachments: plan.attachments.clone(),
        ..Submit::words("")
    }
}
