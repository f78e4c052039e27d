//! Answers plain questions of a person with the team's model, as a stream. The call belongs to this
//! process: it is the one place that knows the ledger, the memory and the team at once, it has the key
//! already (routing asks whether there is one), and whoever asks over the control socket needs none.
//!
//! The order is the budget's: kept in the ledger at its reservation, reserved on the bus, asked,
//! kept with what it cost, settled. Cut off anywhere it stays charged at its reservation.

mod context;
mod question;

pub(crate) use question::is_question;

use crate::brakes;
use crate::desk::Desk;
use crate::intake::{self, IntakeError};
use crate::ledger::store::LedgerError;
use crate::ledger::talks::NewTalk;
use crate::masked::redactor;
use crate::status;
use bus::budget::Reservation;
use bus::connect::Bus;
use bus::error::BusError;
use config::settings::Settings;
use context::Known;
use engine::anthropic::engine::Anthropic;
use engine::conversation::{ModelReply, ModelRequest, StopReason, ToolChoice};
use engine::engine::{Engine, EngineError};
use guard::redact::Redactor;
use jiff::Timestamp;
use protocol::document::{RunDocument, TaskLine};
use protocol::exit;
use protocol::ids::{TaskId, TaskRef};
use protocol::limits::REQUEST_BYTES;
use protocol::money::MicroUsd;
use protocol::report::Usage;
use protocol::talk::{Question, Reply};
use protocol::task::Principal;
use tokio::sync::mpsc::UnboundedSender;

/// Most tokens of one answer.
const TOKENS: u32 = 2_000;
/// Turns of the conversation that the model is told again.
const TURNS: u32 = 12;
/// Most bytes of them.
const TURNS_BYTES: usize = 24 * 1024;
/// Newest tasks that it is told of, and of how many the result.
const TASKS: usize = 15;
const RESULTS: usize = 6;
/// Memories that it is told.
const MEMORIES: usize = 5;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TalkError {
    /// No key.
    #[error(
        "there is no model to answer plain questions: ai-infra secret set anthropic-api-key, then ai-infra restart"
    )]
    NoModel,
    /// The words.
    #[error(transparent)]
    Words(#[from] IntakeError),
    /// No call is paid for while the team is frozen.
    #[error("{0}")]
    Frozen(String),
    /// The money is kept on the bus.
    #[error("no answer can be paid for while redis is away: {0}")]
    Away(String),
    /// The bus, or its budget.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// The model.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl TalkError {
    /// Exit code of the command line.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            TalkError::NoModel => exit::USAGE,
            TalkError::Words(error) => error.exit_code(),
            TalkError::Frozen(_) => exit::REFUSED,
            TalkError::Bus(BusError::Budget { .. }) => exit::REFUSED,
            TalkError::Away(_) | TalkError::Bus(_) => exit::SERVICE,
            TalkError::Engine(error) => error.exit_code(),
            TalkError::Ledger(error) => error.exit_code(),
        }
    }
}

/// Whether there is a model that could answer.
pub(crate) fn can_answer(settings: &Settings) -> bool {
    crate::route::has_model(settings)
}

/// A question whose answer is reserved.
pub(crate) struct Prepared {
    /// What it is kept and reserved under.
    pub(crate) id: TaskId,
    engine: Engine,
    request: ModelRequest,
    bus: Bus,
    reservation: Reservation,
}

