//! A running task as it is shown while it works: one line that changes on a terminal, plain lines
//! on a pipe. Fed with what the supervisor says about the task.

use super::text::{one_line, time};
use protocol::control::Reply;
use protocol::criterion::Verdict;
use protocol::ids::{Role, ShortId};
use protocol::phase::Phase;
use protocol::report::{CallLine, Progress};
use protocol::task_state::{TaskState, WaitReason};
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;
use unicode_width::UnicodeWidthStr;

/// The host that it is worked on is away.
const FOR_HOST: TaskState = TaskState::Waiting {
    on: WaitReason::Host,
};

/// What is known of the task so far.
#[derive(Debug)]
pub struct Live {
    task: ShortId,
    agent: Role,
    done: Vec<Phase>,
    current: Option<Phase>,
    doing: String,
    state: Option<TaskState>,
    criteria: BTreeMap<String, (String, Option<Verdict>)>,
    seen: HashMap<String, usize>,
    again: HashMap<String, usize>,
    parts: Vec<(String, Live)>,
}

impl Live {
    /// Nothing has happened yet.
    pub fn new(task: ShortId, agent: Role) -> Self {
        Self {
            task,
            agent,
            done: Vec::new(),
            current: None,
            doing: String::new(),
            state: None,
            criteria: BTreeMap::new(),
            seen: HashMap::new(),
            again: HashMap::new(),
            parts: Vec::new(),
        }
    }

    /// The connection was lost: what was told before may be told again, and is passed over.
    pub fn reconnected(&mut self) {
        self.again = self.seen.clone();
    }

    /// Takes in a line about the task; answers what a pipe prints about it, if anything.
    pub fn take(&mut self, reply: &Reply) -> Option<String> {
        let told = serde_json::to_string(reply).unwrap_or_default();
        if let Some(left) = self.again.get_mut(&told).filter(|left| **left > 0) {
            *left -= 1;
            return None;
        }
        *self.seen.entry(told).or_default() += 1;
        match reply {
            Reply::Event { progress } => self.progress(progress),
            Reply::State { state } => self.state(state),
            Reply::Part {
                part,
                task,
                agent,
                told,
            } => {
                let line = self.part(part, *task, agent).take(told)?;
                Some(format!("{task:<5} {line}", task = task.to_string()))
            }
            _ => None,
        }
    }

    /// The part of a plan that this task works on.
    fn part(&mut self, name: &str, task: ShortId, agent: &Role) -> &mut Live {
        let at = match self.parts.iter().position(|(_, live)| live.task == task) {
            Some(at) => at,
            None => {
                // Another try takes the place of the one before.
                self.parts.retain(|(known, _)| known != name);
                self.parts
                    .push((name.to_owned(), Live::new(task, agent.clone())));
                self.parts.len() - 1
            }
        };
        &mut self.parts[at].1
    }

    fn state(&mut self, state: &TaskState) -> Option<String> {
        let before = self.state.replace(state.clone());
        match state {
            TaskState::Queued if matches!(before, Some(TaskState::Running { .. })) => {
                Some(self.said("", "given back; waits for its next holder"))
            }
            // A note said why.
            TaskState::Queued if before == Some(FOR_HOST) => None,
            TaskState::Queued => Some(self.said("", "queued")),
            TaskState::Cancelling => Some(self.said("", "is being stopped")),
            // One that was begun has said itself what it waits for.
            TaskState::Waiting {
                on: WaitReason::Time,
            } if self.current.is_none() => Some(self.said("", "waits for its time")),
            _ => None,
        }
    }

    /// The phase it is in, as lines say it.
    fn phase(&self) -> String {
        self.current.map(|p| p.to_string()).unwrap_or_default()
    }

    fn said(&self, phase: &str, what: &str) -> String {
        let line = format!(
            "{:<8} {phase:<8} {}",
            self.agent.as_str(),
            one_line(what, 160)
        );
        line.trim_end().to_owned()
    }

    fn progress(&mut self, progress: &Progress) -> Option<String> {
        match progress {
            Progress::Claimed { replayed: 0, .. } => None,
            Progress::Claimed {
                replayed, holder, ..
            } => {
                // It may have been handed on: a holder is `role@host#pid`.
                if let Some(role) = holder.split('@').next().and_then(|r| r.parse().ok()) {
                    self.agent = role;
                }
                self.doing = format!("resumed after {replayed} steps");
                let what = format!(
                    "resumed {} ({replayed} steps taken from the journal; nothing repeated)",
                    self.task
                );
                Some(self.said("", &what))
            }
            Progress::PhaseStarted { phase, .. } => {
                // A phase that is returned to takes the later ones with it.
                self.done.retain(|done| done < phase);
                self.current = Some(*phase);
                self.doing.clear();
                None
            }
            Progress::PhaseEnded { phase, .. } => {
                self.current = self.current.filter(|current| current != phase);
                if !self.done.contains(phase) {
                    self.done.push(*phase);
                }
                None
            }
            Progress::Criteria { criteria } => {
                let fresh =
                    |c: &protocol::criterion::Criterion| (c.id.clone(), (c.text.clone(), None));
                self.criteria = criteria.iter().map(fresh).collect();
                let many = format!("{} criteria written", criteria.len());
                Some(self.said("BUILD", &many))
            }
            Progress::Call { line } => {
                self.doing = call(line);
                let mark = if line.is_error { "✗ " } else { "" };
                let took = time(Duration::from_millis(line.took_ms));
                let what = format!("{mark}{} · {took}", self.doing);
                Some(self.said(&line.phase.to_string(), &what))
            }
            Progress::Evidence { evidence } => {
                let (text, verdict) = self.criteria.get_mut(&evidence.criterion)?;
                *verdict = Some(evidence.verdict);
                let text = text.clone();
                let phase = self.phase();
                let what = format!(
                    "{} {} {text}",
                    mark(Some(evidence.verdict)),
                    evidence.criterion
                );
                Some(self.said(&phase, &what))
            }
            // A window of its own shows what a model is asked; the sum is told at the end.
            Progress::Reserved { .. } | Progress::Spent { .. } => None,
            Progress::Recalled { memories } if memories.is_empty() => None,
            Progress::Recalled { memories } => {
                let titles: Vec<&str> = memories.iter().map(|m| m.title.as_str()).collect();
                Some(self.said("OBSERVE", &format!("remembers: {}", titles.join("; "))))
            }
            Progress::Said { text, by, .. } => {
                Some(self.said(&self.phase(), &format!("{by} says: {text}")))
            }
            Progress::Heard { text, .. } => {
                Some(self.said(&self.phase(), &format!("has heard: {text}")))
            }
            Progress::Added { criteria } => {
                let mut lines = Vec::new();
                for criterion in criteria {
                    let (id, fresh) = (criterion.id.to_uppercase(), (criterion.text.clone(), None));
                    self.criteria.insert(criterion.id.clone(), fresh);
                    lines.push(format!("added as {id}: {}", criterion.text));
                }
                Some(self.said(&self.phase(), &lines.join("; ")))
            }
            Progress::Note { text } => {
                self.doing = text.clone();
                let phase = self.phase();
                Some(self.said(&phase, text))
            }
        }
    }

