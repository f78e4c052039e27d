//! What a person is shown before saying yes: made here, of the very fields the ticket is bound to, and
//! not of what an agent says about them. The agent's reason is marked as claimed. Pure.

use super::ticket::Ticket;
use protocol::acts::is_personal;
use serde_json::Value;

/// Most characters of one field that are shown; the rest is counted.
const FIELD: usize = 600;

/// Labels and texts, in the order they are read. Every text is tamed.
pub fn lines(ticket: &Ticket, host: &str) -> Vec<(String, String)> {
    let wanted = &ticket.wanted;
    let mut lines = Vec::new();
    let mut say = |label: &str, text: String| lines.push((label.to_owned(), tame(&text)));
    let field = |name: &str| wanted.action[name].as_str().unwrap_or_default().to_owned();
    match field("do").as_str() {
        "http_request" => {
            say("do", format!("{} {}", field("method"), field("url")));
            say(
                "to",
                format!("the endpoint `{}`, with its token", field("endpoint")),
            );
            if !field("body").is_empty() {
                say("body", field("body"));
            }
            let once = match &wanted.action["key"] {
                Value::Null => {
                    "the other side knows no key: it cannot be asked whether it happened"
                }
                _ => "the other side does it once for its key",
            };
            say("twice", once.to_owned());
        }
        "sql_execute" => {
            say("do", field("statement"));
            say("in", format!("the data source `{}`", field("source")));
            if wanted.action["params"]
                .as_array()
                .is_some_and(|all| !all.is_empty())
            {
                say("with", wanted.action["params"].to_string());
            }
        }
        other => {
            say("do", other.to_owned());
            for (name, value) in wanted.action.as_object().into_iter().flatten() {
                if name != "do" {
                    let text = value
                        .as_str()
                        .map_or_else(|| value.to_string(), str::to_owned);
                    say(name, text);
                }
            }
        }
    }
    if let Some(foreseen) = &wanted.foreseen {
        say("would change", foreseen.line());
    }
    say("on", format!("host {host}, at level {}", wanted.level));
    say(
        "for",
        format!(
            "{} of {}, step {}, agent {}",
            wanted.short, wanted.principal, wanted.step, wanted.agent
        ),
    );
    say("claimed", wanted.claimed.clone());
    say(
        "undo",
        wanted
            .undo
            .clone()
            .unwrap_or_else(|| "there is none".to_owned()),
    );
    say(
        "policy",
        match &wanted.above {
            None if is_personal(&wanted.kind) => {
                format!("each {} wants a yes of its own", wanted.kind)
            }
            None => format!("permissions.acts: {} = ask", wanted.kind),
            Some(above) => format!("asked because of its size: {above}"),
        },
    );
    lines
}

fn tame(text: &str) -> String {
    let all = text.chars().count();
    let hidden = |c: char| matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}');
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() || hidden(c) { ' ' } else { c })
        .take(FIELD)
        .collect();
    if all > FIELD {
        shown.push_str(&format!(" … and {} characters more", all - FIELD));
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::ticket::Wanted;
    use super::*;
    use jiff::Timestamp;
    use protocol::approval::TicketId;
    use serde_json::json;

    #[test]
    fn fields_are_shown_and_not_what_is_said_of_them() {
        let wanted = Wanted {
            task: "01".to_owned(),
            short: "t1".to_owned(),
            step: "execute/1/s".to_owned(),
            agent: "infra".to_owned(),
            principal: "ada(1000)".to_owned(),
            level: 1,
            kind: "http.change".to_owned(),
            action: json!({"do": "http_request", "endpoint": "hooks", "method": "POST", "url": "https://h/x\u{1b}[2J", "body": "b".repeat(700), "key": null}),
            undo: None,
            claimed: "harmless\u{202e}".to_owned(),
            foreseen: None,
            above: None,
            seen: None,
        };
        let ticket = Ticket::of(TicketId(1), wanted, "web1", Timestamp::UNIX_EPOCH);
        let lines = lines(&ticket, "web1");
        let of = |label: &str| {
            let found = lines.iter().find(|(l, _)| l == label);
            found.map(|(_, text)| text.as_str()).unwrap_or_default()
        };
        assert_eq!(of("do"), "POST https://h/x [2J");
        assert!(of("body").ends_with("and 100 characters more"));
        assert_eq!(of("claimed"), "harmless ");
        assert!(of("on").contains("web1") && of("undo").contains("none"));
        assert!(
            !lines
                .iter()
                .any(|(_, text)| text.chars().any(char::is_control))
        );
    }
}
