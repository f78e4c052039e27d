//! What an agent may say. Its launcher makes the connection, names the role and the task and hands it over: from then on
//! only lines of that role's own acts for that task are taken, up to the task's level, and no answer of a person. Pure.

use crate::audit::line::{Entry, Stage};
use crate::operations::judge::duty_level;
use crate::tickets::ticket::Wanted;
use crate::wire::{Ask, OfTask};
use protocol::level::Level;

/// Whoever speaks as an agent.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Speaker {
    pub role: String,
    /// `None`: its launcher is of an older version.
    pub task: Option<OfTask>,
}

impl Speaker {
    /// Whether it may ask this.
    ///
    /// # Errors
    /// Why not, for the record's reader and for the agent.
    pub fn may(&self, ask: &Ask) -> Result<(), String> {
        let role = &self.role;
        let as_whom = match ask {
            Ask::Note { entry, .. } => {
                self.of_task(|task| noted(task, entry))?;
                // Who writes is `role@host#process`.
                entry.agent.split('@').next().unwrap_or_default()
            }
            Ask::Request { wanted }
            | Ask::Known { wanted }
            | Ask::Grown { wanted, .. }
            | Ask::Burn { wanted, .. }
            | Ask::Operate { wanted, .. }
            | Ask::Hour { wanted, .. } => {
                named(wanted)?;
                self.of_task(|task| asked(task, wanted))?;
                wanted.agent.as_str()
            }
            Ask::EndRun { agent, task, .. } => {
                self.of_task(|own| is_own(own, own.id == *task, task))?;
                agent.as_str()
            }
            // Whoever hears of a freeze may say so; that the team goes on is not theirs to say.
            Ask::Head | Ask::Trusted { .. } | Ask::Freeze { frozen: true } => return Ok(()),
            Ask::For { .. } => return Err("whoever speaks here was named already".to_owned()),
            Ask::Freeze { frozen: false }
            | Ask::Cancel { .. }
            | Ask::Runs
            | Ask::Leaves
            | Ask::StillCounts { .. }
            | Ask::Tickets { .. }
            | Ask::Ticket { .. }
            | Ask::Answer { .. }
            | Ask::Pin { .. }
            | Ask::Trust { .. }
            | Ask::Distrust { .. }
            | Ask::TrustToSign { .. }
            | Ask::Proof => {
                return Err(format!("that is for people, and this is the agent {role}"));
            }
        };
        match as_whom == role {
            true => Ok(()),
            false => Err(format!("the agent {role} cannot speak as {as_whom}")),
        }
    }

    /// Whether its task is about this workspace, as its launcher knows from the supervisor.
    pub fn works_in(&self, path: &str) -> bool {
        let own = self
            .task
            .as_ref()
            .and_then(|task| task.workspace.as_deref());
        own == Some(path)
    }

    fn of_task(&self, fits: impl FnOnce(&OfTask) -> Result<(), String>) -> Result<(), String> {
        self.task.as_ref().map_or(Ok(()), fits)
    }
}

/// Most bytes of the names in what an agent asks for: what it is about may be long, what it is called is not.
const NAME: usize = 64;
const STEP: usize = 512;

/// Whether what is asked for has names of the usual length and, where it has a kind, one that rules could name.
fn named(wanted: &Wanted) -> Result<(), String> {
    let plain = |c: u8| c.is_ascii_lowercase() || c == b'.' || c == b'_';
    if wanted.kind.len() > NAME || !wanted.kind.bytes().all(plain) {
        return Err("a kind of act is called like `http.change`".to_owned());
    }
    for (what, name, most) in [
        ("task", &wanted.task, NAME),
        ("task's number", &wanted.short, NAME),
        ("step", &wanted.step, STEP),
        ("principal", &wanted.principal, STEP),
    ] {
        if name.len() > most {
            return Err(format!("the name of a {what} has at most {most} bytes"));
        }
    }
    Ok(())
}

/// Whether a line is of this task. That something above its level was refused may be written.
fn noted(task: &OfTask, entry: &Entry) -> Result<(), String> {
    is_own(task, entry.task == task.short, &entry.task)?;
    match entry.stage {
        Stage::Before => within(task, entry.level),
        Stage::After | Stage::Refused | Stage::Note => Ok(()),
    }
}

/// Whether an act is of this task and within its level: of what is done on the host, the level is not what was said.
fn asked(task: &OfTask, wanted: &Wanted) -> Result<(), String> {
    let same = wanted.task == task.id && wanted.short == task.short;
    is_own(task, same, &wanted.short)?;
    if let Some(level) = duty_level(wanted) {
        within(task, level.into())?;
    }
    within(task, wanted.level)
}

