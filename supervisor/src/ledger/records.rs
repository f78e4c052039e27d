//! The rows that hang on a task: attempts, phases, criteria, evidence, calls, notes, memories.
//! Texts are cut to a bound first; what an agent sends is not trusted to be small.

use super::standing::{micros, to_json};
use super::store::LedgerError;
use jiff::Timestamp;
use protocol::criterion::{Criterion, Evidence, EvidenceSource, Verdict};
use protocol::ids::Epoch;
use protocol::phase::Phase;
use protocol::report::{CallLine, PhaseSpan, Progress, Recalled, Usage};
use sqlx::AnyConnection;

/// Longest line kept, in bytes: notes, summaries, reasons, titles.
pub const LINE_BYTES: usize = 4 * 1024;
/// Longest observation kept of one piece of evidence, in bytes.
pub const OBSERVED_BYTES: usize = 16 * 1024;
/// Longest report kept, in bytes.
pub const RESULT_BYTES: usize = 1024 * 1024;
/// Most rows of one kind kept of one report.
pub const ROWS: usize = 10_000;

/// Longest name of something, in bytes: a criterion's, a memory's. Databases index them.
const NAME_BYTES: usize = 256;
/// Longest name of a model, in bytes.
const MODEL_BYTES: usize = 256;

/// Cuts a text to a number of bytes, at a character, and says so. The character NUL, which PostgreSQL cannot
/// hold, is shown as one that can be seen.
pub fn cut(text: &str, bytes: usize) -> String {
    const MARK: &str = " … (cut)";
    let seen;
    let text = match text.contains('\0') {
        true => {
            seen = text.replace('\0', "\u{2400}");
            &seen
        }
        false => text,
    };
    if text.len() <= bytes {
        return text.to_owned();
    }
    let mut end = bytes.saturating_sub(MARK.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}{MARK}", text.get(..end).unwrap_or_default())
}

/// The same progress with every text, sum and time within its bound: nothing was used later than it was told.
pub(super) fn bounded(mut progress: Progress, told: Timestamp) -> Progress {
    match &mut progress {
        Progress::Claimed { holder, .. } => *holder = cut(holder, LINE_BYTES),
        Progress::Call { line } => *line = bounded_call(line),
        Progress::Evidence { evidence } => {
            evidence.observed = cut(&evidence.observed, OBSERVED_BYTES);
        }
        Progress::Reserved {
            step,
            model,
            amount,
            at,
        } => {
            *step = cut(step, LINE_BYTES);
            *model = cut(model, MODEL_BYTES);
            let cost = *amount;
            let usage = Usage {
                cost,
                ..Usage::default()
            };
            *amount = usage.believable().cost;
            *at = told.min(*at);
        }
        Progress::Spent {
            step,
            model,
            usage,
            at,
            ..
        } => {
            *step = cut(step, LINE_BYTES);
            *model = cut(model, MODEL_BYTES);
            *usage = usage.believable();
            *at = told.min(*at);
        }
        Progress::Note { text } | Progress::Said { text, .. } | Progress::Heard { text, .. } => {
            *text = cut(text, LINE_BYTES);
        }
        Progress::Criteria { .. }
        | Progress::Added { .. }
        | Progress::Recalled { .. }
        | Progress::PhaseStarted { .. }
        | Progress::PhaseEnded { .. } => {}
    }
    progress
}

fn bounded_call(line: &CallLine) -> CallLine {
    CallLine {
        tool: cut(&line.tool, NAME_BYTES),
        summary: cut(&line.summary, LINE_BYTES),
        ..line.clone()
    }
}

pub(super) async fn attempt(
    tx: &mut AnyConnection,
    task: &str,
    holder: &str,
    epoch: Epoch,
    at: Timestamp,
    replayed: u64,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO attempts (task, epoch, number, holder, started_us, replayed)
         VALUES ($1, $2, (SELECT COUNT(*) + 1 FROM attempts WHERE task = $1), $3, $4, $5)
         ON CONFLICT (task, epoch) DO NOTHING",
    )
    .bind(task)
    .bind(whole(epoch.0))
    .bind(holder)
    .bind(micros(at))
    .bind(whole(replayed))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

/// A count as the database has it.
pub(super) fn whole(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) async fn phase_started(
    tx: &mut AnyConnection,
    task: &str,
    phase: Phase,
    at: Timestamp,
) -> Result<(), LedgerError> {
    span(
        tx,
        task,
        &PhaseSpan {
            phase,
            started: at,
            ended: None,
        },
    )
    .await
}

pub(super) async fn span(
    tx: &mut AnyConnection,
    task: &str,
    span: &PhaseSpan,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO phases (task, started_us, phase, ended_us) VALUES ($1, $2, $3, $4)
         ON CONFLICT (task, started_us, phase) DO NOTHING",
    )
    .bind(task)
    .bind(micros(span.started))
    .bind(span.phase.as_str())
    .bind(span.ended.map(micros))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

