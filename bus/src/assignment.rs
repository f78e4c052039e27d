//! What a task is, as the supervisor alone can write it: the role that works on it, its number, its host, its
//! folder. A role's own records are written by its own user of Redis; whoever must not take an agent's word
//! looks here.

use crate::connect::{Again, Bus, Call};
use crate::error::BusError;
use crate::scripts;
use protocol::envelope::Envelope;
use protocol::ids::{Role, ShortId, TaskId};
use protocol::task::Ceiling;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Who works on a task, and on what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// The role.
    pub role: Role,
    /// The rest; `None` of a task that an older supervisor sent.
    pub work: Option<Work>,
}

/// What a role was given to work on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The number of the task.
    pub number: ShortId,
    /// The only host it is worked on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// The folder it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspace: Option<PathBuf>,
    /// The most it may do, by the rules of the team's first host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ceiling: Option<Ceiling>,
}

impl Assignment {
    /// What a work message says of it, for `role`, on one host or on any.
    pub(crate) fn of(envelope: &Envelope, role: &Role, host: Option<&str>) -> Self {
        let task = &envelope.payload.context;
        let work = || {
            Some(Work {
                number: task["short_id"].as_str()?.parse().ok()?,
                host: host.map(str::to_owned),
                workspace: task["workspace"].as_str().map(PathBuf::from),
                // One that cannot be read is no leave to do anything.
                ceiling: Option::deserialize(&task["ceiling"]).ok()?,
            })
        };
        let work = work();
        let role = role.clone();
        Self { role, work }
    }

    /// As it is kept: the role, which scripts read as the first word, then the rest as JSON.
    ///
    /// # Errors
    /// When the name of the folder cannot be written as JSON.
    pub(crate) fn to_text(&self) -> Result<String, BusError> {
        let Some(work) = &self.work else {
            return Ok(self.role.to_string());
        };
        let work = serde_json::to_string(work).map_err(|e| BusError::Refused(e.to_string()))?;
        Ok(format!("{} {work}", self.role))
    }

    /// As it was kept; `None` where it names no role.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (role, work) = text.split_once(' ').unwrap_or((text, ""));
        Some(Self {
            role: role.parse().ok()?,
            work: serde_json::from_str(work).ok(),
        })
    }
}

impl Bus {
    /// Who works on a task and on what, where the bus knows it.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn assignment(&self, task: TaskId) -> Result<Option<Assignment>, BusError> {
        let said = self.assignments(&[task]).await?;
        Ok(said.into_iter().next().flatten())
    }

    /// The same for many tasks; one answer for each, in order.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn assignments(&self, tasks: &[TaskId]) -> Result<Vec<Option<Assignment>>, BusError> {
        if tasks.is_empty() {
            return Ok(Vec::new());
        }
        let mut asked = redis::cmd("MGET");
        for task in tasks {
            asked.arg(self.keys().role_of(*task));
        }
        let texts: Vec<Option<String>> = self.query(&asked, Again::Yes).await?;
        let said = texts.iter().map(|text| Assignment::parse(text.as_ref()?));
        Ok(said.collect())
    }

    /// Which role works on a task, where the bus knows it.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn role_of(&self, task: TaskId) -> Result<Option<Role>, BusError> {
        let assignment = self.assignment(task).await?;
        Ok(assignment.map(|assignment| assignment.role))
    }

    /// Says the rest of a task that an older supervisor sent, from its work message; changes nothing else. The
    /// supervisor's alone.
    ///
    /// # Errors
    /// When Redis does not answer, or the message names no task.
    pub async fn say_again(
        &self,
        envelope: &Envelope,
        role: &Role,
        host: Option<&str>,
    ) -> Result<(), BusError> {
        let task = crate::publish::task_of(self, envelope)?;
        let call = Call::on([self.keys().role_of(task)])
            .arg(role)
            .arg(Assignment::of(envelope, role, host).to_text()?);
        self.run::<i64>(&scripts::SAY_AGAIN, &call, Again::Yes)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Option<(&str, Option<u64>)>) {
        let read = Assignment::parse(text);
        let read = read
            .as_ref()
            .map(|a| (a.role.as_str(), a.work.as_ref().map(|work| work.number.0)));
        assert_eq!(read, expected, "{text}");
    }

    #[test]
    fn what_is_kept_is_read_whoever_wrote_it() {
        check("code", Some(("code", None)));
        check(r#"code {"number":"t12"}"#, Some(("code", Some(12))));
        let whole = r#"qa {"number":"t3","host":"web-1","workspace":"/srv/a b","new":1}"#;
        check(whole, Some(("qa", Some(3))));
        for cut in ["code {", r#"code {"number":"#, "code {}", "code t12"] {
            check(cut, Some(("code", None)));
        }
        for none in ["", " ", " code", "Co de"] {
            check(none, None);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(number: u32, host in "[a-z]{0,8}", folder in "/.{0,40}", level in proptest::option::of(0u8..3)) {
            let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let written = Assignment {
                role: "code".parse().unwrap(),
                work: Some(Work {
                    number: ShortId(number.into()),
                    host: some(&host),
                    workspace: some(&folder).map(PathBuf::from),
                    ceiling: level.map(|level| Ceiling { level: level.try_into().unwrap(), host_read: level > 1 }),
                }),
            };
            let text = written.to_text().unwrap();
            prop_assert_eq!(text.split(' ').next(), Some("code"));
            prop_assert_eq!(Assignment::parse(&text), Some(written));
        }
    }
}
