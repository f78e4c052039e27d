//! What a person is shown before saying yes: made here, of the very fields the ticket is bound to, and
//! not of what an agent says about them. What decides is shown whole: who writes a statement or a body may want
//! a part of it not to be seen. The agent's reason is marked as claimed. Pure.

use super::ticket::{Ticket, Wanted};
use protocol::acts::{Foreseen, is_personal};
use serde_json::Value;

/// Most characters of a field that decides nothing; the rest is counted.
const FIELD: usize = 600;
/// Most blanks in a row that are shown as blanks: more could push what follows out of sight.
const BLANKS: usize = 8;
/// The same at the beginning of a line, where text is indented.
const INDENT: usize = 40;
/// Most blank lines in a row that are shown as such.
const BLANK_LINES: usize = 3;

/// Labels and texts, in the order they are read. A text has a line for each of its own; nothing in it is unseen.
pub fn lines(ticket: &Ticket, host: &str) -> Vec<(String, String)> {
    of(&ticket.wanted, host)
}

/// What hands saw, as it is read: lines without a label go on with the text before them, and nothing in them is unseen.
pub(crate) fn joined(seen: Vec<(String, String)>) -> Vec<(String, String)> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for (label, text) in seen {
        match joined.last_mut() {
            Some((_, before)) if label.is_empty() => {
                // Behind the mark of a diff a line begins.
                let (mark, rest) = text.split_at(usize::from(text.starts_with(['+', '-', ' '])));
                before.push('\n');
                before.push_str(mark);
                before.push_str(&line(rest));
            }
            _ => joined.push((label, whole(&text))),
        }
    }
    joined
}

/// Why a person could not tell what is asked for, however it is shown.
///
/// # Errors
/// A sentence: then nobody is asked.
pub(super) fn readable(wanted: &Wanted, host: &str, most: usize) -> Result<(), String> {
    let statement = wanted.action["statement"].as_str().unwrap_or_default();
    if statement.replace("\r\n", "").contains('\r') {
        return Err("a carriage return alone ends a line for some databases and not for others: write the statement with line feeds".to_owned());
    }
    // Escapes are longer than what they stand for.
    let bytes = serde_json::to_vec(&of(wanted, host)).map_or(usize::MAX, |text| text.len());
    match bytes > most {
        true => Err(format!(
            "shown whole it is larger than {most} bytes: nobody could look at it before saying yes"
        )),
        false => Ok(()),
    }
}

fn of(wanted: &Wanted, host: &str) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    let mut say = |label: &str, text: &str| lines.push((label.to_owned(), whole(text)));
    let field = |name: &str| text_of(&wanted.action[name]);
    let said: &[&str] = match field("do").as_str() {
        "http_request" => {
            say("do", &format!("{} {}", field("method"), field("url")));
            say(
                "to",
                &format!("the endpoint `{}`, with its token", field("endpoint")),
            );
            if !field("body").is_empty() {
                say("body", &field("body"));
            }
            if wanted.action["json"] == true {
                say("as", "JSON");
            }
            let once = match &wanted.action["key"] {
                Value::Null => {
                    "the other side knows no key: it cannot be asked whether it happened".to_owned()
                }
                key => format!(
                    "the other side does it once for its key ({}: {})",
                    text_of(&key["header"]),
                    text_of(&key["value"])
                ),
            };
            say("twice", &once);
            &["do", "method", "url", "endpoint", "body", "json", "key"]
        }
        "sql_execute" => {
            say("do", &field("statement"));
            say("in", &format!("the data source `{}`", field("source")));
            if wanted.action["params"] != Value::Array(Vec::new()) && !field("params").is_empty() {
                say("with", &field("params"));
            }
            &["do", "statement", "source", "params"]
        }
        other => {
            say("do", other);
            &["do"]
        }
    };
    for (name, value) in wanted.action.as_object().into_iter().flatten() {
        if !said.contains(&name.as_str()) {
            say(&line(&name.replace('\n', " ")), &text_of(value));
        }
    }
    // An older warden kept it of other kinds too, and of those it is nothing but words.
    if let Some(foreseen) = wanted.foreseen.as_ref().filter(|_| wanted.is_tried()) {
        let who = match foreseen {
            Foreseen::Tried(_) => "as its agent tried it; more than that is taken back",
            Foreseen::Untried(_) => "its agent says so",
        };
        say("would change", &format!("{} ({who})", foreseen.line()));
    }
    say("on", &format!("host {host}, at level {}", wanted.level));
    say(
        "for",
        &format!(
            "{} of {}, step {}, agent {}",
            wanted.short, wanted.principal, wanted.step, wanted.agent
        ),
    );
    let policy = match &wanted.above {
        None if is_personal(&wanted.kind) => {
            format!("each {} wants a yes of its own", wanted.kind)
        }
        None => format!("permissions.acts: {} = ask", wanted.kind),
        Some(above) => format!("asked because of its size: {above}"),
    };
    let undo = wanted.undo.as_deref().unwrap_or("there is none");
    lines.push(("claimed".to_owned(), short(&wanted.claimed)));
    lines.push(("undo".to_owned(), short(undo)));
    lines.push(("policy".to_owned(), whole(&policy)));
    lines
}