pub(super) async fn phase_ended(
    tx: &mut AnyConnection,
    task: &str,
    phase: Phase,
    at: Timestamp,
) -> Result<(), LedgerError> {
    sqlx::query(
        "UPDATE phases SET ended_us = $3 WHERE task = $1 AND phase = $2 AND ended_us IS NULL
         AND started_us = (SELECT MAX(started_us) FROM phases WHERE task = $1 AND phase = $2)",
    )
    .bind(task)
    .bind(phase.as_str())
    .bind(micros(at))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

pub(super) async fn criteria(
    tx: &mut AnyConnection,
    task: &str,
    criteria: &[Criterion],
) -> Result<(), LedgerError> {
    sqlx::query("DELETE FROM criteria WHERE task = $1")
        .bind(task)
        .execute(&mut *tx)
        .await?;
    for (position, criterion) in criteria.iter().take(ROWS).enumerate() {
        sqlx::query("INSERT INTO criteria (task, position, id, body) VALUES ($1, $2, $3, $4)")
            .bind(task)
            .bind(position as i64)
            .bind(cut(&criterion.id, NAME_BYTES))
            .bind(to_json("criterion", task, criterion)?)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Adds criteria to those of a task; one whose id is there already changes nothing.
pub(super) async fn more_criteria(
    tx: &mut AnyConnection,
    task: &str,
    criteria: &[Criterion],
) -> Result<(), LedgerError> {
    for criterion in criteria.iter().take(ROWS) {
        sqlx::query(
            "INSERT INTO criteria (task, position, id, body)
             SELECT $1, (SELECT COALESCE(MAX(position), -1) + 1 FROM criteria WHERE task = $1), $2, $3
             WHERE NOT EXISTS (SELECT 1 FROM criteria WHERE task = $1 AND id = $2)",
        )
        .bind(task)
        .bind(&criterion.id)
        .bind(to_json("criterion", task, criterion)?)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

pub(super) async fn evidence(
    tx: &mut AnyConnection,
    task: &str,
    seen: &Evidence,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO evidence (task, criterion, measured_us, verdict, source, observed, tree)
         VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (task, criterion, measured_us) DO NOTHING",
    )
    .bind(task)
    .bind(cut(&seen.criterion, NAME_BYTES))
    .bind(micros(seen.measured))
    .bind(verdict_name(seen.verdict))
    .bind(source_name(seen.source))
    .bind(cut(&seen.observed, OBSERVED_BYTES))
    .bind(seen.tree.as_deref().map(|tree| cut(tree, NAME_BYTES)))
    .execute(&mut *tx)
    .await?;
    Ok(())
}

pub(super) async fn call(
    tx: &mut AnyConnection,
    task: &str,
    line: &CallLine,
) -> Result<(), LedgerError> {
    let line = bounded_call(line);
    sqlx::query(
        "INSERT INTO calls (task, position, phase, tool, summary, took_ms, is_error)
         VALUES ($1, (SELECT COALESCE(MAX(position), 0) + 1 FROM calls WHERE task = $1),
                 $2, $3, $4, $5, $6)",
    )
    .bind(task)
    .bind(line.phase.as_str())
    .bind(&line.tool)
    .bind(&line.summary)
    .bind(whole(line.took_ms))
    .bind(line.is_error)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

pub(super) async fn note(
    tx: &mut AnyConnection,
    task: &str,
    text: &str,
) -> Result<(), LedgerError> {
    sqlx::query(
        "INSERT INTO notes (task, position, text)
         VALUES ($1, (SELECT COALESCE(MAX(position), 0) + 1 FROM notes WHERE task = $1), $2)",
    )
    .bind(task)
    .bind(text)
    .execute(&mut *tx)
    .await?;
    Ok(())
}

pub(super) async fn recalled(
    tx: &mut AnyConnection,
    task: &str,
    memories: &[Recalled],
) -> Result<(), LedgerError> {
    sqlx::query("DELETE FROM recalled WHERE task = $1")
        .bind(task)
        .execute(&mut *tx)
        .await?;
    for (position, memory) in memories.iter().take(ROWS).enumerate() {
        sqlx::query(
            "INSERT INTO recalled (task, position, id, title, score) VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(task)
        .bind(position as i64)
        .bind(cut(&memory.id, LINE_BYTES))
        .bind(cut(&memory.title, LINE_BYTES))
        .bind(f64::from(memory.score))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

pub(super) async fn learned(
    tx: &mut AnyConnection,
    task: &str,
    ids: &[String],
) -> Result<(), LedgerError> {
    sqlx::query("DELETE FROM learned WHERE task = $1")
        .bind(task)
        .execute(&mut *tx)
        .await?;
    for (position, id) in ids.iter().take(ROWS).enumerate() {
        sqlx::query("INSERT INTO learned (task, position, id) VALUES ($1, $2, $3)")
            .bind(task)
            .bind(position as i64)
            .bind(cut(id, LINE_BYTES))
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

fn verdict_name(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "failed",
        Verdict::Unknown => "unknown",
    }
}

/// What a stored verdict says: held, did not hold, or nobody knows.
pub(super) fn verdict_passed(name: &str) -> Option<bool> {
    match name {
        "passed" => Some(true),
        "failed" => Some(false),
        _ => None,
    }
}

fn source_name(source: EvidenceSource) -> &'static str {
    match source {
        EvidenceSource::Process => "process",
        EvidenceSource::File => "file",
        EvidenceSource::Socket => "socket",
        EvidenceSource::Database => "database",
    }
}
