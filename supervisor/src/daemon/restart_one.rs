//! Starting one agent anew because a person asked: a live process is told to go (it finishes the
//! effect in hand and gives its task back) and is started again like one that died; one that was
//! given up gets another life at once.

use super::process::Process;
use super::roster::{Member, Stand};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use protocol::control::{Answer, Reply};
use protocol::exit;
use protocol::ids::Role;
use std::time::Duration;

/// Does it; the answer is the line for whoever asked.
pub fn restart_one(members: &mut [Member], role: &Role, now: Duration) -> Reply {
    let known: Vec<&str> = members
        .iter()
        .filter_map(|member| match &member.process {
            Process::Agent(name) => Some(name.as_str()),
            _ => None,
        })
        .collect();
    let known = known.join(", ");
    let wanted = |member: &&mut Member| matches!(&member.process, Process::Agent(of) if of == role);
    let Some(member) = members.iter_mut().find(wanted) else {
        return Reply::Error {
            exit: exit::USAGE,
            message: format!("there is no agent `{role}` in this team; there are: {known}"),
            hints: Vec::new(),
        };
    };
    let message = match member.who().filter(|who| who.alive()) {
        Some(who) => {
            let told = i32::try_from(who.pid)
                .map_err(|e| e.to_string())
                .and_then(|pid| {
                    kill(Pid::from_raw(pid), Signal::SIGTERM).map_err(|e| e.to_string())
                });
            if let Err(why) = told {
                return Reply::Error {
                    exit: exit::FAILED,
                    message: format!("{role} (process {}) cannot be told to go: {why}", who.pid),
                    hints: Vec::new(),
                };
            }
            format!(
                "{role} is told to go; it is started again as soon as it has put down what it holds"
            )
        }
        None => {
            member.stand = Stand::Due(now);
            format!("{role} is started")
        }
    };
    Reply::Done {
        answer: Box::new(Answer::Ok { message }),
    }
}
