//! The word of another host's daemon: that it lives, which agents it runs, what became of tickets there and
//! how far its record of acts goes. Beside the signs of
//! life of its agents this is how the first host knows whether the host is there.

use crate::connect::{Again, Bus};
use crate::error::BusError;
use jiff::Timestamp;
use protocol::approval::TicketWord;
use protocol::ids::Role;
use serde::{Deserialize, Serialize};

/// Version of the word; a newer one counts as a sign of life and no more.
const WORD_VERSION: u32 = 1;
/// Longest word read, in bytes.
const WORD_BYTES: usize = 64 * 1024;

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
            record: None,
        }
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
        let text = serde_json::to_string(word).map_err(|e| BusError::Refused(e.to_string()))?;
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
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn strange_words_are_signs_of_life_and_no_more() {
        let word = HostWord::new("b", "1", vec!["code".parse().unwrap()]);
        let text = serde_json::to_string(&word).unwrap();
        assert_eq!(HostWord::parse(text.as_bytes()), Some(word));
        let newer = text.replace("\"v\":1", "\"v\":2");
        let long = format!("{text}{}", " ".repeat(WORD_BYTES));
        for strange in ["", "{}", "\u{1b}[2J", &text[..20], &newer, &long] {
            assert_eq!(HostWord::parse(strange.as_bytes()), None, "{strange}");
        }
    }
}