/// Keeps a question and reserves its answer.
///
/// # Errors
/// [`TalkError`]; nothing is charged then.
pub(crate) async fn prepare(
    desk: &Desk,
    who: &Principal,
    question: &Question,
) -> Result<Prepared, TalkError> {
    intake::check_words(&question.words)?;
    if let Some(frozen) = desk.ledger.brakes().await?.frozen {
        return Err(TalkError::Frozen(brakes::sentence(&frozen)));
    }
    let engine = engine(&desk.settings)?;
    let redactor = redactor(desk);
    let now = Timestamp::now();
    let request = request(desk, question, &redactor, now).await?;
    let bus = desk.link.now().map_err(TalkError::Away)?;
    let reserved = engine.estimate(&request);
    let id = TaskId::new();
    let words = redactor.text(&question.words);
    let new = NewTalk {
        id,
        conversation: &question.conversation,
        by: who,
        model: &request.model,
        words: &words,
        reserved,
        at: now,
    };
    desk.ledger.talk_begins(&new).await?;
    let month = now.strftime("%Y-%m").to_string();
    let budget = &desk.settings.budget;
    let (answer_cap, month_cap) = (
        MicroUsd::from_dollars(budget.task_usd),
        MicroUsd::from_dollars(budget.month_usd),
    );
    let reservation = bus.reserve(id, reserved, answer_cap, month_cap, &month);
    match reservation.await {
        Ok(reservation) => Ok(Prepared {
            id,
            engine,
            request,
            bus,
            reservation,
        }),
        Err(error) => {
            let nothing = Usage::default();
            let now = Timestamp::now();
            desk.ledger.talk_ended(id, None, &nothing, now).await?;
            Err(error.into())
        }
    }
}

/// Has the answer said; `pieces` is told the text as it comes. Dropped, it ends the call, which stays
/// charged at its reservation.
///
/// # Errors
/// [`TalkError`], with what was paid all the same in the ledger.
pub(crate) async fn say(
    desk: &Desk,
    it: Prepared,
    pieces: UnboundedSender<String>,
) -> Result<Reply, TalkError> {
    let mut on_text = |text: &str| {
        // Nobody listens any more: the future is about to be dropped.
        let _gone = pieces.send(text.to_owned());
    };
    let replied = (it.engine).reply(&it.request, &it.reservation, &mut on_text);
    let replied = replied.await;
    let now = Timestamp::now();
    let (said, answer, usage) = match replied {
        Ok(reply) => {
            let said = said(&reply, &redactor(desk));
            let answer = match &said.suggests {
                Some(request) => format!("{}\n\n(suggested: {request})", said.text),
                None => said.text.clone(),
            };
            tracing::info!(model = reply.model, cost = %reply.usage.cost, "answered a question");
            (Ok(said), Some(answer), reply.usage)
        }
        Err(error) => {
            let usage = error.spent().cloned().unwrap_or_default();
            (Err(error), None, usage)
        }
    };
    let answer = answer.as_deref();
    desk.ledger.talk_ended(it.id, answer, &usage, now).await?;
    if let Err(error) = it.bus.settle(it.reservation, usage.cost).await {
        // It stays charged at its reservation there.
        tracing::warn!(%error, "an answer is not settled");
    }
    Ok(said?)
}

/// The answer that nobody waits for any more, or every one that was being said when this process
/// ended: it stays charged at its reservation.
pub(crate) async fn lost(desk: &Desk, id: Option<TaskId>) {
    if let Err(error) = desk.ledger.talks_lost(id).await {
        desk.note(&error);
    }
}

fn engine(settings: &Settings) -> Result<Engine, TalkError> {
    let key = settings.engine.api_key.as_ref();
    let key = key
        .filter(|_| can_answer(settings))
        .ok_or(TalkError::NoModel)?;
    let prices = settings.prices.clone();
    let engine = Anthropic::new(&settings.engine.base_url, key.reveal(), prices)?;
    Ok(Engine::Anthropic(Box::new(engine)))
}

