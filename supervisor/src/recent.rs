//! What happened last, in words: kept in memory for whoever looks at the team. The ledger has
//! everything; this is only the end of it.

use crate::ledger::events::{Event, Happening};
use jiff::Timestamp;
use protocol::board::EventLine;
use protocol::report::Progress;
use protocol::task_state::TaskState;
use protocol::text::one_line;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// How many are kept.
const KEPT: usize = 60;
/// Most characters of one.
const WORDS: usize = 160;

/// The last happenings. Cheap to clone; every clone is the same.
#[derive(Debug, Clone, Default)]
pub struct Recent(Arc<Mutex<VecDeque<EventLine>>>);

impl Recent {
    /// Notes what was committed about a task, where it says something to people.
    pub fn note(&self, happening: &Happening) {
        if let Some(text) = words(&happening.event) {
            self.push(EventLine {
                at: Timestamp::now(),
                task: Some(happening.short_id),
                agent: Some(happening.agent.clone()),
                text,
            });
        }
    }

    /// Notes a word about the whole team.
    pub fn say(&self, words: &str) {
        self.push(EventLine {
            at: Timestamp::now(),
            task: None,
            agent: None,
            text: one_line(words, WORDS),
        });
    }

    fn push(&self, line: EventLine) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.push_back(line);
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }

    /// All that is kept, oldest first.
    pub fn all(&self) -> Vec<EventLine> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().cloned().collect()
    }
}

fn words(event: &Event) -> Option<String> {
    let words = match event {
        Event::State(TaskState::Running { .. }) => "taken".to_owned(),
        Event::State(TaskState::Failed { reason }) => format!("FAILED: {reason}"),
        Event::State(TaskState::Refused { reason }) => format!("refused: {reason}"),
        Event::State(state) => state.to_string(),
        Event::Progress(Progress::PhaseStarted { phase, .. }) => phase.to_string(),
        Event::Progress(Progress::Call { line }) => {
            let mark = if line.is_error { "✗" } else { "✓" };
            format!("{mark} {} {}", line.tool, line.summary)
        }
        Event::Progress(_) => return None,
    };
    Some(one_line(&words, WORDS))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use protocol::ids::{ShortId, TaskId};

    #[test]
    fn the_last_ones_are_kept_as_harmless_words() {
        let recent = Recent::default();
        for number in 0..100 {
            let reason = format!("no \u{1b}[2J {number} {}", "x".repeat(500));
            recent.note(&Happening {
                task: TaskId::new(),
                short_id: ShortId(number),
                agent: "code".parse().unwrap(),
                event: Event::State(TaskState::Failed { reason }),
            });
        }
        recent.say("frozen by ada");
        let all = recent.all();
        assert_eq!((all.len(), all[0].task), (KEPT, Some(ShortId(41))));
        assert_eq!(all.last().unwrap().text, "frozen by ada");
        let longest = all.iter().map(|line| line.text.chars().count()).max();
        assert_eq!(longest, Some(WORDS));
        assert!(!all.iter().any(|line| line.text.contains('\u{1b}')));
    }
}
