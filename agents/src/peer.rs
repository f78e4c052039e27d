//! `AskPeer`: a question to another agent of the team, with a deadline. The answer is that agent's own
//! words, no tool and no file is behind it, and it says so. Nobody answering in time is an answer too.

use crate::brain::money;
use crate::call_line::refusal;
use crate::record::Record;
use crate::stop::{self, Signal, Stop};
use crate::workbench::Workbench;
use bus::error::BusError;
use protocol::envelope::{Envelope, MessageType};
use protocol::ids::Role;
use protocol::money::MicroUsd;
use protocol::peer::{ANSWER_BYTES, ASK, PEER_VERSION, PeerAnswer, PeerQuestion, QUESTION_BYTES};
use protocol::report::Usage;
use protocol::tool::{ToolAnswer, ToolCall};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// How long it waits where the call does not say, and at most, in seconds.
const SECONDS: u64 = 30;
const MOST_SECONDS: u64 = 120;

/// The tool.
pub const TOOL: &str = "AskPeer";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    agent: String,
    question: String,
    #[serde(default)]
    seconds: Option<u64>,
}

/// Asks, and waits for the answer at most as long as the call says.
pub async fn ask(bench: &mut Workbench, step: &str, call: &ToolCall) -> Result<ToolAnswer, Stop> {
    let team: Vec<&Role> = bench.settings.agents.iter().map(|a| &a.name).collect();
    let (peer, question, wait) = match read(&call.input, &bench.agent.name, &team) {
        Ok(wish) => wish,
        Err(why) => return Ok(refusal(call, &why)),
    };
    // Nobody speaks for a task that somebody else may hold, and nothing is begun while frozen.
    bench.toolbox.sandboxes.hold.surely().await?;
    let task_usd = MicroUsd::from_dollars(bench.settings.budget.task_usd);
    let asked = PeerQuestion {
        v: PEER_VERSION,
        task: bench.task.id,
        task_cap: bench.task.budget.unwrap_or(task_usd),
        question: bench.toolbox.redactor.text(&question),
    };
    let mut envelope = Envelope::new(
        bench.bus.team(),
        MessageType::Query,
        &bench.instance,
        peer.as_str(),
    );
    envelope.payload.action = ASK.to_owned();
    envelope.payload.task_id = Some(bench.task.id);
    envelope.trace = bench.task.trace.map(String::from);
    envelope.payload.context = serde_json::to_value(&asked)
        .map_err(|e| Stop::Fail(format!("the question cannot be written: {e}")))?;
    let began = Instant::now();
    let mut watch = bench.toolbox.watch.clone();
    let answered = tokio::select! {
        answered = bench.bus.ask(&bench.agent.name, &envelope, wait) => answered,
        _ = watch.wait_for(|signal| !matches!(signal, Signal::Go | Signal::Cancel)) => {
            stop::check(&bench.toolbox.watch)?;
            return Err(Stop::Lost);
        }
    };
    let answer = match answered {
        Ok(envelope) => serde_json::from_value::<PeerAnswer>(envelope.payload.context)
            .map_err(|e| format!("{peer} answered something that cannot be read: {e}")),
        Err(BusError::NoAnswer { .. }) => Err(format!(
            "no answer from {peer} within {} s: it may be away, frozen or busy; go on without",
            wait.as_secs()
        )),
        Err(error) => return Err(error.into()),
    };
    tracing::info!(
        step,
        peer = peer.as_str(),
        answered = answer.is_ok(),
        "asked a peer"
    );
    let mut told = match answer {
        Ok(answer) => said(
            call,
            &peer,
            &bench.toolbox.redactor.text(&answer.text),
            &answer,
        ),
        Err(why) => refusal(call, &why),
    };
    told.took_ms = began.elapsed().as_millis() as u64;
    Ok(told)
}

/// Takes in what an answer cost, also where it comes from the journal.
pub fn paid(record: &mut Record, answer: &ToolAnswer) {
    if let Some((_, usage)) = cost(answer) {
        record.spent(&usage);
    }
}

/// What the supervisor is told of that cost.
pub fn told(step: &str, answer: &ToolAnswer) -> Option<protocol::report::Progress> {
    let (model, usage) = cost(answer)?;
    Some(money::spent_by(step, &model, &usage, false))
}

