//! A person speaks to a task that was accepted already: words for whoever works on it, or another
//! limit on its cost. Kept in the ledger first; the bus is told at once where it answers, and else by
//! the outbox, which looks every second.

use crate::control::verbs::VerbError;
use crate::desk::Desk;
use crate::dispatch::{self, OutboxError};
use crate::ledger::pages::Open;
use crate::ledger::questions::Taken;
use crate::ledger::store::LedgerError;
use crate::spoiled;
use bus::connect::Bus;
use bus::words::Told;
use jiff::Timestamp;
use protocol::document::RunDocument;
use protocol::ids::{ShortId, TaskId, TaskRef};
use protocol::money::MicroUsd;
use protocol::question::Said;
use protocol::task::{Principal, Task, Way};
use protocol::task_state::{TaskState, WaitReason};
use protocol::text::one_line;
use protocol::word::{Spoken, tamed};
use std::time::Duration;
use tokio::time::timeout;

/// Longest wait for the bus before the person is answered.
const PATIENCE: Duration = Duration::from_millis(1500);
/// How many words one look takes from the ledger.
const PAGE: u32 = 200;

const INPUT: TaskState = TaskState::Waiting {
    on: WaitReason::Input,
};

/// Takes words for whoever works on a task. Answers a sentence.
///
/// # Errors
/// When there is no such task, it takes no words, or the ledger does not take them.
pub async fn tell(
    desk: &Desk,
    who: &Principal,
    task: TaskRef,
    text: &str,
) -> Result<String, VerbError> {
    let open = desk.ledger.find(task).await?;
    let (id, short_id) = (open.task.id, open.task.short_id);
    let refused = |why: String| LedgerError::Answer { short_id, why };
    let text = tamed(text).map_err(refused)?;
    let document = desk.ledger.document(TaskRef::Id(id)).await?;
    if let Some(why) = deaf(&open, &document) {
        return Err(refused(why).into());
    }
    if open.state == INPUT {
        return Ok(answer(desk, who, id, &document, text).await?);
    }
    let said = Spoken::Words(text.clone());
    let kept = desk.ledger.say(id, &said, who, Timestamp::now());
    desk.hub.tell(kept.await?.1);
    let reached = now(desk, id).await;
    let when = when(&desk.ledger.find(TaskRef::Id(id)).await?.state);
    Ok(match (reached, when) {
        (_, None) => format!("{short_id} has ended meanwhile and does not hear it any more"),
        (true, Some(when)) => format!("{short_id} hears it {when}: {}", one_line(&text, 80)),
        (false, Some(when)) => format!(
            "{}; kept, and {short_id} hears it {when} once redis answers",
            dispatch::NO_REDIS
        ),
    })
}

/// Sets what a task may cost from now on. Answers a sentence.
///
/// # Errors
/// When there is no such task, it costs nothing, the limit cannot be kept, or the ledger does not
/// take it.
pub async fn budget(
    desk: &Desk,
    who: &Principal,
    task: TaskRef,
    usd: f64,
) -> Result<String, VerbError> {
    let open = desk.ledger.find(task).await?;
    let (id, short_id) = (open.task.id, open.task.short_id);
    let refused = |why: String| LedgerError::Answer { short_id, why };
    let document = desk.ledger.document(TaskRef::Id(id)).await?;
    let settings = &desk.settings.budget;
    if let Some(why) = unpaid(&open, &document) {
        return Err(refused(why).into());
    }
    if !usd.is_finite() || usd <= 0.0 || usd > settings.month_usd {
        let month = settings.month_usd;
        return Err(refused(format!(
            "a limit of ${usd:.2} cannot be kept: say more than 0 and at most ${month:.2}, which a whole month may cost (budget.month_usd)"
        ))
        .into());
    }
    let before = open.task.budget;
    let before = before.unwrap_or(MicroUsd::from_dollars(settings.task_usd));
    let limit = MicroUsd::from_dollars(usd);
    let said = Spoken::Budget(limit);
    let kept = desk.ledger.say(id, &said, who, Timestamp::now());
    desk.hub.tell(kept.await?.1);
    let reached = now(desk, id).await;
    let spent = match desk.link.now() {
        Ok(bus) => timeout(PATIENCE, bus.spent_by(id)).await,
        Err(_) => Ok(Ok(MicroUsd(0))),
    };
    let spent = spent.ok().and_then(Result::ok).unwrap_or_default();
    let mut said = format!("{short_id} may cost {limit} from now on; it was {before}");
    if spent >= limit {
        said.push_str(&format!(
            "; {spent} is spent or reserved already, so its next model call is refused"
        ));
    }
    if !reached {
        said.push_str(&format!(
            "; {}, so it holds once it does",
            dispatch::NO_REDIS
        ));
    }
    Ok(said)
}

