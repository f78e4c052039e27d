//! A program of level 3 whose task is over: whoever may say so has it ended, or not begun. It ends as in a freeze; what it
//! did until then stays, and its two lines of the record say what became of it.

use super::Office;
use crate::operations::book::Deed;
use crate::operations::runs::{Run, Word, end_of};
use crate::tickets::ticket::Wanted;
use crate::wire::Reply;
use protocol::duty::Duty;
use protocol::duty::order::{End, Outcome};
use serde_json::Value;
use tokio::sync::watch;

/// Its task was over before it was begun.
pub(super) fn too_late() -> Outcome {
    Outcome::not("its task was cancelled or is over: it was not begun")
}

impl Office {
    /// Has a program run, once for its key, as long as nobody says that its task is over.
    pub(super) async fn run(
        &self,
        wanted: &Wanted,
        duty: &Duty,
        key: &str,
        epoch: u64,
    ) -> Result<Outcome, String> {
        let digest = wanted.digest(&self.host);
        let begun = |deed: &Deed| deed.digest == digest;
        if !self.deeds.borrow().get(key).is_some_and(begun) {
            // Whoever may have none run is not listed while it waits. What was begun has an end to be told, whatever is so now.
            self.allowed(wanted, duty)?;
        }
        let run = Run::of(&wanted.task, &wanted.agent, epoch);
        let (number, over) = self.runs.borrow_mut().begins(run)?;
        let done = self.once(wanted, duty, key, over).await;
        let ended = match &done {
            Ok(outcome) => outcome.clone(),
            Err(why) => Outcome::not(why.as_str()),
        };
        self.runs.borrow_mut().ended(number, ended);
        done
    }

    /// Waits for the word that a task is over, as long as nothing was begun under this key: what was begun has an end to be
    /// told.
    pub(super) async fn over_before(&self, key: &str, mut over: watch::Receiver<bool>) {
        let said = over.wait_for(|over| *over).await.is_ok();
        if !said || self.deeds.borrow().get(key).is_some() {
            std::future::pending::<()>().await;
        }
    }

    /// Ends what a word that a task is over may end; how it ended, or how the one that was run under a key of that role did.
    pub(super) async fn end_run(&self, word: Word, role: &str, key: Option<&str>) -> Reply {
        let ends = self.runs.borrow_mut().over(word);
        let ended = end_of(ends).await.filter(|ended| ended.end != End::Not);
        let known = || {
            let deeds = self.deeds.borrow();
            let own =
                |deed: &&Deed| deed.agent == role && matches!(deed.duty, Duty::HostRun { .. });
            let deed = deeds.get(key?).filter(own)?;
            let unheard = || {
                let text = "it was begun, and nobody knows yet how it ended";
                Outcome::of(End::Unknown, text, Value::Null)
            };
            Some(deed.outcome.clone().unwrap_or_else(unheard))
        };
        match ended.or_else(known) {
            Some(outcome) => Reply::Operated {
                outcome: Box::new(outcome),
            },
            None => Reply::Done,
        }
    }

    /// Whose programs run now.
    pub(super) fn running(&self) -> Reply {
        let tasks = self.runs.borrow().tasks();
        Reply::Runs {
            tasks: tasks.into_iter().collect(),
        }
    }
}
