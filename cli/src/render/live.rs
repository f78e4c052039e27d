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
                let phase = self.current.map(|p| p.to_string()).unwrap_or_default();
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
            Progress::Note { text } => {
                self.doing = text.clone();
                let phase = self.current.map(|p| p.to_string()).unwrap_or_default();
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
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use jiff::Timestamp;
    use serde_json::json;

    fn event(value: serde_json::Value) -> Reply {
        Reply::Event {
            progress: serde_json::from_value(value).unwrap(),
        }
    }

    fn story() -> Vec<Reply> {
        let at = Timestamp::UNIX_EPOCH.to_string();
        let mut told = vec![Reply::State {
            state: TaskState::Queued,
        }];
        let phase =
            |what: &str, phase: &str| event(json!({"event": what, "phase": phase, "at": at}));
        for name in ["observe", "think", "plan"] {
            told.push(phase("phase_started", name));
            told.push(phase("phase_ended", name));
        }
        told.push(phase("phase_started", "build"));
        let check = json!({"file": {"path": "x"}});
        told.push(event(json!({"event": "criteria", "criteria": [
            {"id": "c1", "text": "it holds", "check": check},
            {"id": "c2", "text": "that too", "check": check},
        ]})));
        told.push(phase("phase_ended", "build"));
        told.push(phase("phase_started", "execute"));
        told.push(event(json!({"event": "call", "line": {
            "phase": "execute", "tool": "Bash", "summary": "cargo fmt\x1b[2J --check", "took_ms": 1400, "is_error": false}})));
        told.push(phase("phase_ended", "execute"));
        told.push(phase("phase_started", "verify"));
        told.push(event(json!({"event": "evidence", "evidence": {
            "criterion": "c1", "verdict": "passed", "source": "file", "observed": "x", "measured": at, "tree": null}})));
        told
    }

    fn live() -> Live {
        Live::new(ShortId(1), "code".parse().unwrap())
    }

    #[test]
    fn a_pipe_sees_plain_lines() {
        let mut live = live();
        let lines: Vec<String> = story().iter().filter_map(|r| live.take(r)).collect();
        assert_eq!(
            lines.join("\n"),
            "code              queued\n\
             code     BUILD    2 criteria written\n\
             code     EXECUTE  Bash cargo fmt\\u{1b}[2J --check · 1.4 s\n\
             code     VERIFY   ✓ c1 it holds"
        );
    }

    #[test]
    fn a_terminal_sees_one_line() {
        let mut live = live();
        assert_eq!(
            live.line(Duration::from_millis(50), 100),
            "  code     waits in the queue …   50 ms"
        );
        for reply in story() {
            live.take(&reply);
        }
        assert_eq!(
            live.line(Duration::from_millis(1400), 100),
            "  code     OBSERVE ✓ THINK ✓ PLAN ✓ BUILD ✓ EXECUTE ✓ VERIFY 1/2 …   1.4 s"
        );
        for (width, expected) in [
            (
                72,
                "  code     ✓OBSERVE ✓THINK ✓PLAN ✓BUILD ✓EXECUTE …VERIFY 1/2   1.4 s",
            ),
            (40, "  code     VERIFY 1/2 …   1.4 s"),
        ] {
            assert_eq!(live.line(Duration::from_millis(1400), width), expected);
        }
        let back =
            json!({"event": "phase_started", "phase": "execute", "at": "1970-01-01T00:00:01Z"});
        live.take(&event(back));
        assert_eq!(
            live.line(Duration::from_secs(2), 100),
            "  code     OBSERVE ✓ THINK ✓ PLAN ✓ BUILD ✓ EXECUTE …   2.0 s"
        );
    }

    #[test]
    fn a_plan_shows_its_parts() {
        let of = |name: &str, task: u64, told: Reply| Reply::Part {
            part: name.to_owned(),
            task: ShortId(task),
            agent: "qa".parse().unwrap(),
            told: Box::new(told),
        };
        let mut live = Live::new(ShortId(1), Role::supervisor());
        let mut lines = Vec::new();
        for reply in story() {
            lines.extend(live.take(&of("tests", 2, reply)));
        }
        let state = |state| Reply::State { state };
        lines.extend(live.take(&of("scan", 3, state(TaskState::Queued))));
        assert_eq!(lines[1], "t2    qa       BUILD    2 criteria written");
        assert_eq!(
            live.line(Duration::from_secs(2), 100),
            "  tests VERIFY 1/2 …   scan queued   2.0 s"
        );
        live.take(&of("scan", 3, state(TaskState::Cancelled)));
        live.take(&of("tests", 4, state(TaskState::Done)));
        assert_eq!(
            live.line(Duration::from_secs(2), 100),
            "  scan ✗   tests ✓   2.0 s"
        );
    }

    #[test]
    fn what_is_told_again_after_a_reconnection_is_passed_over() {
        let mut live = live();
        for reply in story() {
            live.take(&reply);
        }
        live.reconnected();
        assert!(story().iter().all(|reply| live.take(reply).is_none()));
        let new = event(json!({"event": "claimed", "holder": "code@h", "epoch": 2, "replayed": 3}));
        assert_eq!(
            live.take(&new).unwrap(),
            "code              resumed t1 (3 steps taken from the journal; nothing repeated)"
        );
    }
}