fn cost(answer: &ToolAnswer) -> Option<(String, Usage)> {
    let model = answer.data["model"].as_str()?.to_owned();
    let usage = serde_json::from_value(answer.data["usage"].clone()).ok()?;
    Some((model, usage))
}

fn said(call: &ToolCall, peer: &Role, text: &str, answer: &PeerAnswer) -> ToolAnswer {
    let text = match answer.refused {
        true => format!("{peer} gives no answer: {}", cut(text)),
        false => format!(
            "{peer} answers. These are another agent's words, and nothing checked them:\n\n{}",
            cut(text)
        ),
    };
    ToolAnswer {
        id: call.id.clone(),
        is_error: answer.refused,
        text,
        data: match &answer.model {
            Some(model) => json!({"model": model, "usage": answer.usage}),
            None => Value::Null,
        },
        took_ms: 0,
    }
}

/// At most so much as an answer may be, cut at a character.
pub fn cut(text: &str) -> String {
    let mut end = text.len().min(ANSWER_BYTES);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].to_owned()
}

fn read(input: &Value, own: &Role, team: &[&Role]) -> Result<(Role, String, Duration), String> {
    let wish: Wish = serde_json::from_value(input.clone()).map_err(|error| {
        format!("{TOOL} takes `agent`, `question` and perhaps `seconds`: {error}")
    })?;
    let peer = team.iter().find(|role| role.as_str() == wish.agent);
    let Some(peer) = peer else {
        let names: Vec<&str> = team.iter().map(|role| role.as_str()).collect();
        let asked = wish.agent.escape_debug();
        return Err(format!(
            "there is no agent `{asked}`: ask {}",
            names.join(", ")
        ));
    };
    if *peer == own {
        return Err("that is yourself: ask another agent".to_owned());
    }
    let question = wish.question.trim();
    if question.is_empty() || question.len() > QUESTION_BYTES {
        return Err(format!("a question has 1 to {QUESTION_BYTES} bytes"));
    }
    let seconds = wish.seconds.unwrap_or(SECONDS).clamp(1, MOST_SECONDS);
    Ok((
        (*peer).clone(),
        question.to_owned(),
        Duration::from_secs(seconds),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn who_is_asked_what_and_how_long() {
        let (code, qa): (Role, Role) = ("code".parse().unwrap(), "qa".parse().unwrap());
        let check = |input: Value, expected: Result<u64, &str>| match (
            read(&input, &code, &[&code, &qa]),
            expected,
        ) {
            (Ok((peer, _, wait)), Ok(seconds)) => {
                assert_eq!((peer, wait), (qa.clone(), Duration::from_secs(seconds)));
            }
            (Err(why), Err(expected)) => assert!(why.contains(expected), "{why}"),
            (got, expected) => panic!("{got:?}, expected {expected:?}"),
        };
        check(json!({"agent": "qa", "question": "how?"}), Ok(30));
        check(
            json!({"agent": "qa", "question": "how?", "seconds": 0}),
            Ok(1),
        );
        check(
            json!({"agent": "qa", "question": "how?", "seconds": 9999}),
            Ok(120),
        );
        check(
            json!({"agent": "code", "question": "how?"}),
            Err("yourself"),
        );
        check(
            json!({"agent": "poet", "question": "how?"}),
            Err("no agent `poet`: ask code, qa"),
        );
        check(json!({"agent": "qa", "question": " "}), Err("1 to 2000"));
        check(json!({"agent": "qa"}), Err("takes `agent`"));
    }

    #[test]
    fn an_answer_is_marked_and_bounded() {
        let call = ToolCall {
            id: "a".to_owned(),
            name: TOOL.to_owned(),
            input: Value::Null,
        };
        let qa: Role = "qa".parse().unwrap();
        let long = "ä".repeat(ANSWER_BYTES);
        let told = said(&call, &qa, &long, &PeerAnswer::default());
        assert!(
            told.text
                .starts_with("qa answers. These are another agent's words")
        );
        assert!(told.text.len() < ANSWER_BYTES + 100 && !told.is_error);
        let refused = PeerAnswer {
            refused: true,
            ..PeerAnswer::default()
        };
        assert!(said(&call, &qa, "no", &refused).is_error);
    }
}
