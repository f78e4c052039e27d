//! The programs of level 3 that run now or wait for their turn, and the words that end one because its task is over. Who may
//! end which is decided here, and so is that a word holds for what comes after it: an order that is still on its way when its
//! task is cancelled begins nothing. No IO: whoever carries an order out is woken through a channel.

use crate::tickets::over::{NAME, one_name};
use protocol::duty::order::{End, Outcome};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tokio::sync::watch;

/// Words that are remembered. An older one is about an order that came long ago, and whoever keeps the tasks says it again
/// where one runs all the same.
const REMEMBERED: usize = 256;
/// Most tasks of one role whose programs run or wait at once: an agent holds one. More would crowd others out of the list.
const LISTED: usize = 16;

/// For whom a program was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The task's uuid.
    pub task: String,
    /// The agent's role.
    pub role: String,
    /// The claim under which it was asked for; 0 where an agent of an older version does not say.
    pub epoch: u64,
}

impl Run {
    /// For a task as the agent names it.
    pub fn of(task: &str, role: &str, epoch: u64) -> Self {
        let (task, role) = (one_name(task), role.to_owned());
        Self { task, role, epoch }
    }
}

/// That a task is over, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Word {
    task: String,
    /// The role and the claim of the agent that says it; none: the owner of the home, whose supervisor knows all tasks.
    holder: Option<(String, u64)>,
}

impl Word {
    /// An agent's, under its claim.
    pub fn of_holder(task: String, role: String, epoch: u64) -> Self {
        let holder = Some((role, epoch));
        let task = one_name(&task);
        Self { task, holder }
    }

    /// The owner's.
    pub fn of_owner(task: String) -> Self {
        let task = one_name(&task);
        Self { task, holder: None }
    }

    /// Whether it ends this one. An agent ends what its own role began for that task, and nothing that a later claim than its
    /// own began: that one's holder says itself what becomes of it. The claim is the agent's own word, so this keeps order within a
    /// role and is no wall; the role is.
    pub fn ends(&self, run: &Run) -> bool {
        let holds = |(role, epoch): &(String, u64)| *role == run.role && *epoch >= run.epoch;
        self.task == run.task && self.holder.as_ref().is_none_or(holds)
    }
}

/// How one ended, once it has.
pub type Ending = watch::Receiver<Option<Outcome>>;

/// One that runs or waits.
#[derive(Debug)]
struct Going {
    run: Run,
    told: watch::Sender<bool>,
    ended: watch::Sender<Option<Outcome>>,
}

/// All of them.
#[derive(Debug, Default)]
pub struct Runs {
    next: u64,
    all: BTreeMap<u64, Going>,
    words: VecDeque<Word>,
}

impl Runs {
    /// One was asked for: its number, and the channel that becomes true with the word to end it, at once where that was said.
    ///
    /// # Errors
    /// A sentence, where its role has too many, or its task's name is none.
    pub fn begins(&mut self, run: Run) -> Result<(u64, watch::Receiver<bool>), String> {
        if run.task.len() > NAME {
            return Err(format!(
                "a task's name has at most {NAME} bytes: nothing was begun; name the task by its uuid"
            ));
        }
        let of_role = self.all.values().map(|going| &going.run);
        let of_role = of_role.filter(|one| one.role == run.role && one.task != run.task);
        let others: BTreeSet<&str> = of_role.map(|one| one.task.as_str()).collect();
        if others.len() >= LISTED {
            return Err(format!(
                "programs of {LISTED} tasks of the agent {} run or wait already: nothing was begun; ask again once one has ended",
                run.role
            ));
        }
        let said = self.words.iter().any(|word| word.ends(&run));
        let (told, hears) = watch::channel(said);
        let ended = watch::Sender::new(None);
        self.next += 1;
        self.all.insert(self.next, Going { run, told, ended });
        Ok((self.next, hears))
    }

    /// It came to an end, or was not begun.
    pub fn ended(&mut self, number: u64, outcome: Outcome) {
        if let Some(going) = self.all.remove(&number) {
            going.ended.send_replace(Some(outcome));
        }
    }

    /// A word that a task is over: ends what it may and answers those, to be waited for. Harmless where nothing runs.
    pub fn over(&mut self, word: Word) -> Vec<Ending> {
        let ends = |going: &&Going| word.ends(&going.run);
        let endings = self.all.values().filter(ends).map(|going| {
            going.told.send_replace(true);
            going.ended.subscribe()
        });
        let endings = endings.collect();
        self.words.retain(|one| *one != word);
        if word.task.len() <= NAME {
            self.words.push_back(word);
        }
        let old = self.words.len().saturating_sub(REMEMBERED);
        self.words.drain(..old);
        endings
    }

    /// The tasks whose programs run now or wait for their turn.
    pub fn tasks(&self) -> BTreeSet<String> {
        let tasks = self.all.values().map(|going| going.run.task.clone());
        tasks.collect()
    }
}

