//! Dead letters: what nobody could read or finish. A person lists them, looks at one, and hands one
//! in again. A replay becomes a task under a request id made from the letter's own id, so that it
//! is one task however often it is asked for; only then the letter leaves the list.

use crate::again;
use crate::desk::Desk;
use crate::intake::{self, Accepted, IntakeError};
use crate::ledger::store::LedgerError;
use bus::connect::Bus;
use bus::dead_letter::DeadLetter;
use bus::error::BusError;
use protocol::control::Submit;
use protocol::document::{DeadLetterLine, DeadLetterPage};
use protocol::envelope::{Envelope, MessageType};
use protocol::exit;
use protocol::ids::{RequestId, Role, ShortId, TaskRef};
use protocol::task::{Principal, Task, Way};
use protocol::text::one_line;
use serde_json::Value;
use std::time::Duration;
use tokio::time::timeout;

/// Longest reason that is told, in characters: it may be an agent's words.
const REASON: usize = 500;
/// Longest wait for a bus that is away.
const PATIENCE: Duration = Duration::from_millis(1500);

/// Why a dead letter is not shown or handed in.
#[derive(Debug, thiserror::Error)]
pub enum DeadError {
    /// Redis holds them, and is away.
    #[error("{0}; dead letters can be read when it is back")]
    Away(String),
    /// The bus refused.
    #[error(transparent)]
    Bus(#[from] BusError),
    /// No such letter.
    #[error("there is no dead letter `{0}`: `ai-infra dead list` shows what there is")]
    None(String),
    /// It cannot become a task.
    #[error("it cannot be handed in again: {0}")]
    Unreadable(String),
    /// Its task is none of its role's.
    #[error(
        "it names {task}, which was never a task of {role}: do that one again with `ai-infra task retry {task}` where that is meant"
    )]
    Foreign {
        /// The task it names.
        task: ShortId,
        /// Whose letter it is.
        role: Role,
    },
    /// Its task has not ended.
    #[error("its task {0} has not ended yet: look at it with `ai-infra task show {0}`")]
    Open(ShortId),
    /// It was not accepted as a task.
    #[error(transparent)]
    Intake(#[from] IntakeError),
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

impl DeadError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            DeadError::Away(_) => exit::SERVICE,
            DeadError::Bus(error) => error.exit_code(),
            DeadError::None(_) => exit::USAGE,
            DeadError::Unreadable(_) | DeadError::Foreign { .. } => exit::REFUSED,
            DeadError::Open(_) => exit::FAILED,
            DeadError::Intake(error) => error.exit_code(),
            DeadError::Ledger(error) => error.exit_code(),
        }
    }

    /// Nearest things that would work.
    pub fn hints(&self) -> Vec<String> {
        match self {
            DeadError::Intake(error) => error.hints(),
            _ => Vec::new(),
        }
    }
}

/// The newest dead letters of all roles.
///
/// # Errors
/// When Redis or the ledger does not answer.
pub async fn list(desk: &Desk, limit: usize) -> Result<Vec<DeadLetterLine>, DeadError> {
    let bus = bus(desk).await?;
    let mut lines = Vec::new();
    for letter in bus.dead_letters(limit).await? {
        lines.push(line(desk, &letter).await);
    }
    Ok(lines)
}

/// One of them, with what it held.
///
/// # Errors
/// When there is none, or Redis or the ledger does not answer.
pub async fn show(desk: &Desk, id: &str) -> Result<DeadLetterPage, DeadError> {
    let bus = bus(desk).await?;
    let letter = find(&bus, id).await?;
    let line = line(desk, &letter).await;
    let replay = match known(desk, &letter).await {
        Ok(Some(old)) => format!("a new task that does {} again", old.short_id),
        Ok(None) => match read(&letter) {
            Ok(submit) => anew(&submit, &letter.role),
            Err(why) => format!("refused: {why}"),
        },
        Err(why @ (DeadError::Foreign { .. } | DeadError::Open(_))) => format!("refused: {why}"),
        Err(error) => return Err(error),
    };
    Ok(DeadLetterPage {
        line,
        stream: letter.stream,
        body: String::from_utf8_lossy(&letter.bytes_preview).into_owned(),
        cut: (letter.bytes_preview.len() as u64) < letter.bytes,
        replay,
    })
}

