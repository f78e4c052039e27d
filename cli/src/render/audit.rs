//! The record of acts as people read it. Pure.

use super::text::{columns, count, safe};
use jiff::tz::TimeZone;
use protocol::audit::AnchorLine;
use warden::audit::line::{Line, Stage};
use warden::audit::reader::Checked;
use warden::audit::verify::Fault;

/// Characters of a digest that are shown.
const SHORT: usize = 8;

fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Before => "begins",
        Stage::After => "ended",
        Stage::Refused => "refused",
        Stage::Note => "note",
    }
}

/// Lines, oldest first.
pub fn lines(lines: &[Line], zone: &TimeZone) -> String {
    if lines.is_empty() {
        return "nothing was done on this host yet\n".to_owned();
    }
    let row = |line: &Line| {
        let at = line.ts.to_zoned(zone.clone());
        let who = match line.task.is_empty() {
            true => line.agent.clone(),
            false => format!("{} {}", line.task, line.agent),
        };
        let mut what = [line.tool.as_str(), line.summary.as_str()]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>();
        // An act of which there is no more to say than its tool.
        what.dedup();
        let mut what = what.join(": ");
        if !line.outcome.is_empty() {
            what.push_str(&format!(" → {}", line.outcome));
        }
        if !line.ticket.is_empty() {
            what.push_str(&format!(" (by {})", line.ticket));
        }
        vec![
            line.seq.to_string(),
            at.strftime("%m-%d %H:%M:%S").to_string(),
            stage(line.stage).to_owned(),
            safe(&who),
            safe(&what),
        ]
    };
    columns(&lines.iter().map(row).collect::<Vec<_>>())
}

/// A chain that is whole, and what was looked at to say so.
pub fn whole(checked: &Checked, anchors: Option<&[AnchorLine]>, shared: bool) -> String {
    let head = &checked.whole.head;
    let short: String = head.hash.chars().take(SHORT).collect();
    let lines = count(head.seq, "line", "lines");
    let mut text = match head.seq {
        0 => "nothing was recorded on this host yet\n".to_owned(),
        _ => format!("chain intact: {lines}, head {short}…\n"),
    };
    let mut say = |line: String| text.push_str(&format!("  {line}\n"));
    match checked.sealed {
        true if shared => say(
            "every seal fits. The agents share your user: the walls around each keep them from the key, its file mode does not"
                .to_owned(),
        ),
        true => say("every seal fits".to_owned()),
        false if head.seq > 0 => say(
            "seals were NOT looked at: the warden's key cannot be read; a chain written anew would not be seen"
                .to_owned(),
        ),
        false => {}
    }
    match anchors {
        None => say(
            "the team is down: what the ledger and redis remember was not asked; with the team up a record that was replaced whole is seen too"
                .to_owned(),
        ),
        Some([]) => say("neither the ledger nor redis remembers it yet".to_owned()),
        Some(all) => {
            let each = all.iter().map(|one| format!("{} up to line {}", one.by, one.seq));
            let each: Vec<String> = each.collect();
            say(format!("as remembered by {}", each.join(" and ")));
        }
    }
    if checked.whole.open > 0 {
        let open = count(checked.whole.open, "act", "acts");
        say(format!(
            "{open} begun without a line about the end: running now, or cut off"
        ));
    }
    if checked.torn > 0 {
        say(
            "the last line was cut off while it was written; the warden says so when it starts"
                .to_owned(),
        );
    }
    text
}

/// A chain that is not.
pub fn broken(fault: &Fault) -> String {
    format!(
        "chain BROKEN at line {}: {}\n  the lines before it are whole; compare with a backup or an earlier export\n",
        fault.line,
        safe(&fault.why)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use warden::audit::verify::{Head, Whole};

    fn checked(seq: u64, sealed: bool, open: u64) -> Checked {
        Checked {
            whole: Whole {
                head: Head {
                    seq,
                    hash: "9c1e55aa00".to_owned(),
                },
                open,
            },
            sealed,
            torn: 0,
        }
    }

    #[test]
    fn what_was_looked_at_is_said() {
        let check = |text: String, words: &[&str]| {
            for word in words {
                assert!(text.contains(word), "{word}: {text}");
            }
        };
        let anchor = AnchorLine {
            host: "h".to_owned(),
            by: "the ledger".to_owned(),
            seq: 410,
            hash: String::new(),
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        check(
            whole(&checked(412, true, 0), Some(&[anchor]), false),
            &[
                "chain intact: 412 lines, head 9c1e55aa…",
                "by the ledger up to line 410",
            ],
        );
        check(
            whole(&checked(1, false, 2), None, true),
            &["1 line,", "NOT looked at", "team is down", "2 acts begun"],
        );
        let fault = Fault {
            line: 7,
            why: "x\u{1b}[2J".to_owned(),
        };
        let said = broken(&fault);
        assert!(
            said.contains("BROKEN at line 7: x") && !said.contains('\u{1b}'),
            "{said}"
        );
    }
}
