//! Leave that a person gives: what becomes of a ticket, and what a rule says. One table; nothing
//! else decides which move is legal.

use crate::task::Principal;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a rule says of a kind of act. Ordered: a later one is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// It may be done.
    Allow,
    /// A person says so each time.
    Ask,
    /// It may not be done.
    Deny,
}

impl Rule {
    /// The words of settings.
    pub const WORDS: [&'static str; 3] = ["allow", "ask", "deny"];

    /// The rule a word stands for.
    pub fn parse(word: &str) -> Option<Rule> {
        match word {
            "allow" => Some(Rule::Allow),
            "ask" => Some(Rule::Ask),
            "deny" => Some(Rule::Deny),
            _ => None,
        }
    }
}

/// How a ticket stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TicketState {
    /// A person is asked.
    Requested,
    /// A person said yes; it was not used yet.
    Approved,
    /// A person said no.
    Denied,
    /// Nobody answered in time, or it was not used in time.
    Expired,
    /// What it was for is over or changed.
    Cancelled,
    /// It was used, and is good for nothing more.
    Used,
}

/// What can happen to a ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TicketMove {
    /// A person says yes.
    Approve,
    /// A person says no.
    Deny,
    /// Its time is over.
    Expire,
    /// What it was for is over or changed.
    Cancel,
    /// The act is made.
    Use,
}

impl TicketState {
    /// Every state.
    pub const ALL: [TicketState; 6] = [
        TicketState::Requested,
        TicketState::Approved,
        TicketState::Denied,
        TicketState::Expired,
        TicketState::Cancelled,
        TicketState::Used,
    ];

    /// Where a move leads; `None` where it is not legal.
    pub fn after(self, what: TicketMove) -> Option<TicketState> {
        use TicketState::{Approved, Cancelled, Denied, Expired, Requested, Used};
        match (self, what) {
            (Requested, TicketMove::Approve) => Some(Approved),
            (Requested, TicketMove::Deny) => Some(Denied),
            (Requested | Approved, TicketMove::Expire) => Some(Expired),
            (Requested | Approved, TicketMove::Cancel) => Some(Cancelled),
            (Approved, TicketMove::Use) => Some(Used),
            _ => None,
        }
    }

    /// Nothing becomes of it any more.
    pub fn is_final(self) -> bool {
        !matches!(self, TicketState::Requested | TicketState::Approved)
    }

    /// The word for people.
    pub fn as_str(self) -> &'static str {
        match self {
            TicketState::Requested => "requested",
            TicketState::Approved => "approved",
            TicketState::Denied => "denied",
            TicketState::Expired => "expired",
            TicketState::Cancelled => "cancelled",
            TicketState::Used => "used",
        }
    }
}

impl fmt::Display for TicketState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A ticket's number for people, written `a41`. Per host, never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TicketId(pub u64);

impl fmt::Display for TicketId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a{}", self.0)
    }
}

impl FromStr for TicketId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.strip_prefix('a').filter(|rest| {
            !rest.is_empty() && !rest.starts_with('0') && rest.bytes().all(|b| b.is_ascii_digit())
        });
        number
            .and_then(|number| number.parse().ok())
            .map(TicketId)
            .ok_or_else(|| {
                let given: String = text.chars().take(40).collect();
                format!("`{given}` is no ticket: they are written a41; see ai-infra approvals list")
            })
    }
}

/// What became of a ticket, as its host tells the team. It wakes whoever waits and gives nothing: leave is given by
/// the warden that keeps the ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketWord {
    /// The ticket.
    pub id: TicketId,
    /// The task's number.
    pub task: String,
    /// How it stands.
    pub state: TicketState,
    /// Who answered it.
    pub by: Option<Principal>,
    /// Why, in their words.
    pub because: String,
}

impl TryFrom<String> for TicketId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TicketId> for String {
    fn from(id: TicketId) -> String {
        id.to_string()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const MOVES: [TicketMove; 5] = [
        TicketMove::Approve,
        TicketMove::Deny,
        TicketMove::Expire,
        TicketMove::Cancel,
        TicketMove::Use,
    ];

    proptest! {
        #[test]
        fn whatever_happens_it_is_used_once_and_only_after_a_yes(
            moves in proptest::collection::vec(proptest::sample::select(&MOVES[..]), 0..20)
        ) {
            let (mut state, mut approved, mut used) = (TicketState::Requested, false, 0);
            for what in moves {
                let Some(next) = state.after(what) else { continue };
                prop_assert!(!state.is_final());
                approved |= what == TicketMove::Approve;
                if what == TicketMove::Use {
                    prop_assert!(approved);
                    used += 1;
                }
                state = next;
            }
            prop_assert!(used <= 1);
            prop_assert_eq!(used == 1, state == TicketState::Used);
        }

        #[test]
        fn no_text_breaks_the_reader(text in any::<String>()) {
            if let Ok(id) = text.parse::<TicketId>() {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn rules_are_ordered_by_strictness() {
        assert!(Rule::Deny > Rule::Ask && Rule::Ask > Rule::Allow);
        for word in Rule::WORDS {
            assert!(Rule::parse(word).is_some());
        }
        assert_eq!("a41".parse(), Ok(TicketId(41)));
        assert!("a041".parse::<TicketId>().is_err());
    }
}
