//! Which acts outside are allowed, how much they may do, and what the record says before them.

#![allow(clippy::unwrap_used)]
use super::*;
use guard::outside::{Database, Outside, Source};
use jiff::Timestamp;
use protocol::acts::{Acts, AtMost, Foreseen, Touched, Tried};
use protocol::approval::TicketId;
use protocol::level::Level;
use serde_json::json;
use warden::tickets::ticket::Said;

fn delete(key: &str) -> Act {
    Act::of(Operation::SqlExecute {
        source: "shop".to_owned(),
        statement: "DELETE FROM t".to_owned(),
        params: Vec::new(),
        key: key.to_owned(),
    })
}

fn granted(rule: Rule, above: Option<Rule>) -> Grant {
    let shop = Source {
        database: Database::Sqlite {
            file: "/srv/shop.db".into(),
        },
        write: true,
        backups: None,
    };
    let most = above.map(|above| AtMost {
        count: Some(5),
        above,
        ..AtMost::default()
    });
    let acts = Acts::from([("sql.change".to_owned(), rule)]);
    Grant {
        level: Level::Standard,
        tools: Vec::new(),
        host_read: false,
        outside: Outside {
            sources: [("shop".to_owned(), shop)].into(),
            ..Outside::default()
        },
        acts: acts.with_at_most(
            most.map(|most| ("sql.change".to_owned(), most))
                .into_iter()
                .collect(),
        ),
    }
}

fn seen(rows: u64) -> Foreseen {
    Foreseen::Tried(Tried {
        tables: vec![Touched {
            table: "t".to_owned(),
            changed: rows,
            added: 0,
            of: None,
        }],
        shape: false,
    })
}

const TASK: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

fn ticket(state: TicketState, foreseen: Option<Foreseen>) -> Ticket {
    let wanted = Wanted {
        task: TASK.to_owned(),
        short: "t1".to_owned(),
        step: "execute/1/s".to_owned(),
        agent: "data".to_owned(),
        principal: "ada(1000)".to_owned(),
        level: 1,
        kind: "sql.change".to_owned(),
        action: delete("k").action(),
        undo: None,
        claimed: String::new(),
        foreseen,
        above: None,
        seen: None,
    };
    let one = Ticket::of(TicketId(7), wanted, "web1", Timestamp::UNIX_EPOCH);
    Ticket { state, ..one }
}

/// The same by a yes to the kind for its task, above what a rule allows or not.
fn for_task(mut ticket: Ticket, above: Option<&str>) -> Ticket {
    ticket.wanted.above = above.map(str::to_owned);
    ticket.said = Some(Said {
        by: "ada".to_owned(),
        uid: 1000,
        key: None,
        at: Timestamp::UNIX_EPOCH,
        because: String::new(),
        for_task: true,
    });
    ticket
}

#[test]
fn how_much_is_what_was_said_yes_to_or_what_the_rule_allows() {
    let check =
        |rule: (Rule, Option<Rule>), trial: bool, ticket: Option<&Ticket>, expected: &str| {
            let grant = granted(rule.0, rule.1);
            let said = match allowed(&delete("k"), &grant, trial, ticket, Faults::default()) {
                Ok(bound) => format!("{:?} {} {}", bound.rows, bound.shape, bound.trial),
                Err(why) => why,
            };
            assert!(said.contains(expected), "{rule:?}: {said}");
        };
    use Rule::{Allow, Ask, Deny};
    let used = |foreseen| ticket(TicketState::Used, foreseen);
    let nine = used(Some(seen(9)));
    let unseen = used(Some(Foreseen::Untried("it calls f".to_owned())));
    let yes = Some(&nine);
    check((Allow, None), false, None, "None true false");
    check((Allow, Some(Ask)), false, None, "Some(5) false false");
    check((Allow, Some(Ask)), false, yes, "Some(9) false false");
    check((Allow, Some(Deny)), false, yes, "Some(5) false false");
    check((Ask, None), false, None, "needs a person's leave");
    check((Ask, None), false, yes, "Some(9) false false");
    check((Ask, None), true, None, "None true true");
    check((Deny, None), false, yes, "denies it");
    check((Deny, None), true, None, "denies it");
    // A yes to its kind is one to as much as the rule allows, whatever is said to be foreseen.
    check((Ask, Some(Ask)), false, Some(&unseen), "None true false");
    check(
        (Ask, Some(Ask)),
        false,
        Some(&for_task(unseen.clone(), None)),
        "Some(5) false false",
    );
    check(
        (Ask, Some(Ask)),
        false,
        Some(&for_task(nine.clone(), None)),
        "Some(5) false false",
    );
    check(
        (Ask, Some(Ask)),
        false,
        Some(&for_task(nine.clone(), Some("9 rows"))),
        "Some(9) false false",
    );
    check(
        (Ask, None),
        false,
        Some(&used(None)),
        "does not say what would change",
    );
    let mut low = granted(Allow, None);
    low.level = Level::Restricted;
    let said = allowed(&delete("k"), &low, false, yes, Faults::default());
    assert!(said.unwrap_err().contains("needs level 1"));
}

#[test]
fn a_ticket_is_for_one_act_of_one_task() {
    let task: TaskId = TASK.parse().unwrap();
    let other: TaskId = "01890a5d-ac96-774b-bcce-b302099a8058".parse().unwrap();
    let used = ticket(TicketState::Used, None);
    let grown = Ticket {
        grown: Some(seen(9)),
        ..used.clone()
    };
    for (ticket, act, role, task, expected) in [
        (&used, delete("k"), "data", task, None),
        (&used, delete("l"), "data", task, Some("something else")),
        (&used, delete("k"), "qa", task, Some("something else")),
        (&used, delete("k"), "data", other, Some("something else")),
        (
            &ticket(TicketState::Approved, None),
            delete("k"),
            "data",
            task,
            Some("was not used"),
        ),
        (
            &ticket(TicketState::Denied, None),
            delete("k"),
            "data",
            task,
            Some("was not used"),
        ),
        (&grown, delete("k"), "data", task, Some("ask anew")),
    ] {
        let said = is_for(ticket, &act, role, Some(task), Faults::default()).err();
        assert_eq!(said.is_some(), expected.is_some(), "{said:?}");
        assert!(
            said.unwrap_or_default()
                .contains(expected.unwrap_or_default())
        );
    }
}

#[test]
fn what_stands_in_the_record_is_what_is_done() {
    let said = json!({"principal": "ada(1000)", "agent": "data@web1#7", "task": "t9", "call": "execute/1/s", "epoch": 3,
        "level": 0, "ticket": "a9", "tool": "Read", "args_sha256": "00", "summary": "read a file", "stage": "after", "outcome": "ok"});
    let wanted = ForAct {
        operation: delete("k").operation,
        files: false,
        trial: true,
        ticket: None,
        entry: serde_json::from_value(said).unwrap(),
    };
    let line = line(&wanted, &delete("k"), ShortId(1), &Redactor::default());
    assert_eq!(
        (line.task.as_str(), line.level, line.tool.as_str()),
        ("t1", 1, "SqlExecute")
    );
    assert_eq!(
        (line.ticket.as_str(), line.outcome.as_str(), line.stage),
        ("", "", Stage::Before)
    );
    assert!(
        line.summary.starts_with("try, and take back: ") && line.summary.contains("shop"),
        "{}",
        line.summary
    );
    assert_eq!((line.call.as_str(), line.epoch), ("execute/1/s", 3));
}
