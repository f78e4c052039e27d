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

impl Work {
    /// What a work message says of it, as it is kept, on one host or on any; empty where it says nothing that could be read
    /// again.
    ///
    /// # Errors
    /// When the name of the folder cannot be written as JSON.
    pub(crate) fn text_of(envelope: &Envelope, host: Option<&str>) -> Result<String, BusError> {
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
        let text = work().map(|work| serde_json::to_string(&work));
        let text = text
            .transpose()
            .map_err(|e| BusError::Refused(e.to_string()))?;
        Ok(text.unwrap_or_default())
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
        let (names, mut asked) = (self.keys(), redis::cmd("MGET"));
        for task in tasks {
            asked.arg(names.role_of(*task)).arg(names.given(*task));
        }
        let texts: Vec<Option<String>> = self.query(&asked, Again::Yes).await?;
        let said = texts.chunks(2).map(|pair| match pair {
            [Some(role), given] => Some(Assignment {
                role: role.parse().ok()?,
                work: given
                    .as_ref()
                    .and_then(|given| serde_json::from_str(given).ok()),
            }),
            _ => None,
        });
        Ok(said.collect())
    }

    /// Which role works on a task, where the bus knows it.
    ///
    /// # Errors
    /// When Redis does not answer.
    pub async fn role_of(&self, task: TaskId) -> Result<Option<Role>, BusError> {
        let role: Option<String> = self
            .query(redis::cmd("GET").arg(self.keys().role_of(task)), Again::Yes)
            .await?;
        Ok(role.and_then(|role| role.parse().ok()))
    }

    /// Says what a task is that an older supervisor sent, from its work message; changes nothing where that was said. The
    /// supervisor's alone.
    ///
    /// # Errors
    /// When Redis does not answer, or the message names no task.
    pub async fn say_again(&self, envelope: &Envelope, host: Option<&str>) -> Result<(), BusError> {
        let task = crate::publish::task_of(self, envelope)?;
        let text = Work::text_of(envelope, host)?;
        if text.is_empty() {
            return Err(BusError::Refused(format!(
                "nothing is known of task {task}"
            )));
        }
        let names = self.keys();
        let call = Call::on([names.role_of(task), names.given(task)]).arg(text);
        self.run::<i64>(&scripts::SAY_AGAIN, &call, Again::Yes)
            .await
            .map(drop)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use protocol::envelope::MessageType;
    use serde_json::{Value, json};

    fn check(task: Value, host: Option<&str>, expected: &str) {
        let team = "main".parse().unwrap();
        let mut envelope = Envelope::new(&team, MessageType::Task, "supervisor", "code");
        envelope.payload.context = task;
        let text = Work::text_of(&envelope, host).unwrap();
        assert_eq!(text, expected);
        if !text.is_empty() {
            let read: Work = serde_json::from_str(&text).unwrap();
            assert_eq!(serde_json::to_string(&read).unwrap(), text);
        }
    }

    #[test]
    fn what_a_message_says_is_kept_whole_or_not_at_all() {
        check(json!({}), None, "");
        check(json!({"short_id": 7}), None, "");
        check(json!({"short_id": "t7"}), None, r#"{"number":"t7"}"#);
        check(
            json!({"short_id": "t7", "workspace": "/a \"b", "ceiling": {"level": 0, "host_read": false}}),
            Some("web"),
            r#"{"number":"t7","host":"web","workspace":"/a \"b","ceiling":{"level":0,"host_read":false}}"#,
        );
        // A ceiling that nobody can read is none that was lifted.
        check(json!({"short_id": "t7", "ceiling": {"level": 9}}), None, "");
    }
}
