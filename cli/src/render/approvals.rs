//! Tickets as people read them. Pure.

use super::text::{columns, safe};
use jiff::Timestamp;
use protocol::approval::TicketState;
use warden::tickets::ticket::Ticket;

fn left(ticket: &Ticket, now: Timestamp) -> String {
    let minutes = (ticket.expires.as_second() - now.as_second()).max(0) / 60;
    match ticket.state {
        TicketState::Requested => format!("waits, {minutes} min left"),
        TicketState::Approved => format!("approved, to be used within {minutes} min"),
        state => state.to_string(),
    }
}

/// The tickets, newest first.
pub fn list(tickets: &[(Ticket, String)], now: Timestamp) -> String {
    if tickets.is_empty() {
        return "nothing waits for your leave\n".to_owned();
    }
    let row = |(ticket, mark): &(Ticket, String)| {
        let wanted = &ticket.wanted;
        vec![
            format!("{} {}", ticket.id, safe(mark)),
            left(ticket, now),
            safe(&wanted.short),
            safe(&wanted.agent),
            safe(&wanted.kind),
            safe(&wanted.claimed),
        ]
    };
    columns(&tickets.iter().map(row).collect::<Vec<_>>())
}

/// One ticket: what it is about, as the warden shows it, and what became of it.
pub fn facts(ticket: &Ticket, mark: &str, shown: &[(String, String)], now: Timestamp) -> String {
    let wanted = &ticket.wanted;
    let mut text = format!(
        "{} asks leave (level {}, ticket {} {}): {}\n",
        safe(&wanted.agent),
        wanted.level,
        ticket.id,
        safe(mark),
        left(ticket, now)
    );
    let rows = shown.iter();
    let rows = rows.map(|(label, text)| vec![format!("  {}", safe(label)), safe(text)]);
    text.push_str(&columns(&rows.collect::<Vec<_>>()));
    if let Some(said) = &ticket.said {
        let because = match said.because.is_empty() {
            true => String::new(),
            false => format!(": {}", safe(&said.because)),
        };
        text.push_str(&format!("  answered by {}{because}\n", safe(&said.by)));
    }
    text
}

/// One ticket, and what to type.
pub fn page(ticket: &Ticket, mark: &str, shown: &[(String, String)], now: Timestamp) -> String {
    let wanted = &ticket.wanted;
    let mut text = facts(ticket, mark, shown, now);
    if ticket.state == TicketState::Requested {
        let id = ticket.id;
        text.push_str(&format!(
            "  ai-infra approvals approve {id} {0}      ai-infra approvals deny {id} --because \"…\"\n  in the chat: /approve {id} {0}, or /deny {id}\n  {1} is parked and costs nothing while it waits\n",
            safe(mark),
            safe(&wanted.short)
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::approval::TicketId;
    use warden::tickets::ticket::Wanted;

    #[test]
    fn a_page_says_what_to_type_and_drives_no_terminal() {
        let wanted = Wanted {
            task: "01".to_owned(),
            short: "t142".to_owned(),
            step: "execute/1/s".to_owned(),
            agent: "infra".to_owned(),
            principal: "ada(1000)".to_owned(),
            level: 1,
            kind: "http.change".to_owned(),
            action: serde_json::Value::Null,
            undo: None,
            claimed: "x\u{1b}[2J".to_owned(),
            foreseen: None,
            above: None,
            seen: None,
        };
        let now = Timestamp::UNIX_EPOCH;
        let ticket = Ticket::of(TicketId(41), wanted, "web1", now);
        let shown = [("do".to_owned(), "POST https://h".to_owned())];
        let text = page(&ticket, "9c1e", &shown, now);
        for words in [
            "infra asks leave (level 1, ticket a41 9c1e): waits, 30 min left",
            "POST https://h",
            "ai-infra approvals approve a41 9c1e",
            "t142 is parked",
        ] {
            assert!(text.contains(words), "{words}: {text}");
        }
        let list = list(&[(ticket, "9c1e".to_owned())], now);
        assert!(
            list.starts_with("a41 9c1e") && !list.contains('\u{1b}'),
            "{list}"
        );
    }
}
