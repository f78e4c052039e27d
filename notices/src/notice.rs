//! What a notice says. Made of numbers and of words of our own alone. Pure.

use jiff::Timestamp;
use protocol::approval::TicketId;
use protocol::ids::ShortId;
use serde::Serialize;

/// The version of the JSON.
pub const NOTICE_VERSION: u32 = 1;

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A task waits for leave, by this ticket.
    Leave(TicketId),
    /// A task asks something.
    Question,
}

/// A notice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// [`NOTICE_VERSION`].
    pub version: u32,
    /// The same for the same thing, however often it is told.
    pub id: String,
    /// `leave` or `question`.
    pub kind: &'static str,
    /// The team.
    pub team: String,
    /// The host it is looked at and answered on.
    pub host: String,
    /// The task.
    pub task: ShortId,
    /// When it was asked.
    pub at: Timestamp,
    /// One line for people.
    pub text: String,
}

impl Notice {
    /// That a task of a team waits, by the `number`-th question it asked.
    pub fn of(
        kind: Kind,
        (team, host): (&str, &str),
        task: ShortId,
        number: u64,
        at: Timestamp,
    ) -> Self {
        let (name, text) = match kind {
            Kind::Leave(ticket) => (
                "leave",
                format!("{task} asks leave. On {host}: ai-infra approvals show {ticket}"),
            ),
            Kind::Question => (
                "question",
                format!("{task} asks a question. On {host}: ai-infra task show {task}"),
            ),
        };
        Self {
            version: NOTICE_VERSION,
            id: format!("{team}/{task}/{number}"),
            kind: name,
            team: team.to_owned(),
            host: host.to_owned(),
            task,
            at,
            text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_waits_and_where_to_look() {
        let of = |kind| Notice::of(kind, ("main", "web1"), ShortId(7), 2, Timestamp::UNIX_EPOCH);
        let leave = of(Kind::Leave(TicketId(41)));
        assert_eq!(
            leave.text,
            "t7 asks leave. On web1: ai-infra approvals show a41"
        );
        assert_eq!((leave.id.as_str(), leave.kind), ("main/t7/2", "leave"));
        let question = of(Kind::Question);
        assert_eq!(
            question.text,
            "t7 asks a question. On web1: ai-infra task show t7"
        );
    }
}