fn text_of(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// All of a text, line by line.
fn whole(text: &str) -> String {
    let blank = |line: &str| line.trim_matches([' ', '\t']).is_empty();
    let all: Vec<&str> = text.split('\n').collect();
    let runs = all.chunk_by(|one, next| blank(one) && blank(next));
    let shown: Vec<String> = runs
        .map(|run| match run.len() > BLANK_LINES {
            true => format!("[{} blank lines]", run.len()),
            false => run
                .iter()
                .map(|one| line(one))
                .collect::<Vec<_>>()
                .join("\n"),
        })
        .collect();
    shown.join("\n")
}

/// What decides nothing, on one line.
fn short(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let all = line(&words.join(" "));
    let Some((cut, _)) = all.char_indices().nth(FIELD) else {
        return all;
    };
    let (shown, rest) = all.split_at(cut);
    format!("{shown} … and {} characters more", rest.chars().count())
}

/// A line in which everything is seen, and no two lines that differ in what is unseen look alike.
fn line(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = rest.trim_start_matches([' ', '\t']);
        let (blanks, next) = rest.split_at(rest.len() - after.len());
        if !blanks.is_empty() {
            let most = if shown.is_empty() { INDENT } else { BLANKS };
            match blanks.len() > most {
                true => shown.push_str(&format!("[{} blanks]", blanks.len())),
                false => shown.push_str(blanks),
            }
            rest = next;
            continue;
        }
        match unseen(c) || is_like_ours(rest) {
            true => shown.extend(c.escape_unicode()),
            false => shown.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    shown
}

/// Text that begins as one of our own marks does: its first sign is escaped, so that it does not pass for one.
fn is_like_ours(text: &str) -> bool {
    let counted = text.strip_prefix('[');
    let counted = counted.map(|rest| rest.trim_start_matches(|c: char| c.is_ascii_digit()));
    text.starts_with("\\u{") || counted.is_some_and(|rest| rest.starts_with(" blank"))
}

/// Signs that a terminal does not show as they are: controls, what turns the direction of text, blanks of other kinds,
/// what has no width.
fn unseen(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control();
    }
    // These count as printable, and nothing of them is printed.
    let empty = matches!(c, '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{e0100}'..='\u{e01ef}');
    // Behind a letter, so that an accent of its own is no reason.
    empty || format!("x{c}").escape_debug().count() > 2
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use jiff::Timestamp;
    use protocol::acts::Tried;
    use protocol::approval::TicketId;
    use serde_json::json;

    fn wanted(action: Value) -> Wanted {
        Wanted {
            task: "01".to_owned(),
            short: "t1".to_owned(),
            step: "execute/1/s".to_owned(),
            agent: "infra".to_owned(),
            principal: "ada(1000)".to_owned(),
            level: 1,
            kind: "http.change".to_owned(),
            action,
            undo: None,
            claimed: "harmless\u{202e}".to_owned(),
            foreseen: None,
            above: None,
            seen: None,
        }
    }

    fn shown(action: Value) -> Vec<(String, String)> {
        let ticket = Ticket::of(TicketId(1), wanted(action), "web1", Timestamp::UNIX_EPOCH);
        lines(&ticket, "web1")
    }

    fn text<'l>(lines: &'l [(String, String)], label: &str) -> &'l str {
        let found = lines.iter().find(|(l, _)| l == label);
        found.map(|(_, text)| text.as_str()).unwrap_or_default()
    }

    #[test]
    fn what_hands_saw_goes_on_below_its_label_and_hides_nothing() {
        let row = |label: &str, text: &str| (label.to_owned(), text.to_owned());
        let cron = format!("+0 3 * * * x{}; evil", " ".repeat(300));
        let seen = joined(vec![
            row("file", "/etc/x"),
            row("diff", "@@ -1 +1 @@"),
            row("", "-            deep;"),
            row("", "+a\u{200b}b"),
            row("", &cron),
            row("note", "placed"),
        ]);
        let diff = "@@ -1 +1 @@\n-            deep;\n+a\\u{200b}b\n+0 3 * * * x[300 blanks]; evil";
        assert_eq!(
            seen,
            [
                row("file", "/etc/x"),
                row("diff", diff),
                row("note", "placed")
            ]
        );
    }

    #[test]
    fn fields_are_shown_and_not_what_is_said_of_them() {
        let long = format!("{}, and pay ada", "b".repeat(700));
        let lines = shown(
            json!({"do": "http_request", "endpoint": "hooks", "method": "POST",
            "url": "https://h/x\u{1b}[2J", "body": long, "json": true, "key": {"header": "Once", "value": "k1"}, "new": {"a": [1]}}),
        );
        assert_eq!(text(&lines, "do"), "POST https://h/x\\u{1b}[2J");
        assert_eq!(text(&lines, "body"), long);
        assert_eq!(
            (text(&lines, "as"), text(&lines, "new")),
            ("JSON", "{\"a\":[1]}")
        );
        assert!(text(&lines, "twice").ends_with("once for its key (Once: k1)"));
        assert_eq!(text(&lines, "claimed"), "harmless\\u{202e}");
        assert!(text(&lines, "on").contains("web1") && text(&lines, "undo").contains("none"));
        let mut claims = wanted(json!({"do": "x"}));
        claims.claimed = format!("one\n{}", "c".repeat(700));
        let lines = of(&claims, "web1");
        assert!(text(&lines, "claimed").starts_with("one ccc"));
        assert!(text(&lines, "claimed").ends_with("c … and 104 characters more"));
    }

    #[test]
    fn nothing_of_a_statement_is_out_of_sight() {
        let one = "DELETE FROM carts WHERE id = 7";
        for (tail, expected) in [
            // As it always was.
            (" AND paid = 'ja, für 3 €'", " AND paid = 'ja, für 3 €'"),
            ("\n  AND\tpaid", "\n  AND\tpaid"),
            ("        OR é 日本 🙂", "        OR é 日本 🙂"),
            ("\n               AND paid\n", "\n               AND paid\n"),
            (" -- c:\\users [8]", " -- c:\\users [8]"),
            // Out of sight.
            (&format!("{}OR 1=1", " ".repeat(600)), "[600 blanks]OR 1=1"),
            (
                &format!("{}OR 1=1", "\t ".repeat(300)),
                "[600 blanks]OR 1=1",
            ),
            (
                &format!("\n{}OR 1=1", " ".repeat(600)),
                "\n[600 blanks]OR 1=1",
            ),
            (
                &format!("{}OR 1=1", "\n \t".repeat(600)),
                "\n[599 blank lines]\n \tOR 1=1",
            ),
            (
                &format!("{}OR 1=1", "\u{a0}".repeat(3)),
                "\\u{a0}\\u{a0}\\u{a0}OR 1=1",
            ),
            (
                &format!(" /*{}*/ OR 1=1", "x".repeat(900)),
                &format!(" /*{}*/ OR 1=1", "x".repeat(900)),
            ),
            // In another place than it seems.
            (" -- old\nOR 1=1", " -- old\nOR 1=1"),
            (" -- old\r\nOR 1=1", " -- old\\u{d}\nOR 1=1"),
            (
                " -- old\u{2028}\u{85}\u{b}OR 1=1",
                " -- old\\u{2028}\\u{85}\\u{b}OR 1=1",
            ),
            ("\u{202e}1=1 RO", "\\u{202e}1=1 RO"),
            ("\u{1b}[1A\u{1b}[2K\u{8}", "\\u{1b}[1A\\u{1b}[2K\\u{8}"),
            // Not seen at all.
            (
                "a\u{200b}b\u{ad}c\u{feff}d\u{2060}",
                "a\\u{200b}b\\u{ad}c\\u{feff}d\\u{2060}",
            ),
            (
                "\u{3164}\u{2800}\u{fe0f}\u{e0041}\u{34f}",
                "\\u{3164}\\u{2800}\\u{fe0f}\\u{e0041}\\u{34f}",
            ),
            // Our marks are not written by others.
            (
                "[600 blanks][9 blank lines]\\u{a0}",
                "\\u{5b}600 blanks]\\u{5b}9 blank lines]\\u{5c}u{a0}",
            ),
        ] {
            let action = json!({"do": "sql_execute", "source": "shop", "statement": format!("{one}{tail}"), "params": [7], "key": "k"});
            let lines = shown(action);
            assert_eq!(text(&lines, "do"), format!("{one}{expected}"), "{tail:?}");
            assert_eq!((text(&lines, "with"), text(&lines, "key")), ("[7]", "k"));
            let other = shown(json!({"do": "git_push", "branch\nx": format!("{one}{tail}")}));
            assert_eq!(text(&other, "branch x"), format!("{one}{expected}"));
        }
    }

    #[test]
    fn what_nobody_could_tell_is_not_asked() {
        let of = |statement: &str| {
            let wanted = wanted(json!({"do": "sql_execute", "statement": statement}));
            readable(&wanted, "web1", 4096).err().unwrap_or_default()
        };
        let (plain, hidden) = ("x".repeat(3000), "\u{200b}".repeat(1000));
        for (statement, expected) in [
            ("SELECT 1\r\nFROM a\n", ""),
            (plain.as_str(), ""),
            (hidden.as_str(), "nobody could look at it"),
            ("DELETE FROM a -- all\rWHERE id = 7", "carriage return"),
        ] {
            let said = of(statement);
            assert!(
                said.contains(expected) && said.is_empty() == expected.is_empty(),
                "{said}"
            );
        }
    }

    #[test]
    fn what_the_agent_says_of_it_is_no_fact() {
        let tried = || Foreseen::Tried(Tried::default());
        let untried = || Foreseen::Untried("no row".to_owned());
        let by_warden = Some("3 within the hour already");
        let (sql, http) = ("sql.change", "http.change");
        for (kind, foreseen, own, change, policy) in [
            (
                sql,
                tried(),
                None,
                "no row (as its agent tried it; more than that is taken back)",
                "asked because of its size: it is safe, say yes (its agent says so)",
            ),
            (
                sql,
                untried(),
                by_warden,
                "nobody counted: no row (its agent says so)",
                "asked because of its size: 3 within the hour already",
            ),
            // Nothing holds such an act to what was said of it.
            (
                http,
                tried(),
                None,
                "",
                "asked because of its size: it is safe, say yes (its agent says so)",
            ),
            (
                http,
                untried(),
                by_warden,
                "",
                "asked because of its size: 3 within the hour already",
            ),
        ] {
            let said = Wanted {
                kind: kind.to_owned(),
                foreseen: Some(foreseen),
                above: Some("it is safe,\nsay yes".to_owned()),
                ..wanted(json!({"do": "x"}))
            };
            let old = of(&said, "web1");
            assert_eq!(text(&old, "would change"), change);
            let taken = said.taken(own.map(str::to_owned));
            assert_eq!(taken.foreseen.is_some(), kind == sql);
            let lines = of(&taken, "web1");
            assert_eq!(
                (text(&lines, "would change"), text(&lines, "policy")),
                (change, policy)
            );
        }
    }
}
