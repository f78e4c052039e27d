//! Leaves out of the file of tickets what is over: each change is a line, so it would grow for ever. What is open
//! stays, what ended lately stays (a step that is recovered asks for its ticket again), and so does the highest number,
//! which is never given twice. What happened is in the record, which is not touched.

use super::store::{Store, StoreError};
use super::ticket::Ticket;
use jiff::{SignedDuration, Timestamp};

/// Lines from which on it is worth it.
pub(super) const LINES: usize = 1_000;
/// How long a ticket that is over is kept.
const KEPT: SignedDuration = SignedDuration::from_hours(24 * 30);

impl Store {
    /// Writes the file anew, where that makes it half as long.
    ///
    /// # Errors
    /// When it cannot be written: then it is as it was.
    pub fn compact(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let last = self.all().map(|ticket| ticket.id).max();
        let stays = |ticket: &&Ticket| {
            let young = now.duration_since(ticket.asked) < KEPT;
            !ticket.state.is_final() || young || Some(ticket.id) == last
        };
        let left: Vec<Ticket> = self.all().filter(stays).cloned().collect();
        match self.lines() >= LINES && self.lines() >= 2 * left.len() {
            true => self.replace(left),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::ticket::Wanted;
    use super::*;
    use protocol::approval::{TicketId, TicketState};

    fn ticket(id: u64, day: i64, state: TicketState) -> Ticket {
        let wanted = Wanted {
            task: format!("task {id}"),
            short: format!("t{id}"),
            step: "s".to_owned(),
            agent: "infra".to_owned(),
            principal: "ada(1000)".to_owned(),
            level: 1,
            kind: "http.change".to_owned(),
            action: serde_json::json!({"do": "x"}),
            undo: None,
            claimed: String::new(),
            foreseen: None,
            above: None,
            seen: None,
        };
        let asked = Timestamp::from_second(day * 86_400).unwrap();
        Ticket {
            state,
            ..Ticket::of(TicketId(id), wanted, "h", asked)
        }
    }

    #[test]
    fn what_is_over_for_long_goes_and_no_number_is_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tickets.jsonl");
        let mut text = String::new();
        let mut line = |ticket: Ticket| {
            text.push_str(&serde_json::to_string(&ticket).unwrap());
            text.push('\n');
        };
        for id in 1..=400 {
            for state in [
                TicketState::Requested,
                TicketState::Approved,
                TicketState::Used,
            ] {
                line(ticket(id, 1, state));
            }
        }
        line(ticket(401, 60, TicketState::Used));
        line(ticket(402, 1, TicketState::Requested));
        line(ticket(403, 1, TicketState::Denied));
        std::fs::write(&path, text).unwrap();
        let mut store = Store::open(&path, "h").unwrap();
        let now = Timestamp::from_second(70 * 86_400).unwrap();
        store.compact(now).unwrap();
        let left: Vec<u64> = store.all().map(|ticket| ticket.id.0).collect();
        assert_eq!(left, [401, 402, 403]);
        let kept = std::fs::read_to_string(&path).unwrap();
        assert_eq!(kept.lines().count(), 3);
        // It goes on in the new file, with the next number.
        let wanted = Wanted {
            task: "new".to_owned(),
            ..ticket(1, 1, TicketState::Requested).wanted
        };
        assert_eq!(store.request(wanted, now).unwrap().id, TicketId(404));
        let again = Store::open(&path, "h").unwrap();
        assert_eq!(again.all().map(|ticket| ticket.id.0).max(), Some(404));
        // A short file is left alone.
        store
            .compact(now + SignedDuration::from_hours(24 * 365))
            .unwrap();
        assert!(store.all().count() >= 4);
    }
}