    /// It rests: what was at work last is over.
    pub fn done(&mut self) {
        self.done.extend(self.current.take());
        self.doing.clear();
    }

    /// The one line of a terminal of this many columns: what it does is left out where there is no room,
    /// then the phases are told in fewer letters, then only the last of them.
    pub fn line(&self, elapsed: Duration, width: usize) -> String {
        if !self.parts.is_empty() {
            let parts: Vec<String> = self
                .parts
                .iter()
                .map(|(name, live)| format!("{name} {}", live.brief()))
                .collect();
            return format!("  {}   {}", parts.join("   "), time(elapsed));
        }
        let doing = match self.doing.as_str() {
            "" => String::new(),
            doing => format!("   {}", one_line(doing, 60)),
        };
        let took = time(elapsed);
        let agent = self.agent.as_str();
        let whole = |what: &str, doing: &str| format!("  {agent:<8} {what}{doing}   {took}");
        let long = self.phases(|phase, mark| format!("{phase} {mark}"));
        let short = self.phases(|phase, mark| format!("{mark}{phase}"));
        let what = match &self.state {
            _ if !long.is_empty() && self.state != Some(FOR_HOST) => {
                let last = long.last().map(String::as_str).unwrap_or_default();
                let ways = [
                    whole(&long.join(" "), &doing),
                    whole(&short.join(" "), &doing),
                    whole(&long.join(" "), ""),
                    whole(&short.join(" "), ""),
                ];
                let fits = ways.into_iter().find(|line| line.width() <= width);
                return fits.unwrap_or_else(|| whole(last, ""));
            }
            Some(TaskState::Queued) | None => "waits in the queue …".to_owned(),
            Some(TaskState::Waiting {
                on: WaitReason::Time,
            }) => "waits for its time …".to_owned(),
            Some(state) if *state == FOR_HOST => "waits for its host …".to_owned(),
            Some(state) => state.to_string(),
        };
        whole(&what, &doing)
    }

    /// The phases so far, each told by its name and its mark.
    fn phases(&self, tell: impl Fn(String, &str) -> String) -> Vec<String> {
        let told = Phase::ALL.into_iter().filter_map(|phase| {
            let mark = match phase {
                _ if Some(phase) == self.current => "…",
                _ if self.done.contains(&phase) => "✓",
                _ => return None,
            };
            Some(tell(format!("{phase}{}", self.proven(phase)), mark))
        });
        told.collect()
    }

    /// A part of a plan in a word or two.
    fn brief(&self) -> String {
        match (&self.state, self.current) {
            (Some(TaskState::Done), _) => "✓".to_owned(),
            (Some(state), _) if state.is_final() => "✗".to_owned(),
            (Some(TaskState::Waiting { .. }), _) => "waits".to_owned(),
            (_, Some(phase)) => format!("{phase}{} …", self.proven(phase)),
            (Some(TaskState::Running { .. }), None) => "…".to_owned(),
            _ => "queued".to_owned(),
        }
    }

    /// ` 2/3` beside VERIFY once it measures.
    fn proven(&self, phase: Phase) -> String {
        let passed = self
            .criteria
            .values()
            .filter(|(_, verdict)| *verdict == Some(Verdict::Passed))
            .count();
        match phase {
            Phase::Verify if !self.criteria.is_empty() => {
                format!(" {passed}/{}", self.criteria.len())
            }
            _ => String::new(),
        }
    }
}

/// The tool and what it did, the tool's name once.
fn call(line: &CallLine) -> String {
    match line.summary.trim() {
        summary if summary.starts_with(line.tool.as_str()) => summary.to_owned(),
        summary => format!("{} {summary}", line.tool).trim_end().to_owned(),
    }
}

/// ✓ proven, ✗ seen not to hold, ? nobody knows, · not measured yet.
pub fn mark(verdict: Option<Verdict>) -> &'static str {
    match verdict {
        Some(Verdict::Passed) => "✓",
        Some(Verdict::Failed) => "✗",
        Some(Verdict::Unknown) => "?",
        None => "·",
    }
}

#[cfg(test)]
mod tests;
