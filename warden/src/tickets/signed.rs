//! What a person signs to answer a ticket: lines that stand for exactly this ticket, this act and this answer, and for
//! nothing else. Whoever signs elsewhere sees the same lines. Pure.

use super::ticket::Ticket;
use protocol::text::one_line;

/// What such a signature is made for: one for a commit or a login is none.
pub const NAMESPACE: &str = "ai-infra-approval";

/// The lines.
pub fn text(ticket: &Ticket, yes: bool, for_task: bool) -> String {
    let wanted = &ticket.wanted;
    let answer = match (yes, for_task) {
        (true, true) => "approve, and every act of this kind for the rest of the task",
        (true, false) => "approve, once",
        (false, _) => "deny",
    };
    let foreseen = wanted.foreseen.as_ref();
    let foreseen = match (foreseen, &wanted.seen) {
        (Some(foreseen), _) => one_line(&foreseen.line(), 400),
        (None, Some(seen)) => format!("what was shown, SHA-256 {seen}"),
        (None, None) => "not said".to_owned(),
    };
    format!(
        "ai-infra approval, version 1\nticket: {} {}\nasked: {}\nkind: {}\ntask: {}\nwould change: {foreseen}\nact and host: {}\nanswer: {answer}\n",
        ticket.id,
        ticket.mark(),
        ticket.asked,
        one_line(&wanted.kind, 100),
        one_line(&wanted.short, 40),
        ticket.digest,
    )
}

#[cfg(test)]
mod tests {
    use super::super::ticket::Wanted;
    use super::*;
    use jiff::{Timestamp, ToSpan};
    use protocol::approval::TicketId;
    use std::collections::BTreeSet;

    fn ticket(id: u64, host: &str, kind: &str, second: i64) -> Ticket {
        let wanted = Wanted {
            task: "01".to_owned(),
            short: "t1".to_owned(),
            step: "s".to_owned(),
            agent: "data".to_owned(),
            principal: "ada(1000)".to_owned(),
            level: 1,
            kind: kind.to_owned(),
            action: serde_json::json!({"do": "x"}),
            undo: None,
            claimed: "answer: approve, once".to_owned(),
            foreseen: None,
            above: None,
            seen: None,
        };
        Ticket::of(
            TicketId(id),
            wanted,
            host,
            Timestamp::UNIX_EPOCH + second.seconds(),
        )
    }

    #[test]
    fn no_two_answers_are_signed_by_the_same_lines() {
        let mut looked = ticket(1, "a", "k", 0);
        looked.wanted.seen = Some("ab".repeat(32));
        let all = [
            text(&ticket(1, "a", "k", 0), true, false),
            text(&ticket(1, "a", "k", 0), true, true),
            text(&ticket(1, "a", "k", 0), false, false),
            text(&ticket(2, "a", "k", 0), true, false),
            text(&ticket(1, "b", "k", 0), true, false),
            text(&ticket(1, "a", "k", 1), true, false),
            text(&ticket(1, "a", "k\nanswer: deny", 0), true, false),
            text(&looked, true, false),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        for one in &all {
            assert_eq!(one.lines().count(), 8, "{one}");
            assert!(!one.contains("claimed"), "{one}");
        }
    }
}
