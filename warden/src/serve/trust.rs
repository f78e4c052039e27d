//! What the warden does about trust in workspaces: a person gives it as leave is given, everybody may end it,
//! and a change ends it. Each is a line of the record.

use super::Office;
use super::leave::name_of;
use crate::audit::book::note;
use crate::audit::line::Entry;
use crate::trust::{Trust, Trusted};
use crate::wire::Reply;
use jiff::Timestamp;

impl Office {
    fn trust(&self) -> Trusted {
        Trusted::at(self.home.warden().join("trust.json"))
    }

    /// A line about trust: who gave it, and for what.
    fn tell(&self, path: &str, trust: &Trust, said: &str, now: Timestamp) -> Result<(), String> {
        let entry = Entry {
            principal: format!("{}({})", trust.by, trust.uid),
            tool: "trust".to_owned(),
            call: path.to_owned(),
            args_sha256: trust.digest.clone(),
            ..note("warden", said)
        };
        let written = self.book.borrow_mut().append(entry, now);
        self.wanted.notify_one();
        written.map(drop).map_err(|error| error.to_string())
    }

    pub(super) async fn trusts(
        &self,
        path: String,
        digest: String,
        pin: Option<String>,
        peer: u32,
    ) -> Result<Reply, String> {
        let now = Timestamp::now();
        self.proven(peer, pin, now).await?;
        let trust = Trust {
            digest,
            by: name_of(peer),
            uid: peer,
            at: now,
        };
        self.trust().give(&path, trust.clone())?;
        self.tell(
            &path,
            &trust,
            &format!("trusts what {path} says to agents"),
            now,
        )?;
        let trust = Some(trust);
        Ok(Reply::Trusted { trust })
    }

    pub(super) fn distrusts(&self, path: &str) -> Result<Reply, String> {
        if let Some(trust) = self.trust().get(path)?
            && self.trust().end(path)?
        {
            let said = format!("{path} is not trusted any more");
            self.tell(path, &trust, &said, Timestamp::now())?;
        }
        Ok(Reply::Trusted { trust: None })
    }

    pub(super) fn trusted(&self, path: &str, digest: &str) -> Result<Reply, String> {
        let kept = self.trust().get(path)?;
        let Some(trust) = kept else {
            return Ok(Reply::Trusted { trust: None });
        };
        if trust.digest == digest {
            let trust = Some(trust);
            return Ok(Reply::Trusted { trust });
        }
        self.trust().end(path)?;
        let why = format!("what {path} says to agents changed: it is not trusted any more");
        self.tell(path, &trust, &why, Timestamp::now())?;
        Ok(Reply::Trusted { trust: None })
    }
}
