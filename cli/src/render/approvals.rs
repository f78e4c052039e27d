//! Tickets as people read them. What decides is shown whole and in its own lines: a line that a text begins has
//! a mark before it that no text can write, so that none passes for a label, for another line or for the end.

use super::text::{columns, safe};
use crate::terminal;
use jiff::Timestamp;
use protocol::approval::TicketState;
use unicode_width::UnicodeWidthChar;
use warden::tickets::ticket::Ticket;

/// Below this there is no room for a text beside its label.
const NARROW: usize = 20;

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

/// Labels and their texts, on a terminal of some width with no line wider than that: one that the terminal broke
/// would go on where labels stand.
fn rows(shown: &[(String, String)], width: Option<usize>) -> String {
    let label = |label: &str| safe(label).replace('\n', " ");
    let labels: Vec<String> = shown.iter().map(|(one, _)| label(one)).collect();
    let widest = labels.iter().map(|one| one.chars().count()).max();
    let widest = widest.unwrap_or_default();
    let column = widest + 4;
    let room = width.and_then(|width| width.checked_sub(column));
    let room = room.filter(|room| *room >= NARROW);
    let mut rows = String::new();
    for (label, (_, text)) in labels.iter().zip(shown) {
        let mut front = format!("  {label:<widest$}  ");
        for line in safe(text).replace('\t', "    ").split('\n') {
            for part in parts(line, room.unwrap_or(usize::MAX)) {
                rows.push_str(format!("{front}{part}").trim_end());
                rows.push('\n');
                front = " ".repeat(column);
            }
            front = format!("{:>column$}", "│ ");
        }
    }
    rows
}

/// A line in parts that have room, each but the first with the blank it was broken at, where it was at one.
fn parts(line: &str, room: usize) -> Vec<&str> {
    let (mut parts, mut rest) = (Vec::new(), line);
    loop {
        let mut used = 0;
        let too_wide = |c: char| {
            used += c.width().unwrap_or(0);
            used > room
        };
        let Some(end) = rest.find(too_wide) else {
            parts.push(rest);
            return parts;
        };
        let reach = end + usize::from(rest[end..].starts_with(' '));
        let blank = rest[..reach].rfind(' ').filter(|at| *at > end / 2);
        let (part, after) = rest.split_at(blank.unwrap_or(end));
        parts.push(part);
        rest = after;
    }
}

/// One ticket: what it is about, as the warden shows it, and what became of it.
pub fn facts(
    ticket: &Ticket,
    mark: &str,
    shown: &[(String, String)],
    (now, width): (Timestamp, Option<usize>),
) -> String {
    let wanted = &ticket.wanted;
    let mut text = format!(
        "{} asks leave (level {}, ticket {} {}): {}\n",
        safe(&wanted.agent),
        wanted.level,
        ticket.id,
        safe(mark),
        left(ticket, now)
    );
    text.push_str(&rows(shown, width));
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
    let width = terminal::size().map(|(columns, _)| columns);
    let mut text = facts(ticket, mark, shown, (now, width));
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

    #[test]
    fn no_text_passes_for_a_label_or_a_line_of_its_own() {
        let long = "-- aaaa bbbb cccc dddd eeee\nWHERE\tid";
        for (text, width, expected) in [
            // As it always was.
            ("POST https://h", None, "  do       POST https://h\n"),
            ("POST https://h", Some(40), "  do       POST https://h\n"),
            (
                long,
                None,
                "  do       -- aaaa bbbb cccc dddd eeee\n         │ WHERE    id\n",
            ),
            // What is broken for want of room has no mark, and keeps the blank at which it was broken.
            (
                long,
                Some(31),
                "  do       -- aaaa bbbb cccc\n            dddd eeee\n         │ WHERE    id\n",
            ),
            (
                "日本語の文字は二列の幅がある",
                Some(31),
                "  do       日本語の文字は二列の\n           幅がある\n",
            ),
            (
                "a\n  claimed  b\n\nt1 is parked",
                None,
                "  do       a\n         │   claimed  b\n         │\n         │ t1 is parked\n",
            ),
            (
                "x → y z aaaaaaaaaaaaaaaaaaa",
                Some(31),
                "  do       x → y z aaaaaaaaaaaa\n           aaaaaaa\n",
            ),
            // No room at all.
            (
                "-- aaaa bbbb cccc dddd eeee",
                Some(20),
                "  do       -- aaaa bbbb cccc dddd eeee\n",
            ),
        ] {
            let shown = [("do", text), ("claimed", "c")];
            let shown = shown.map(|(label, text)| (label.to_owned(), text.to_owned()));
            let rows = rows(&shown, width);
            assert_eq!(rows, format!("{expected}  claimed  c\n"), "{text}");
            // The terminal has nothing left to fold.
            if let Some(width) = width.filter(|width| *width > 30) {
                assert_eq!(crate::render::fold::fold(&rows, width), rows);
            }
        }
    }
}