/// Hands one in again. Killed anywhere, the same replay again comes to the same task; the letter
/// leaves the list only after its task is kept.
///
/// # Errors
/// When there is none, when it cannot become a task, or when Redis or the ledger does not answer.
pub async fn replay(desk: &Desk, who: Principal, id: &str) -> Result<Accepted, DeadError> {
    let bus = bus(desk).await?;
    let request_id: RequestId = format!("dead/{id}")
        .parse()
        .map_err(|_| DeadError::None(id.to_owned()))?;
    let letter = match find(&bus, id).await {
        Err(none @ DeadError::None(_)) => {
            // Replayed before: the answer may have got lost.
            return match desk.ledger.of_request(&request_id).await? {
                Some(task) => Ok(intake::hand_over(desk, &task, true).await?),
                None => Err(none),
            };
        }
        found => found?,
    };
    let accepted = match known(desk, &letter).await? {
        Some(old) => again::anew(desk, who, &old, request_id).await?,
        None => {
            let mut submit = read(&letter).map_err(DeadError::Unreadable)?;
            submit.request_id = request_id;
            intake::submit(desk, who, submit).await?
        }
    };
    bus.dead_remove(&letter.role, &letter.id).await?;
    Ok(accepted)
}

/// The bus; one that is away is given a moment to come back.
async fn bus(desk: &Desk) -> Result<Bus, DeadError> {
    match desk.link.now() {
        Ok(bus) => Ok(bus),
        Err(why) => match timeout(PATIENCE, desk.link.up()).await {
            Ok((bus, _)) => Ok(bus),
            Err(_) => Err(DeadError::Away(why)),
        },
    }
}

