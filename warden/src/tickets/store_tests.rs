//! The drills of a ticket, without a team around it: time is given.

#![allow(clippy::unwrap_used)]
use super::*;
use jiff::ToSpan;
use serde_json::json;

fn at(minute: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + minute.minutes()
}

fn wanted(step: &str, url: &str) -> Wanted {
    Wanted {
        task: "01".to_owned(),
        short: "t1".to_owned(),
        step: step.to_owned(),
        agent: "infra".to_owned(),
        principal: "ada(1000)".to_owned(),
        level: 1,
        kind: "http.change".to_owned(),
        action: json!({"do": "http_request", "method": "POST", "url": url}),
        undo: None,
        claimed: "it must be".to_owned(),
        foreseen: None,
        above: None,
        seen: None,
    }
}

struct Drill {
    _folder: tempfile::TempDir,
    path: PathBuf,
    store: Store,
}

impl Drill {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tickets.jsonl");
        let store = Store::open(&path, "h").unwrap();
        Self {
            _folder: folder,
            path,
            store,
        }
    }

    fn restart(&mut self) {
        self.store = Store::open(&self.path, "h").unwrap();
    }

    fn ask(&mut self, step: &str, url: &str, minute: i64) -> Result<Ticket, String> {
        self.store.request(wanted(step, url), at(minute))
    }

    fn say(
        &mut self,
        ticket: &Ticket,
        yes: bool,
        for_task: bool,
        minute: i64,
    ) -> Result<Ticket, String> {
        let said = Said {
            by: "ada".to_owned(),
            uid: 1000,
            key: None,
            at: at(minute),
            because: String::new(),
            for_task,
        };
        let answer = Answer {
            id: ticket.id,
            mark: ticket.mark(),
            yes,
            said,
        };
        self.store.answer(answer, at(minute))
    }
}

fn no(said: Result<Ticket, String>, words: &str) {
    let said = said.unwrap_err();
    assert!(said.contains(words), "{said}");
}

#[test]
fn a_yes_is_good_once_for_exactly_this_over_any_restart() {
    let mut drill = Drill::new();
    let asked = drill.ask("s", "https://a", 0).unwrap();
    assert_eq!(
        (asked.id.to_string(), asked.mark().len()),
        ("a1".to_owned(), 4)
    );
    drill.restart();
    assert_eq!(drill.ask("s", "https://a", 5).unwrap(), asked);
    no(
        drill.store.burn(asked.id, &asked.wanted, at(6)),
        "not answered yet",
    );
    drill.say(&asked, true, false, 20).unwrap();
    drill.restart();
    no(drill.say(&asked, false, false, 21), "approved already");
    // For something else, in another step, of another task.
    for other in [
        wanted("s", "https://b"),
        wanted("s2", "https://a"),
        Wanted {
            task: "02".to_owned(),
            ..asked.wanted.clone()
        },
    ] {
        no(drill.store.burn(asked.id, &other, at(22)), "something else");
    }
    let used = drill.store.burn(asked.id, &asked.wanted, at(45)).unwrap();
    assert_eq!(used.state, TicketState::Used);
    drill.restart();
    // The same step after a crash, and nothing else.
    assert_eq!(drill.ask("s", "https://a", 46).unwrap(), used);
    assert_eq!(drill.store.burn(asked.id, &asked.wanted, at(500)), Ok(used));
    let next = drill.ask("s2", "https://a", 47).unwrap();
    assert_eq!((next.id.0, next.state), (2, TicketState::Requested));
}

#[test]
fn what_nobody_answers_and_what_nobody_uses_expires() {
    let mut drill = Drill::new();
    let asked = drill.ask("s", "https://a", 0).unwrap();
    no(drill.say(&asked, true, false, 30), "expired already");
    assert_eq!(
        drill.ask("s", "https://a", 31).unwrap().state,
        TicketState::Expired
    );
    let second = drill.ask("s2", "https://a", 31).unwrap();
    drill.say(&second, true, false, 60).unwrap();
    drill.restart();
    no(
        drill.store.burn(second.id, &second.wanted, at(90)),
        "expired already",
    );
}

