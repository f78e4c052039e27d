//! The word of another host's daemon: that it lives, which agents it runs, what became of tickets there, whose
//! are open, and how far its record of acts goes. Beside the signs of life of its agents this is how the first
//! host knows whether the host is there. What the first host says back is a state and no order: which of the
//! tasks that were named are over. Whoever was away reads it when it is back.

use crate::connect::{Again, Bus};
use crate::error::BusError;
use jiff::Timestamp;
use protocol::approval::TicketWord;
use protocol::ids::{Role, TaskId};
use serde::{Deserialize, Serialize};

/// Version of the word; a newer one counts as a sign of life and no more.
const WORD_VERSION: u32 = 1;
/// Longest word read, in bytes.
const WORD_BYTES: usize = 64 * 1024;
/// Most tasks of one word whose tickets are open.
pub const OPEN_TASKS: usize = 100;
/// How long what is said about them stands, in milliseconds. It is said again while they are named.
const OVER_MS: u64 = 60_000;

/// What a host says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostWord {
    v: u32,
    /// What the team calls it.
    pub host: String,
    /// Version of its binary.
    pub version: String,
    /// The agents it runs.
    pub roles: Vec<Role>,
    /// When it said so, by its own clock.
    pub at: Timestamp,
    /// What became of tickets there, the newest ones.
    #[serde(default)]
    pub tickets: Vec<TicketWord>,
    /// Tasks whose tickets wait there for an answer, or to be used, or whose program of level 3 runs there; at most [`OPEN_TASKS`].
    #[serde(default)]
    pub open: Vec<TaskId>,
    /// How far its record of acts goes: the number and the digest of the last line.
    #[serde(default)]
    pub record: Option<(u64, String)>,
}

impl HostWord {
    /// A word of now.
    pub fn new(host: &str, version: &str, roles: Vec<Role>) -> Self {
        Self {
            v: WORD_VERSION,
            host: host.to_owned(),
            version: version.to_owned(),
            roles,
            at: Timestamp::now(),
            tickets: Vec::new(),
            open: Vec::new(),
            record: None,
        }
    }

    /// The word as text that is read: where it is too long reasons are left out, then the oldest tickets.
    fn short(&self) -> Result<String, serde_json::Error> {
        let mut text = serde_json::to_string(self)?;
        if text.len() <= WORD_BYTES {
            return Ok(text);
        }
        let mut word = self.clone();
        word.tickets
            .iter_mut()
            .for_each(|ticket| ticket.because.clear());
        text = serde_json::to_string(&word)?;
        while text.len() > WORD_BYTES && word.tickets.pop().is_some() {
            text = serde_json::to_string(&word)?;
        }
        Ok(text)
    }

    /// Reads a word; `None` where it cannot be read, which is a sign of life all the same.
    fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > WORD_BYTES {
            return None;
        }
        let word: Self = serde_json::from_slice(bytes).ok()?;
        (word.v <= WORD_VERSION).then_some(word)
    }
}

impl Bus {
    /// Says that a host is there; true for three lease times.
    pub async fn say_host(&self, word: &HostWord) -> Result<(), BusError> {
        let text = word.short().map_err(|e| BusError::Refused(e.to_string()))?;
        let mut say = redis::cmd("SET");
        say.arg(self.keys().host(&word.host)).arg(text);
        say.arg("PX").arg((self.lease_ms() * 3) as u64);
        self.query::<String>(&say, Again::Yes).await.map(drop)
    }

    /// The last words of hosts, in their order: `None` where a host was silent for three lease
    /// times, `Some(None)` where it said something that this binary cannot read.
    pub async fn host_words(
        &self,
        hosts: &[String],
    ) -> Result<Vec<Option<Option<HostWord>>>, BusError> {
        if hosts.is_empty() {
            return Ok(Vec::new());
        }
        let keys: Vec<String> = hosts.iter().map(|host| self.keys().host(host)).collect();
        let words: Vec<Option<Vec<u8>>> =
            self.query(redis::cmd("MGET").arg(keys), Again::Yes).await?;
        let read = |word: Option<Vec<u8>>| word.map(|bytes| HostWord::parse(&bytes));
        Ok(words.into_iter().map(read).collect())
    }

    /// Says which tasks are over of those that a host named as open there. The supervisor's alone.
    pub async fn say_over(&self, host: &str, tasks: &[TaskId]) -> Result<(), BusError> {
        let text = serde_json::to_string(tasks).map_err(|e| BusError::Refused(e.to_string()))?;
        let mut say = redis::cmd("SET");
        say.arg(self.keys().over(host)).arg(text);
        say.arg("PX").arg(OVER_MS);
        self.query::<String>(&say, Again::Yes).await.map(drop)
    }

    /// Which of the tasks that this host named are over.
    pub async fn over_on(&self, host: &str) -> Result<Vec<TaskId>, BusError> {
        let get = redis::cmd("GET").arg(self.keys().over(host)).clone();
        let text: Option<Vec<u8>> = self.query(&get, Again::Yes).await?;
        let read = text.map(|text| serde_json::from_slice(&text));
        // A newer first host may say more than this one understands: then it says nothing here.
        Ok(read.transpose().unwrap_or_default().unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use protocol::approval::{TicketId, TicketState};

    #[test]
    fn strange_words_are_signs_of_life_and_no_more() {
        let word = HostWord::new("b", "1", vec!["code".parse().unwrap()]);
        let text = serde_json::to_string(&word).unwrap();
        assert_eq!(HostWord::parse(text.as_bytes()), Some(word));
        let newer = text.replace("\"v\":1", "\"v\":2");
        let long = format!("{text}{}", " ".repeat(WORD_BYTES));
        // One of an older version says less.
        let older = text.replace(",\"open\":[]", "");
        assert_ne!(older, text);
        assert_eq!(
            HostWord::parse(older.as_bytes()),
            HostWord::parse(text.as_bytes())
        );
        for strange in ["", "{}", "\u{1b}[2J", &text[..20], &newer, &long] {
            assert_eq!(HostWord::parse(strange.as_bytes()), None, "{strange}");
        }
    }

    #[test]
    fn a_word_is_never_too_long_to_be_read() {
        let ticket = |bytes: usize, because: &str| TicketWord {
            id: TicketId(7),
            task: "t".repeat(bytes),
            state: TicketState::Denied,
            by: None,
            because: because.to_owned(),
        };
        let reason = "\u{1}".repeat(80);
        // Characters of each task's name, and how many tickets and reasons are read.
        for (bytes, many, tickets, reasons) in [
            (4, 100, 100, 100),
            (200, 100, 100, 0),
            (2_000, 100, 29, 0),
            (WORD_BYTES, 1, 0, 0),
        ] {
            let mut word = HostWord::new("b", "1", Vec::new());
            word.tickets = vec![ticket(bytes, &reason); many];
            word.open = vec![TaskId::new(); OPEN_TASKS];
            let read = HostWord::parse(word.short().unwrap().as_bytes()).unwrap();
            let reasoned = read.tickets.iter().filter(|one| !one.because.is_empty());
            assert_eq!((read.tickets.len(), reasoned.count()), (tickets, reasons));
            assert_eq!(read.open.len(), OPEN_TASKS);
        }
    }
}
