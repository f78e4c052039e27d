//! What the warden does about trust in workspaces: a person gives it as leave is given, by a PIN or a signature, everybody
//! may end it, and a change ends it. Each is a line of the record. What an agent says of a change counts for the workspace of
//! its own task.

use super::Office;
use super::leave::name_of;
use super::role::Speaker;
use crate::audit::book::note;
use crate::audit::line::Entry;
use crate::trust::signed::{self, Saying};
use crate::trust::{Trust, Trusted, digested};
use crate::wire::Reply;
use jiff::Timestamp;

impl Office {
    fn trust(&self) -> Trusted {
        Trusted::at(self.home.warden().join("trust.json"))
    }

    /// A line about trust: who said it, and of what.
    fn tell(&self, path: &str, word: &Trust, said: &str, now: Timestamp) -> Result<(), String> {
        self.told(about(path, word, said), now)
    }

    fn told(&self, entry: Entry, now: Timestamp) -> Result<(), String> {
        let written = self.book.borrow_mut().append(entry, now);
        self.wanted.notify_one();
        written.map(drop).map_err(|error| error.to_string())
    }

    pub(super) async fn trusts(
        &self,
        path: &str,
        digest: String,
        pin: Option<String>,
        signature: Option<String>,
        peer: u32,
    ) -> Result<Reply, String> {
        let now = Timestamp::now();
        digested(&digest)?;
        let word = match signature {
            Some(signature) => {
                let said = (digest, Saying::Trust);
                self.signed_word(path, said, signature, peer, now).await?
            }
            None => {
                self.proven(peer, pin, now).await?;
                word_of(peer, digest, now)
            }
        };
        self.trust().give(path, word.clone())?;
        let said = format!("trusts what {path} says to agents");
        if let Err(why) = self.tell(path, &word, &said, now) {
            // Nothing is trusted that the record does not tell.
            self.trust().end(path)?;
            return Err(why);
        }
        Ok(Reply::Trusted { trust: Some(word) })
    }

    /// Everybody may end trust; a signature only says whose word it is.
    pub(super) async fn distrusts(
        &self,
        path: &str,
        signature: Option<String>,
        peer: u32,
    ) -> Result<Reply, String> {
        let now = Timestamp::now();
        let kept = self.trust().get(path)?.map(|trust| trust.digest);
        let word = match (kept, signature) {
            (None, Some(_)) => return Err(not_trusted(path)),
            (None, None) => None,
            (Some(digest), None) => Some(word_of(peer, digest, now)),
            (Some(digest), Some(signature)) => {
                let said = (digest, Saying::Revoke);
                Some(self.signed_word(path, said, signature, peer, now).await?)
            }
        };
        let was = self.trust().end(path)?;
        if let Some(word) = word.filter(|_| was) {
            let said = format!("{path} is not trusted any more");
            self.tell(path, &word, &said, now)?;
        }
        Ok(Reply::Trusted { trust: None })
    }

    pub(super) fn trust_to_sign(
        &self,
        path: &str,
        digest: Option<String>,
    ) -> Result<Reply, String> {
        let (digest, saying) = match digest {
            Some(digest) => (digest, Saying::Trust),
            None => {
                let kept = self.trust().get(path)?;
                let kept = kept.ok_or_else(|| not_trusted(path))?;
                (kept.digest, Saying::Revoke)
            }
        };
        digested(&digest)?;
        let asked = self.trust().ask(path, Timestamp::now())?;
        let text = signed::text(&self.host, path, &digest, saying, &asked);
        Ok(Reply::ToSign { text })
    }

    /// Whose signed word it is, where the signature is for exactly what waits to be signed.
    async fn signed_word(
        &self,
        path: &str,
        (digest, saying): (String, Saying),
        signature: String,
        peer: u32,
        now: Timestamp,
    ) -> Result<Trust, String> {
        let asked = self.trust().asked(path, now).inspect_err(|why| {
            let _told = self.note(&format!("a signature was refused: {why}"), now);
        })?;
        let text = signed::text(&self.host, path, &digest, saying, &asked);
        let (by, key) = self.signer(text, signature, now).await?;
        // Looking at it took a moment, in which somebody may have said something else.
        if self.trust().asked(path, now)? != asked {
            return Err(format!(
                "something else was said of {path} just now: sign again"
            ));
        }
        Ok(Trust {
            by,
            key: Some(key),
            ..word_of(peer, digest, now)
        })
    }

    pub(super) fn trusted(
        &self,
        path: &str,
        digest: &str,
        speaker: Option<&Speaker>,
    ) -> Result<Reply, String> {
        let kept = self.trust().get(path)?;
        let Some(trust) = kept else {
            return Ok(Reply::Trusted { trust: None });
        };
        if trust.digest == digest {
            let trust = Some(trust);
            return Ok(Reply::Trusted { trust });
        }
        if speaker.is_some_and(|speaker| !speaker.works_in(path)) {
            return Ok(Reply::Trusted { trust: None });
        }
        self.trust().changed(path)?;
        let why = format!("what {path} says to agents changed: it is not trusted any more");
        let told = about(path, &trust, &why);
        let told = match speaker {
            None => told,
            // It is not the word of whoever trusted it.
            Some(Speaker { role, task }) => Entry {
                principal: String::new(),
                agent: role.clone(),
                task: task
                    .as_ref()
                    .map_or_else(String::new, |task| task.short.clone()),
                ..told
            },
        };
        self.told(told, Timestamp::now())?;
        Ok(Reply::Trusted { trust: None })
    }
}

/// The line about a word of trust.
fn about(path: &str, word: &Trust, said: &str) -> Entry {
    let signed = word.key.as_ref().map(|key| format!("signed with {key}"));
    Entry {
        principal: format!("{}({})", word.by, word.uid),
        tool: "trust".to_owned(),
        call: path.to_owned(),
        args_sha256: word.digest.clone(),
        outcome: signed.unwrap_or_default(),
        ..note("warden", said)
    }
}

/// The word of whoever asks, as the kernel names them.
fn word_of(peer: u32, digest: String, at: Timestamp) -> Trust {
    Trust {
        digest,
        by: name_of(peer),
        uid: peer,
        key: None,
        at,
    }
}

fn not_trusted(path: &str) -> String {
    format!("{path} is not trusted: there is nothing to revoke")
}