/// Given while the clock was two hours ahead, and answered or not: put back, it is good for no two hours more.
#[test]
fn a_clock_that_was_ahead_gives_no_ticket_more_time() {
    for (back, late) in [(119, false), (60, true), (0, true)] {
        let mut drill = Drill::new();
        let open = drill.ask("s", "https://a", 120).unwrap();
        let said = drill.ask("s2", "https://a", 120).unwrap();
        drill.say(&said, true, false, 120).unwrap();
        drill.restart();
        let went = drill.store.expire(at(back)).unwrap();
        assert_eq!(went.len(), if late { 2 } else { 0 }, "{back}");
        let burned = drill.store.burn(said.id, &said.wanted, at(back));
        assert_eq!(burned.is_err(), late, "{back}: {burned:?}");
        assert_eq!(drill.say(&open, true, false, back).is_err(), late, "{back}");
    }
}

#[test]
fn a_no_holds_and_a_change_after_the_request_is_refused() {
    let mut drill = Drill::new();
    let asked = drill.ask("s", "https://a", 0).unwrap();
    drill.say(&asked, false, false, 1).unwrap();
    assert_eq!(
        drill.ask("s", "https://a", 2).unwrap().state,
        TicketState::Denied
    );
    no(
        drill.store.burn(asked.id, &asked.wanted, at(3)),
        "denied already",
    );
    let asked = drill.ask("s2", "https://a", 0).unwrap();
    drill.say(&asked, true, false, 1).unwrap();
    no(drill.ask("s2", "https://b", 2), "changed after the request");
    no(
        drill.store.burn(asked.id, &asked.wanted, at(3)),
        "cancelled already",
    );
    let asked = drill.ask("s3", "https://a", 0).unwrap();
    assert_eq!(drill.store.cancel("01", at(1)).unwrap().len(), 1);
    no(drill.say(&asked, true, false, 2), "cancelled already");
}

#[test]
fn the_four_characters_are_the_tickets_own() {
    let mut drill = Drill::new();
    let asked = drill.ask("s", "https://a", 0).unwrap();
    let mut other = asked.clone();
    other.digest = "x".repeat(64);
    no(drill.say(&other, true, false, 1), "does not stand for");
    other.id = TicketId(9);
    no(drill.say(&other, true, false, 1), "no ticket a9");
}

#[test]
fn a_kind_may_be_allowed_for_one_task() {
    let mut drill = Drill::new();
    let asked = drill.ask("s", "https://a", 0).unwrap();
    drill.say(&asked, true, true, 1).unwrap();
    let next = drill.ask("s2", "https://b", 2).unwrap();
    assert_eq!(next.state, TicketState::Approved);
    assert!(next.said.unwrap().because.contains("by a1"));
    let mut other = wanted("s3", "https://a");
    other.kind = "sql.change".to_owned();
    assert_eq!(
        drill.store.request(other, at(3)).unwrap().state,
        TicketState::Requested
    );
    let mut other = wanted("s", "https://a");
    other.task = "02".to_owned();
    assert_eq!(
        drill.store.request(other, at(3)).unwrap().state,
        TicketState::Requested
    );
}

#[test]
fn a_torn_line_is_no_ticket_and_a_damaged_file_is_named() {
    let mut drill = Drill::new();
    let asked = drill.ask("s", "https://a", 0).unwrap();
    let mut text = std::fs::read(&drill.path).unwrap();
    text.extend_from_slice(b"{\"v\":1,\"id\"");
    std::fs::write(&drill.path, &text).unwrap();
    drill.restart();
    assert_eq!(drill.store.all().count(), 1);
    drill.say(&asked, true, false, 1).unwrap();
    drill.restart();
    assert_eq!(
        drill.store.get(asked.id).unwrap().state,
        TicketState::Approved
    );
    text.extend_from_slice(b"\n");
    std::fs::write(&drill.path, &text).unwrap();
    let said = Store::open(&drill.path, "h").unwrap_err().to_string();
    assert!(said.contains("damaged at line 2"), "{said}");
}