/// Waits for all of them; how the one that was begun ended, else that none was.
pub async fn end_of(endings: Vec<Ending>) -> Option<Outcome> {
    let mut all = Vec::new();
    for mut ending in endings {
        if let Ok(outcome) = ending.wait_for(Option::is_some).await {
            all.extend(outcome.clone());
        }
    }
    let begun = all.iter().position(|outcome| outcome.end != End::Not);
    (!all.is_empty()).then(|| all.swap_remove(begun.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use protocol::ids::TaskId;

    fn run((task, role, epoch): (u8, u8, u64)) -> Run {
        Run::of(&task.to_string(), &role.to_string(), epoch)
    }

    fn word((task, holder): (u8, Option<(u8, u64)>)) -> Word {
        match holder {
            Some((role, epoch)) => Word::of_holder(task.to_string(), role.to_string(), epoch),
            None => Word::of_owner(task.to_string()),
        }
    }

    proptest! {
        /// Whatever is said and begun in whatever order: told are exactly those that a word was meant for, said before or after.
        #[test]
        fn exactly_those_are_told_that_a_word_is_meant_for(
            runs in prop::collection::vec((0u8..3, 0u8..2, 0u64..4), 0..6),
            words in prop::collection::vec((0u8..3, prop::option::of((0u8..2, 0u64..4))), 0..4),
            order in prop::collection::vec(any::<bool>(), 10),
        ) {
            let (mut all, mut told) = (Runs::default(), Vec::new());
            let (mut left, mut unsaid) = (runs.iter(), words.iter());
            for begin in order.iter().copied().chain([true; 6]).chain([false; 4]) {
                if begin {
                    if let Some(one) = left.next() {
                        told.push((*one, all.begins(run(*one)).unwrap()));
                    }
                } else if let Some(one) = unsaid.next() {
                    let ends = told.iter().filter(|(of, _)| word(*one).ends(&run(*of))).count();
                    prop_assert_eq!(all.over(word(*one)).len(), ends);
                }
            }
            prop_assert_eq!(told.len(), runs.len());
            for ((task, role, epoch), (_, hears)) in told {
                let meant = words.iter().any(|(of, holder)| {
                    *of == task && holder.is_none_or(|(by, under)| by == role && under >= epoch)
                });
                prop_assert_eq!(*hears.borrow(), meant);
            }
        }
    }

    #[test]
    fn what_ended_is_no_longer_there_and_few_words_are_kept() {
        let mut all = Runs::default();
        let (number, hears) = all.begins(run((1, 1, 1))).unwrap();
        assert_eq!(all.tasks(), ["1".to_owned()].into());
        all.ended(number, Outcome::not("refused"));
        assert!(all.tasks().is_empty());
        assert!(all.over(word((1, None))).is_empty() && !*hears.borrow());
        for task in 0..2 * REMEMBERED {
            all.over(Word::of_owner(format!("t{task}")));
            all.over(word((1, None)));
        }
        assert_eq!(all.words.len(), REMEMBERED);
        assert!(*all.begins(run((1, 1, 1))).unwrap().1.borrow());
    }

    #[test]
    fn one_role_crowds_nobody_out_and_a_task_has_one_name() {
        let mut all = Runs::default();
        for task in 0..LISTED as u8 {
            all.begins(run((task, 1, 1))).unwrap();
        }
        let said = all.begins(run((99, 1, 1))).unwrap_err();
        assert!(said.contains("run or wait already"), "{said}");
        let said = all.begins(Run::of(&"x".repeat(NAME + 1), "2", 1));
        assert!(said.unwrap_err().contains("at most 64 bytes"));
        // The same task again, and another role's.
        let again = all.begins(run((0, 1, 1))).unwrap().0;
        let other = all.begins(run((99, 2, 1))).unwrap().0;
        assert_eq!(all.tasks().len(), LISTED + 1);
        all.ended(again, Outcome::not("ended"));
        all.ended(other, Outcome::not("ended"));
        let id = TaskId::new();
        let otherwise = id.to_string().replace('-', "").to_uppercase();
        let (_, hears) = all.begins(Run::of(&otherwise, "2", 1)).unwrap();
        assert!(all.tasks().contains(&id.to_string()));
        assert_eq!(all.over(Word::of_owner(id.to_string())).len(), 1);
        assert!(*hears.borrow());
        let words = all.words.len();
        all.over(Word::of_owner("x".repeat(NAME + 1)));
        assert_eq!(all.words.len(), words);
    }

    #[tokio::test]
    async fn of_one_that_ran_and_one_that_waited_the_end_of_the_first_is_told() {
        let mut all = Runs::default();
        let waits = all.begins(run((1, 1, 1))).unwrap().0;
        let ran = all.begins(run((1, 1, 2))).unwrap().0;
        let endings = all.over(Word::of_holder("1".to_owned(), "1".to_owned(), 2));
        all.ended(waits, Outcome::not("not begun"));
        let failed = Outcome::of(End::Failed, "ended", serde_json::Value::Null);
        all.ended(ran, failed.clone());
        assert_eq!(end_of(endings).await, Some(failed));
        assert_eq!(end_of(Vec::new()).await, None);
    }
}
