//! The life of a plan as a pure machine: which part may start, what an end means for the others,
//! and how the whole ends. It is rebuilt from the stored parts, so it may be cut off anywhere.

use protocol::plan::{OnFailure, Part, PartState, Plan};
use protocol::task_state::TaskState;

/// Where one part stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its state.
    pub state: PartState,
    /// Why it failed or was left out.
    pub reason: Option<String>,
    /// How many tasks were made for it.
    pub tries: u32,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            state: PartState::Waiting,
            reason: None,
            tries: 0,
        }
    }
}

/// How a plan ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// Every part is done.
    Done,
    /// Some are not; the reason names the first one that failed.
    Failed {
        /// As a sentence.
        reason: String,
    },
    /// A person stopped it, and nothing of it runs any more.
    Cancelled,
}

/// A plan and how its parts stand.
#[derive(Debug, Clone, PartialEq)]
pub struct Graph<'p> {
    plan: &'p Plan,
    parts: Vec<Standing>,
    stopping: bool,
}

impl<'p> Graph<'p> {
    /// A plan that was just accepted; `done` names parts that an earlier plan did.
    pub fn new(plan: &'p Plan, done: &[&str]) -> Self {
        let parts = plan
            .tasks
            .iter()
            .map(|part| Standing {
                state: match done.contains(&part.id.as_str()) {
                    true => PartState::Done,
                    false => PartState::Waiting,
                },
                ..Standing::default()
            })
            .collect();
        let mut graph = Self {
            plan,
            parts,
            stopping: false,
        };
        graph.settle();
        graph
    }

    /// A plan as it was stored. `stopping`: nothing new is started any more.
    pub fn restore(plan: &'p Plan, parts: Vec<Standing>, stopping: bool) -> Self {
        Self {
            plan,
            parts,
            stopping,
        }
    }

    /// How the parts stand, in the order of the plan.
    pub fn parts(&self) -> &[Standing] {
        &self.parts
    }

    /// A task was made for a part. False, and nothing changed, when none was wanted.
    pub fn started(&mut self, at: usize) -> bool {
        match self.parts.get_mut(at) {
            Some(part) if part.state == PartState::Ready && !self.stopping => {
                part.state = PartState::Running;
                part.reason = None;
                part.tries += 1;
                true
            }
            _ => false,
        }
    }

    /// The task of a part ended. False, and nothing changed, when none ran.
    pub fn ended(&mut self, at: usize, end: &TaskState) -> bool {
        let Some((part, standing)) = self.plan.tasks.get(at).zip(self.parts.get_mut(at)) else {
            return false;
        };
        if standing.state != PartState::Running || !end.is_final() {
            return false;
        }
        (standing.state, standing.reason) = after_end(part, standing.tries, self.stopping, end);
        self.settle();
        true
    }

    /// No task can be made for a part. False, and nothing changed, when none was wanted.
    pub fn unstartable(&mut self, at: usize, reason: &str) -> bool {
        match self.parts.get_mut(at) {
            Some(part) if part.state == PartState::Ready => {
                part.state = PartState::Failed;
                part.reason = Some(reason.to_owned());
                self.settle();
                true
            }
            _ => false,
        }
    }

    /// Nothing new is started from now on. An end stays what it is.
    pub fn stop(&mut self, reason: &str) {
        if self.end().is_some() {
            return;
        }
        self.stopping = true;
        for part in &mut self.parts {
            leave(part, reason);
        }
    }

    /// How the whole ended; `None` while something runs or is to be started.
    pub fn end(&self) -> Option<End> {
        if !self.parts.iter().all(|part| part.state.is_final()) {
            return None;
        }
        let done = self.count(PartState::Done);
        if done == self.parts.len() {
            return Some(End::Done);
        }
        if self.stopping {
            return Some(End::Cancelled);
        }
        let mut named = self.plan.tasks.iter().zip(&self.parts);
        let first = named.find(|(_, standing)| standing.state == PartState::Failed);
        let reason = match first {
            Some((part, standing)) => format!(
                "`{}` failed: {}; {done} of {} tasks are done",
                part.id,
                standing.reason.as_deref().unwrap_or("no reason was given"),
                self.parts.len()
            ),
            None => format!("{done} of {} tasks are done", self.parts.len()),
        };
        Some(End::Failed { reason })
    }

    fn count(&self, state: PartState) -> usize {
        self.parts.iter().filter(|part| part.state == state).count()
    }

    /// Draws every conclusion from how the parts stand.
    fn settle(&mut self) {
        let stopper =
            self.plan.tasks.iter().zip(&self.parts).find(|(part, s)| {
                s.state == PartState::Failed && part.on_failure != OnFailure::Skip
            });
        if let Some((part, _)) = stopper {
            let reason = format!("`{}` failed, which stops the plan", part.id);
            self.parts.iter_mut().for_each(|part| leave(part, &reason));
        }
        while self.leave_dependents() {}
        for (at, part) in self.plan.tasks.iter().enumerate() {
            let mut before = part.after.iter().map(|id| self.state_of(id));
            let ready = before.all(|state| state == Some(PartState::Done));
            if let Some(standing) = self.parts.get_mut(at)
                && standing.state == PartState::Waiting
                && ready
                && !self.stopping
            {
                standing.state = PartState::Ready;
            }
        }
    }

    /// Leaves out what comes after something that will not be done; says whether there was any.
    fn leave_dependents(&mut self) -> bool {
        let mut any = false;
        for (at, part) in self.plan.tasks.iter().enumerate() {
            let lost = part
                .after
                .iter()
                .find(|id| matches!(self.state_of(id), Some(PartState::Failed | PartState::Left)));
            let waits = self
                .parts
                .get(at)
                .is_some_and(|s| s.state == PartState::Waiting);
            if let (Some(lost), true, Some(standing)) = (lost, waits, self.parts.get_mut(at)) {
                leave(
                    standing,
                    &format!("it comes after `{lost}`, which is not done"),
                );
                any = true;
            }
        }
        any
    }

    fn state_of(&self, id: &str) -> Option<PartState> {
        let at = self.plan.tasks.iter().position(|part| part.id == id)?;
        self.parts.get(at).map(|standing| standing.state)
    }
}

/// Where a part goes when its task has ended.
fn after_end(
    part: &Part,
    tries: u32,
    stopping: bool,
    end: &TaskState,
) -> (PartState, Option<String>) {
    match end {
        TaskState::Done => (PartState::Done, None),
        // Refused or ended by a person: the same again would end the same.
        TaskState::Failed { reason } if tries < part.tries() && !stopping => {
            (PartState::Ready, Some(reason.clone()))
        }
        TaskState::Failed { reason } | TaskState::Refused { reason } => {
            (PartState::Failed, Some(reason.clone()))
        }
        _ => (PartState::Failed, Some("it was cancelled".to_owned())),
    }
}

/// A part that has not started never will; one that waits for another try has failed.
fn leave(part: &mut Standing, reason: &str) {
    match part.state {
        PartState::Waiting => {
            part.state = PartState::Left;
            part.reason = Some(reason.to_owned());
        }
        PartState::Ready => {
            part.state = match part.tries {
                0 => PartState::Left,
                _ => PartState::Failed,
            };
            part.reason.get_or_insert_with(|| reason.to_owned());
        }
        _ => {}
    }
}
