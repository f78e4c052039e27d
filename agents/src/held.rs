//! One held task, from claim to report: renews beside the work, cuts the work off where it must
//! stop, and makes sure that a task ends in a report or is let go.

use crate::blob::Blobs;
use crate::brain::patience;
use crate::outbox::Outbox;
use crate::pulse::{self, Hold};
use crate::record::Record;
use crate::run::Shared;
use crate::screen::is_well;
use crate::stop::{Signal, Stop, must_drop};
use crate::work_loop;
use crate::workbench::Workbench;
use bus::claim::Delivery;
use bus::park::Parked;
use jiff::Timestamp;
use pai::algorithm::Outcome;
use protocol::envelope::micros;
use protocol::report::TaskReport;
use protocol::task::Task;
use protocol::task_state::{TaskState, WaitReason};
use protocol::trace::Trace;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tracing::Instrument;
use warden::client::Client;

/// How long after its lease, or its holder, an executor may still live: its own watch looks ten
/// times a second. The next holder waits it out before it looks at the world.
const MARGIN: Duration = Duration::from_millis(250);

/// Where a task rests that another role is to go on with.
const HANDED: TaskState = TaskState::Waiting {
    on: WaitReason::Handoff,
};

/// Where a task rests that needs a person's leave.
const APPROVAL: TaskState = TaskState::Waiting {
    on: WaitReason::Approval,
};

/// Where a task rests whose question a person must answer.
const INPUT: TaskState = TaskState::Waiting {
    on: WaitReason::Input,
};

/// Where a task rests that is to be tried again later.
const LATER: TaskState = TaskState::Waiting {
    on: WaitReason::Time,
};

/// Where a task rests that a person paused.
const PAUSED: TaskState = TaskState::Waiting {
    on: WaitReason::Paused,
};

/// A future that ends with whoever started it, also when that one panics.
struct Beside(JoinHandle<()>);