async fn request(
    desk: &Desk,
    question: &Question,
    redactor: &Redactor,
    now: Timestamp,
) -> Result<ModelRequest, TalkError> {
    let status = status::status(desk).await?;
    let mut tasks: Vec<(TaskLine, Option<RunDocument>)> = Vec::new();
    for line in desk.ledger.newest(TASKS).await? {
        let document = match tasks.len() < RESULTS {
            true => Some(desk.ledger.document(TaskRef::Id(line.task_id)).await?),
            false => None,
        };
        tasks.push((line, document));
    }
    let project = question
        .workspace
        .as_deref()
        .map(memory::project::project_of);
    let recalled = desk
        .memory
        .recall(question.words.clone(), project, MEMORIES)
        .await;
    let memories = recalled.unwrap_or_else(|error| {
        tracing::warn!(%error, "answers without memory");
        Vec::new()
    });
    let month = intake::month_start(now);
    let spent = desk.ledger.spent_since(month).await?.dollars();
    let known = Known {
        status: &status,
        tasks: &tasks,
        memories: &memories,
        workspace: question.workspace.as_deref(),
        money: (spent, desk.settings.budget.month_usd),
        now,
    };
    let before = desk
        .ledger
        .conversation(&question.conversation, TURNS)
        .await?;
    let prompt = config::agents::supervisor_prompt(&desk.home);
    let words = redactor.text(&question.words);
    let settings = &desk.settings.engine;
    Ok(ModelRequest {
        model: settings.model.clone(),
        system: redactor.text(&context::system(&prompt, &known, redactor)),
        messages: context::turns(newest(&before), &words),
        tools: vec![context::suggest()],
        tool_choice: ToolChoice::Auto,
        max_tokens: settings.max_tokens.min(TOKENS),
    })
}

/// The end of a conversation that fits.
fn newest(before: &[(String, String)]) -> &[(String, String)] {
    let mut bytes = 0;
    let fitting = before.iter().rev().take_while(|(asked, answer)| {
        bytes += asked.len() + answer.len();
        bytes <= TURNS_BYTES
    });
    let many = fitting.count();
    before.get(before.len() - many..).unwrap_or_default()
}

/// What a person is told of a reply.
fn said(reply: &ModelReply, redactor: &Redactor) -> Reply {
    let suggests = reply
        .calls()
        .into_iter()
        .filter(|call| call.name == context::SUGGEST)
        .find_map(|call| Some(call.input["request"].as_str()?.trim().to_owned()))
        .filter(|words| words.len() <= REQUEST_BYTES && intake::check_words(words).is_ok());
    let text = match reply.stop {
        StopReason::Refusal => "The model declined to answer this.".to_owned(),
        _ => redactor.text(reply.text().trim()),
    };
    Reply {
        text,
        suggests,
        model: reply.model.clone(),
        usage: Usage::clone(&reply.usage),
        cut: reply.stop == StopReason::MaxTokens,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_a_person_is_told_of_a_reply() {
        let redactor = Redactor::new(["hunter2-hunter2".to_owned()]);
        let text = |text: &str| json!({"type": "text", "text": text});
        let call = |name: &str, input: serde_json::Value| json!({"type": "tool_use", "id": "x", "name": name, "input": input});
        let check = |content: Vec<serde_json::Value>, stop: StopReason| {
            let reply = ModelReply::new(content, stop, Usage::default(), "m".to_owned());
            let said = said(&reply, &redactor);
            (said.text, said.suggests, said.cut)
        };
        let suggested = call(context::SUGGEST, json!({"request": " run the tests "}));
        assert_eq!(
            check(
                vec![text("It is hunter2-hunter2."), suggested.clone()],
                StopReason::ToolUse
            ),
            (
                "It is [secret].".to_owned(),
                Some("run the tests".to_owned()),
                false
            )
        );
        assert_eq!(
            check(vec![text("It is"), suggested], StopReason::MaxTokens),
            ("It is".to_owned(), None, true)
        );
        for bad in [
            call("Bash", json!({"command": "rm"})),
            call(context::SUGGEST, json!({"request": ""})),
            call(context::SUGGEST, json!({"request": "a\u{1b}[2J"})),
            call(context::SUGGEST, json!({"words": "x"})),
        ] {
            assert_eq!(check(vec![bad], StopReason::ToolUse).1, None);
        }
    }

    #[test]
    fn only_the_end_of_a_long_conversation_is_told_again() {
        let turn = |n: usize| (format!("q{n}"), "x".repeat(TURNS_BYTES / 3));
        let all: Vec<_> = (0..5).map(turn).collect();
        let told: Vec<&str> = newest(&all)
            .iter()
            .map(|(asked, _)| asked.as_str())
            .collect();
        assert_eq!(told, ["q3", "q4"]);
        assert!(newest(&[]).is_empty());
    }
}