/// The task that a letter was, where the ledger knows it; one that has not ended is an error, and one of another role: whoever
/// writes the role's letters could name any.
async fn known(desk: &Desk, letter: &DeadLetter) -> Result<Option<Task>, DeadError> {
    let Some(id) = letter.task else {
        return Ok(None);
    };
    match desk.ledger.find(TaskRef::Id(id)).await {
        Ok(open) if !desk.ledger.was_of(&open.task, &letter.role).await? => {
            Err(DeadError::Foreign {
                task: open.task.short_id,
                role: letter.role.clone(),
            })
        }
        Ok(open) if open.state.is_final() => Ok(Some(open.task)),
        Ok(open) => Err(DeadError::Open(open.task.short_id)),
        Err(LedgerError::NoTask(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn find(bus: &Bus, id: &str) -> Result<DeadLetter, DeadError> {
    let none = || DeadError::None(id.to_owned());
    let (role, entry) = id.split_once('/').ok_or_else(none)?;
    let role: Role = role.parse().map_err(|_| none())?;
    if !is_entry(entry) {
        return Err(none());
    }
    bus.dead_letter(&role, entry).await?.ok_or_else(none)
}

/// `<milliseconds>-<number>`, nothing else.
fn is_entry(text: &str) -> bool {
    let number = |part: &str| {
        (1..=20).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    text.split_once('-')
        .is_some_and(|(ms, number_of)| number(ms) && number(number_of))
}

async fn line(desk: &Desk, letter: &DeadLetter) -> DeadLetterLine {
    let task = match letter.task {
        Some(id) => desk.ledger.line(TaskRef::Id(id)).await.ok(),
        None => None,
    };
    DeadLetterLine {
        id: format!("{}/{}", letter.role, letter.id),
        role: letter.role.clone(),
        reason: one_line(&letter.reason, REASON),
        at: letter.at,
        bytes: letter.bytes,
        task: task.map(|line| line.short_id),
    }
}

/// What handing in a letter begins, all that decides of it: who wrote the letter may have written it in another's name.
fn anew(submit: &Submit, role: &Role) -> String {
    let mut said = format!("a new task for {role}");
    if let Some(workspace) = &submit.workspace {
        said.push_str(&format!(" in {}", workspace.display()));
    }
    if let Some(host) = &submit.host {
        said.push_str(&format!(" on host {host}"));
    }
    if let Some((playbook, params)) = &submit.playbook {
        let params = Value::Object(params.clone());
        said.push_str(&format!(" by the playbook {playbook} with {params}"));
    }
    format!("{said}: {}", submit.request)
}

/// What a message that was not put on the bus by this team asks for, or why it cannot be known.
fn read(letter: &DeadLetter) -> Result<Submit, String> {
    if (letter.bytes_preview.len() as u64) < letter.bytes {
        return Err(format!(
            "of its {} bytes only the first {} are kept",
            letter.bytes,
            letter.bytes_preview.len()
        ));
    }
    let envelope = Envelope::parse(&letter.bytes_preview).map_err(|e| e.to_string())?;
    if envelope.kind != MessageType::Task {
        return Err(format!("a {:?} message asks for no work", envelope.kind));
    }
    let context = &envelope.payload.context;
    let text = |name: &str| context.get(name).and_then(Value::as_str);
    let Some(request) = text("request") else {
        return Err("it says no request (payload.context.request)".to_owned());
    };
    let way = context.get("way").cloned().map(serde_json::from_value);
    let playbook = match way {
        Some(Ok(Way::Playbook { name, params, .. })) => Some((name, params)),
        _ => None,
    };
    let attachments = context.get("attachments").cloned();
    Ok(Submit {
        request: request.to_owned(),
        request_id: RequestId::new(),
        agent: Some(letter.role.clone()),
        playbook,
        script: None,
        workspace: text("workspace").map(Into::into),
        host: text("host").map(Into::into),
        effort: context
            .get("effort")
            .cloned()
            .and_then(|effort| serde_json::from_value(effort).ok())
            .unwrap_or_default(),
        budget_usd: None,
        priority: Some(envelope.priority.clamp(1, 10)),
        deadline: None,
        due: None,
        trace: envelope
            .trace
            .as_deref()
            .and_then(|trace| trace.parse().ok()),
        plan: None,
        attachments: attachments
            .and_then(|files| serde_json::from_value(files).ok())
            .unwrap_or_default(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    fn letter(body: &[u8]) -> DeadLetter {
        DeadLetter {
            id: "1-0".to_owned(),
            role: "code".parse().unwrap(),
            stream: String::new(),
            reason: String::new(),
            at: Timestamp::UNIX_EPOCH,
            bytes: body.len() as u64,
            task: None,
            bytes_preview: body.to_vec(),
        }
    }

    fn message(kind: MessageType, context: Value) -> Vec<u8> {
        let mut envelope = Envelope::new(&"main".parse().unwrap(), kind, "somebody", "code");
        envelope.payload.context = context;
        envelope.to_bytes().unwrap()
    }

    #[test]
    fn a_foreign_message_asks_for_work_or_says_why_not() {
        let asks = message(
            MessageType::Task,
            json!({"request": "look", "workspace": "/srv", "effort": "deep",
                   "way": {"engine": "playbook", "name": "p", "params": {"n": 1}}}),
        );
        let submit = read(&letter(&asks)).unwrap();
        assert_eq!(
            (submit.request.as_str(), submit.priority),
            ("look", Some(5))
        );
        assert_eq!(submit.agent, "code".parse().ok());
        let said = anew(&submit, &letter(&asks).role);
        let expected = r#"a new task for code in /srv by the playbook p with {"n":1}: look"#;
        assert_eq!(said, expected);
        assert_eq!(submit.playbook.unwrap().1["n"], 1);
        for (body, why) in [
            (b"\xff".to_vec(), "not UTF-8"),
            (b"{}".to_vec(), "not a valid envelope"),
            (message(MessageType::Task, json!({})), "says no request"),
            (
                message(MessageType::Result, json!({"request": "x"})),
                "asks for no work",
            ),
        ] {
            let said = read(&letter(&body)).unwrap_err();
            assert!(said.contains(why), "{said}");
        }
        let cut = DeadLetter {
            bytes: 70_000,
            ..letter(&asks)
        };
        assert!(read(&cut).unwrap_err().contains("of its 70000 bytes"));
    }

    #[test]
    fn entries_are_two_numbers() {
        for (text, good) in [
            ("1700000000000-0", true),
            ("1-", false),
            ("-1", false),
            ("1", false),
            ("+", false),
            ("1-0 2", false),
        ] {
            assert_eq!(is_entry(text), good, "{text}");
        }
    }
}