impl Drop for Beside {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What every log line of a task carries: its number, its id, its trace.
pub fn span(delivery: &Delivery) -> tracing::Span {
    let number = delivery.envelope.payload.context["short_id"].as_str();
    let trace: Option<Trace> = delivery
        .envelope
        .trace
        .as_deref()
        .and_then(|t| t.parse().ok());
    tracing::info_span!(
        "task", task = number, id = %delivery.lease.task, trace_id = trace.map(|trace| trace.id()),
    )
}

/// Holds one task from claim to report.
pub async fn hold(
    shared: Arc<Shared>,
    delivery: Delivery,
    tell: watch::Sender<Signal>,
    watch: watch::Receiver<Signal>,
) {
    let length = Duration::from_millis(shared.settings.team.lease_ms);
    let hold = Hold::new(&shared.bus, &delivery, length, watch.clone());
    let pulse = pulse::keep(hold.clone(), shared.look.clone(), tell);
    let pulse = Beside(tokio::spawn(pulse.in_current_span()));
    let (screen, home) = (shared.screen.clone(), shared.home.clone());
    let frost = hold.clone().freeze(move |frozen| {
        screen.frozen(frozen);
        // What the warden does on this host stops with it, wherever the team's first host is; that it goes on is
        // said by the team's supervisor and by the daemon of a host that joined.
        if !frozen {
            return;
        }
        let home = home.clone();
        tokio::spawn(async move {
            let told = Client::new(&home, Duration::ZERO).freeze(frozen).await;
            if let Err(error) = told {
                tracing::debug!(%error, frozen, "the warden does not hear of it");
            }
        });
    });
    let _frost = Beside(tokio::spawn(frost.in_current_span()));
    let worked = work(&shared, &delivery, &hold, watch).await;
    shared.screen.idle();
    let Err(stop) = worked else {
        return;
    };
    drop(pulse);
    tracing::info!(why = %stop, "left without a report");
    // Yielded, or dropped because Redis was away: nothing of it runs here any more. Where somebody
    // else has it already, this is refused.
    hold.give_back(&shared.leaving).await;
}

async fn work(
    shared: &Shared,
    delivery: &Delivery,
    hold: &Hold,
    mut watch: watch::Receiver<Signal>,
) -> Result<(), Stop> {
    hold.surely().await?;
    if delivery.attempt > 1 {
        tokio::time::sleep(MARGIN).await;
    }
    let outbox = Outbox::new(
        &shared.bus,
        &delivery.lease,
        Blobs(shared.disk.clone()),
        hold.clone(),
    )
    .far(shared.settings.joined.is_some())
    .traced(delivery.envelope.trace.clone());
    let mut record = Record::on(&shared.screen);
    let opened = open(shared, delivery, hold, &outbox, watch.clone()).await;
    let mut bench = match opened {
        Ok(bench) => bench,
        Err(stop) => return finish(shared, delivery, &outbox, record, Err(stop)).await,
    };
    if delivery.cancel {
        let Workbench { steps, toolbox, .. } = &mut bench;
        toolbox.close_cancelled(steps, &mut record).await;
        let ended = Ok(End::Cancelled);
        return finish(shared, delivery, &outbox, record, ended).await;
    }
    let ended = tokio::select! {
        ended = work_loop::drive(&mut bench, &mut record) => ended.map(End::Outcome),
        signal = must_drop(&mut watch) => match signal {
            Signal::Cancel => Ok(End::Cancelled),
            _ => Err(Stop::Lost),
        },
    };
    if !matches!(ended, Ok(End::Cancelled)) {
        bench.toolbox.close().await;
    } else {
        let Workbench { steps, toolbox, .. } = &mut bench;
        toolbox.close_cancelled(steps, &mut record).await;
        let lost = bench.steps.unanswered().iter();
        lost.for_each(|(step, costs)| record.lost(step, costs));
    }
    let (state, well) = named(&ended);
    tracing::info!(state, "left");
    shared.screen.left(&bench.task, &state, well);
    let _reporting = shared.screen.doing("hands its report in");
    finish(shared, delivery, &outbox, record, ended).await
}

/// How the work ended, where it came to an end here.
enum End {
    /// By the algorithm.
    Outcome(Outcome),
    /// A person ended it.
    Cancelled,
}

async fn open(
    shared: &Shared,
    delivery: &Delivery,
    hold: &Hold,
    outbox: &Outbox,
    watch: watch::Receiver<Signal>,
) -> Result<Workbench, Stop> {
    let task: Task = serde_json::from_value(delivery.envelope.payload.context.clone())
        .map_err(|e| Stop::Fail(format!("the task cannot be read: {e}")))?;
    shared.screen.took(&task, delivery.attempt);
    let bench = work_loop::open(shared, task, delivery, hold, outbox, watch).await?;
    let replayed = bench.steps.known();
    shared.screen.of_task(|held| held.replayed = replayed);
    tracing::info!(attempt = delivery.attempt, replayed, "taken");
    Ok(bench)
}

/// Hands the report in: the drive's end as the task's state. A report that cannot be handed in is
/// replaced by one that says so, because a task must come to an end.
async fn finish(
    shared: &Shared,
    delivery: &Delivery,
    outbox: &Outbox,
    mut record: Record,
    ended: Result<End, Stop>,
) -> Result<(), Stop> {
    let (mut handoff, mut wait) = (None, None);
    let (state, asked) = match ended {
        Err(stop @ (Stop::Yield | Stop::Lost)) => return Err(stop),
        Ok(End::Cancelled) => (TaskState::Cancelled, None),
        Ok(End::Outcome(outcome)) => (settle(&mut record, outcome), None),
        Err(Stop::Pause) => (PAUSED, None),
        Err(Stop::AskPerson(question)) if question.ticket.is_some() => (APPROVAL, Some(*question)),
        Err(Stop::AskPerson(question)) => (INPUT, Some(*question)),
        Err(Stop::Wait(until)) => {
            wait = Some(*until);
            (LATER, None)
        }
        Err(Stop::HandOff(wish)) => {
            handoff = Some(*wish);
            (HANDED, None)
        }
        Err(stop) => (settle(&mut record, outcome_of(stop)), None),
    };
    record.leave(micros(Timestamp::now()));
    let (task, agent) = (delivery.lease.task, shared.agent.name.clone());
    let mut report = record.report(task, agent.clone(), state, asked);
    (report.handoff, report.wait) = (handoff, wait);
    match hand_in(outbox, report).await {
        Err(Stop::Fail(why)) => {
            tracing::error!(why, "the report cannot be handed in");
            let reason = format!("its report could not be handed in: {why}");
            let failed = TaskState::Failed { reason };
            let short = Record::default().report(task, agent, failed, None);
            outbox.finish(&short).await
        }
        handed_in => handed_in,
    }
}

/// A task that waits is parked, any other ends.
async fn hand_in(outbox: &Outbox, mut report: TaskReport) -> Result<(), Stop> {
    if matches!(report.state, TaskState::Waiting { .. }) {
        if outbox.park(&report).await? == Parked::Waits {
            return Ok(());
        }
        report.state = TaskState::Cancelled;
        (report.question, report.asked) = (None, None);
        (report.handoff, report.wait) = (None, None);
    }
    outbox.finish(&report).await
}

/// The state for the window, and whether that is well.
fn named(ended: &Result<End, Stop>) -> (String, bool) {
    match ended {
        Ok(End::Cancelled) => (TaskState::Cancelled.to_string(), true),
        Ok(End::Outcome(outcome)) => {
            let state = settle(&mut Record::default(), outcome.clone());
            (state.to_string(), state == TaskState::Done)
        }
        Err(Stop::Pause) => (PAUSED.to_string(), true),
        Err(Stop::AskPerson(question)) if question.ticket.is_some() => {
            ("waits for your leave".to_owned(), true)
        }
        Err(Stop::AskPerson(_)) => ("waits for an answer of yours".to_owned(), true),
        Err(Stop::HandOff(_)) => (HANDED.to_string(), true),
        Err(Stop::Wait(wait)) => (patience::sentence(wait), true),
        Err(stop) => (stop.to_string(), is_well(stop)),
    }
}

fn outcome_of(stop: Stop) -> Outcome {
    match stop {
        Stop::Refuse(reason) => Outcome::Refused { reason },
        other => Outcome::Failed {
            reason: other.to_string(),
            text: String::new(),
        },
    }
}

fn settle(record: &mut Record, outcome: Outcome) -> TaskState {
    let (state, text) = match outcome {
        Outcome::Done { text } => (TaskState::Done, text),
        Outcome::Failed { reason, text } => (TaskState::Failed { reason }, text),
        Outcome::Refused { reason } => (TaskState::Refused { reason }, String::new()),
    };
    if !text.is_empty() {
        record.text = text;
    }
    state
}
