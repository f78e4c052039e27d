//! Folding the end of a task. The report is the whole truth about the run, so it replaces what
//! progress said; but "done" without evidence for every criterion is kept as failed.

use super::due;
use super::fold::{Folded, Incoming};
use super::handoffs;
use super::moves;
use super::records::{self, LINE_BYTES, RESULT_BYTES, ROWS, cut, whole};
use super::standing::{Standing, shift, to_json};
use super::store::LedgerError;
use super::{questions, resume, spends};
use protocol::criterion::Verdict;
use protocol::report::{Artifact, TaskReport, Usage};
use protocol::task_state::{StateName, TaskState};
use sqlx::AnyConnection;

/// Most artifacts kept of one task.
const ARTIFACTS: usize = 100;

pub(super) async fn fold(
    tx: &mut AnyConnection,
    standing: &mut Standing,
    incoming: &Incoming,
    report: &TaskReport,
) -> Result<Folded, LedgerError> {
    if report.task_id != standing.id {
        return Ok(Folded::Ignored("the report is about another task"));
    }
    if seen(tx, standing, &incoming.message).await? {
        return Ok(Folded::Again);
    }
    let to = bounded_state(moves::rest(&standing.state, &judged(report)));
    if to.name() == StateName::Waiting && !resume::parked(tx, standing, incoming.epoch).await? {
        return Ok(Folded::Again);
    }
    questions::ask(tx, standing, &to, report.asked.as_ref(), incoming.at).await?;
    handoffs::ask(tx, standing, &to, report.handoff.as_ref(), incoming.at).await?;
    due::wait(tx, standing, &to, report.wait.as_ref(), incoming.at).await?;
    replace_rows(tx, standing, report).await?;
    let usage = report.usage.believable();
    write_row(tx, standing, report, &usage).await?;
    spends::closed(tx, &standing.key(), &usage, incoming.at).await?;
    let told = shift(tx, standing, to, incoming.at, Some(&incoming.message)).await?;
    Ok(Folded::Kept(told))
}

async fn seen(
    tx: &mut AnyConnection,
    standing: &Standing,
    message: &str,
) -> Result<bool, LedgerError> {
    let count: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM events WHERE task = $1 AND message = $2")
            .bind(standing.key())
            .bind(message)
            .fetch_one(&mut *tx)
            .await?;
    Ok(count > 0)
}

/// The state the report deserves: `done` only with a passed last measurement of every criterion.
pub(super) fn judged(report: &TaskReport) -> TaskState {
    if report.state != TaskState::Done {
        return report.state.clone();
    }
    let reason = if report.criteria.is_empty() {
        "reported as done without a criterion that says what done means".to_owned()
    } else {
        let unproven = report.criteria.iter().find(|criterion| {
            report
                .evidence
                .iter()
                .filter(|seen| seen.criterion == criterion.id)
                .max_by_key(|seen| seen.measured)
                .is_none_or(|last| last.verdict != Verdict::Passed)
        });
        match unproven {
            None => return TaskState::Done,
            Some(criterion) => format!(
                "reported as done, but nothing proves {}: {}",
                criterion.id, criterion.text
            ),
        }
    };
    TaskState::Failed { reason }
}

fn bounded_state(state: TaskState) -> TaskState {
    match state {
        TaskState::Failed { reason } => TaskState::Failed {
            reason: cut(&reason, LINE_BYTES),
        },
        TaskState::Refused { reason } => TaskState::Refused {
            reason: cut(&reason, LINE_BYTES),
        },
        other => other,
    }
}

async fn write_row(
    tx: &mut AnyConnection,
    standing: &Standing,
    report: &TaskReport,
    usage: &Usage,
) -> Result<(), LedgerError> {
    let key = standing.key();
    let artifacts: Vec<&Artifact> = report.artifacts.iter().take(ARTIFACTS).collect();
    sqlx::query(
        "UPDATE tasks SET result = $2, question = $3, usage = $4, cost_micro_usd = $5,
                          artifacts = $6 WHERE id = $1",
    )
    .bind(&key)
    .bind(cut(&report.result, RESULT_BYTES))
    .bind(report.question.as_deref().map(|q| cut(q, RESULT_BYTES)))
    .bind(to_json("usage", &key, usage)?)
    .bind(whole(usage.cost.0))
    .bind(to_json("artifacts", &key, &artifacts)?)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// Puts the report's lists in the place of what progress said; an empty list replaces nothing.
async fn replace_rows(
    tx: &mut AnyConnection,
    standing: &Standing,
    report: &TaskReport,
) -> Result<(), LedgerError> {
    let key = standing.key();
    if !report.phases.is_empty() {
        sqlx::query("DELETE FROM phases WHERE task = $1")
            .bind(&key)
            .execute(&mut *tx)
            .await?;
        for span in report.phases.iter().take(ROWS) {
            records::span(tx, &key, span).await?;
        }
    }
    if !report.calls.is_empty() {
        sqlx::query("DELETE FROM calls WHERE task = $1")
            .bind(&key)
            .execute(&mut *tx)
            .await?;
        for line in report.calls.iter().take(ROWS) {
            records::call(tx, &key, line).await?;
        }
    }
    if !report.criteria.is_empty() {
        records::criteria(tx, &key, &report.criteria).await?;
    }
    for seen in report.evidence.iter().take(ROWS) {
        records::evidence(tx, &key, seen).await?;
    }
    if !report.recalled.is_empty() {
        records::recalled(tx, &key, &report.recalled).await?;
    }
    if !report.learned.is_empty() {
        records::learned(tx, &key, &report.learned).await?;
    }
    Ok(())
}