/// Why nobody would hear words to a task, as a sentence; `None` where somebody would.
fn deaf(open: &Open, document: &RunDocument) -> Option<String> {
    if let Some(why) = over(open) {
        return Some(why);
    }
    let Task { short_id, way, .. } = &open.task;
    match way {
        Way::Playbook { name, .. } => Some(format!(
            "it works by the playbook {name}, whose steps a person wrote: it takes no words. What can be done: ai-infra task cancel {short_id}, or task pause {short_id}; then say the whole request anew"
        )),
        Way::Plan { .. } => Some(parts(document, "speak to one of them: ai-infra task tell")),
        Way::Anthropic | Way::Scripted { .. } if open.state == INPUT => {
            let asked = document.questions.last()?;
            let words: Vec<&str> = asked.question.choices.iter().map(|c| c.as_str()).collect();
            (!words.is_empty()).then(|| {
                format!(
                    "it asks something first: {} Answer it: ai-infra task answer {short_id} {}",
                    asked.question.text,
                    words.join("|")
                )
            })
        }
        Way::Anthropic | Way::Scripted { .. } => None,
    }
}

/// Why a limit on its cost means nothing for a task; `None` where it does.
fn unpaid(open: &Open, document: &RunDocument) -> Option<String> {
    if let Some(why) = over(open) {
        return Some(why);
    }
    match &open.task.way {
        Way::Playbook { name, .. } => Some(format!(
            "it works by the playbook {name} and costs nothing, so there is no limit to set"
        )),
        Way::Plan { .. } => Some(parts(document, "set theirs: ai-infra task budget")),
        Way::Anthropic | Way::Scripted { .. } => None,
    }
}

fn over(open: &Open) -> Option<String> {
    match &open.state {
        state if state.is_final() => Some(format!(
            "it had ended already ({state}): what is to come is a new request, ai-infra run \"…\""
        )),
        TaskState::Cancelling => Some("it is being stopped".to_owned()),
        _ => None,
    }
}

fn parts(document: &RunDocument, next: &str) -> String {
    let parts: Vec<String> = document.children.iter().map(ShortId::to_string).collect();
    match parts.as_slice() {
        [] => "it is a plan whose parts have not begun".to_owned(),
        [first, ..] => format!(
            "it is a plan, and its parts do the work ({}): {next} {first} …",
            parts.join(", ")
        ),
    }
}

/// When a task takes words in; `None` where it has ended.
fn when(state: &TaskState) -> Option<&'static str> {
    match state {
        state if state.is_final() => None,
        TaskState::Queued => Some("when it begins"),
        TaskState::Waiting { .. } => Some("when it goes on"),
        _ => Some("before its next step"),
    }
}

/// Words to a task that asked for words are their answer.
async fn answer(
    desk: &Desk,
    who: &Principal,
    task: TaskId,
    document: &RunDocument,
    text: String,
) -> Result<String, LedgerError> {
    let said = Said {
        choice: None,
        text: Some(text),
    };
    let number = document.questions.last().map(|asked| asked.number);
    let short_id = document.short_id;
    let taken = desk
        .ledger
        .answer(task, number, said.clone(), who.clone(), Timestamp::now());
    Ok(match taken.await? {
        Taken::Now(owed, told) => {
            dispatch::go_on(desk, owed, told).await;
            format!("{short_id} had asked, and goes on with it as the answer: {said}")
        }
        Taken::Again => format!("{short_id} was answered so before: {said}"),
    })
}

/// Tells the bus now. Whether it has everything that was said to the task.
async fn now(desk: &Desk, task: TaskId) -> bool {
    let Ok(bus) = desk.link.now() else {
        return false;
    };
    match timeout(PATIENCE, tell_owed(desk, &bus)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "words wait for the outbox"),
        Err(_) => desk.link.failed("no answer in time"),
    }
    let owed = desk.ledger.words_owed(PAGE).await.unwrap_or_default();
    desk.link.now().is_ok() && owed.iter().all(|word| word.task != task)
}

/// Tells the bus what people said, in order.
///
/// # Errors
/// When bus or ledger does not answer; the next look goes on.
pub(crate) async fn tell_owed(desk: &Desk, bus: &Bus) -> Result<(), OutboxError> {
    let mut later = None;
    for word in desk.ledger.words_owed(PAGE).await? {
        if later == Some(word.task) {
            continue;
        }
        let told = bus
            .tell(word.task, word.number, word.entry.as_ref(), word.cap)
            .await;
        let told = match told {
            Err(error) if error.is_about_one() => {
                tracing::warn!(task = %word.task, %error, "it is told later");
                later = Some(word.task);
                // What it cost is known here, whatever became of the sum there.
                let spent = desk.ledger.spent_by(word.task).await?;
                spoiled::spared(bus.task_is(word.task, spent).await)?;
                continue;
            }
            told => told?,
        };
        match told {
            Told::Told => desk.ledger.word_told(word.task, word.number, false).await?,
            Told::Ended => desk.ledger.word_told(word.task, word.number, true).await?,
            // Not there yet, or moving to another role: the next look tells it, and what was said
            // after it.
            Told::Unknown => later = Some(word.task),
        }
    }
    Ok(())
}