fn within(task: &OfTask, level: u8) -> Result<(), String> {
    match Level::try_from(level)?.of_agent() {
        level if level > task.level => Err(format!(
            "that needs level {level}, and {} has level {}",
            task.short, task.level
        )),
        _ => Ok(()),
    }
}

fn is_own(task: &OfTask, same: bool, said: &str) -> Result<(), String> {
    let said: String = said.chars().take(40).collect();
    match same {
        true => Ok(()),
        false => Err(format!(
            "this connection is for {}, not for {said}",
            task.short
        )),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use protocol::approval::TicketId;
    use serde_json::{Value, json};

    fn wanted(task: &str, level: u8, duty: Option<Value>) -> Box<Wanted> {
        let action = match duty {
            Some(duty) => json!({"do": "duty", "duty": duty, "key": "k"}),
            None => json!({"do": "http_request"}),
        };
        let (id, short) = task.split_once(' ').unwrap();
        Box::new(Wanted {
            task: id.to_owned(),
            short: short.to_owned(),
            step: "execute/1/s".to_owned(),
            agent: "infra".to_owned(),
            principal: "ada(1000)".to_owned(),
            level,
            kind: "http.change".to_owned(),
            action,
            undo: None,
            claimed: String::new(),
            foreseen: None,
            above: None,
            seen: None,
        })
    }

    fn note(short: &str, level: u8, stage: Stage) -> Ask {
        let word = String::new;
        Ask::Note {
            entry: Box::new(Entry {
                principal: word(),
                agent: "infra@web1#7".to_owned(),
                task: short.to_owned(),
                call: word(),
                epoch: 1,
                level,
                ticket: word(),
                tool: word(),
                args_sha256: word(),
                summary: word(),
                stage,
                outcome: word(),
            }),
            safe: false,
        }
    }

    fn check(level: Option<Level>, ask: &Ask, expected: &str) {
        let task = level.map(|level| OfTask {
            id: "01".to_owned(),
            short: "t1".to_owned(),
            level,
            workspace: None,
        });
        let speaker = Speaker {
            role: "infra".to_owned(),
            task,
        };
        let said = speaker.may(ask).err().unwrap_or_default();
        assert!(said.contains(expected), "{ask:?}: {said}");
        assert_eq!(said.is_empty(), expected.is_empty(), "{ask:?}: {said}");
    }

    #[test]
    fn an_agent_speaks_of_its_task_and_up_to_its_level() {
        use Level::{Elevated, Standard};
        let restart = || Some(json!({"duty": "service", "unit": "shop", "verb": "restart"}));
        let burn = |wanted| Ask::Burn {
            id: TicketId(1),
            wanted,
        };
        let end = |task: &str| Ask::EndRun {
            task: task.to_owned(),
            agent: "infra".to_owned(),
            epoch: 1,
            key: None,
        };
        let operate = |wanted| Ask::Operate { wanted, epoch: 1 };
        for (level, ask, expected) in [
            (Some(Standard), note("t1", 1, Stage::Before), ""),
            (
                Some(Standard),
                note("t2", 1, Stage::Before),
                "is for t1, not for t2",
            ),
            (
                Some(Standard),
                note("t1", 2, Stage::Before),
                "needs level 2",
            ),
            (Some(Standard), note("t1", 2, Stage::Refused), ""),
            (
                Some(Standard),
                note("t1", 9, Stage::Before),
                "level 9 does not exist",
            ),
            // A launcher of an older version does not say.
            (None, note("t2", 2, Stage::Before), ""),
            (Some(Standard), burn(wanted("01 t1", 1, None)), ""),
            (Some(Standard), burn(wanted("02 t1", 1, None)), "is for t1"),
            (Some(Standard), burn(wanted("01 t2", 1, None)), "not for t2"),
            (
                Some(Standard),
                operate(wanted("01 t1", 1, restart())),
                "needs level 2",
            ),
            (Some(Elevated), operate(wanted("01 t1", 2, restart())), ""),
            // What is run with a person's yes alone is asked for by the level below.
            (Some(Elevated), note("t1", 3, Stage::Before), ""),
            (Some(Elevated), end("01"), ""),
            (Some(Elevated), end("02"), "not for 02"),
            (None, Ask::Head, ""),
        ] {
            check(level, &ask, expected);
        }
    }
}
