//! One agent of the model: what `agents/src/held.rs`, `toolbox.rs` and `pulse.rs` do with a held
//! task, one call of the bus at a time. What the bus answers, how a journal is folded and what an
//! effect class asks for is the product's own code; the order of the calls is told here again.

use crate::ledger::End;
use bus::claim::once::Memory;
use bus::lease::Lease;
use protocol::effect::{EffectClass, ProbeAnswer, Recovery, after_probe};
use std::collections::{BTreeMap, BTreeSet};

/// The name of a step in the journal.
pub fn step_name(step: u8) -> String {
    format!("execute/1/call/{step}")
}

/// Where an agent stands in its hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pc {
    /// It was given the task; the lease is to be renewed before anything else.
    Sure,
    /// It reads the journal and writes that it took the task, not before this time.
    Open(u64),
    /// The same, after the journal was read.
    Enter,
    /// It tells the supervisor.
    Tell,
    /// It decides how to go about a step.
    Step(u8),
    /// The intent of a call that cannot be made twice is in the journal and noted on the host: the
    /// task must be held still.
    Confirm(u8),
    /// The intent is in the journal, or recovery is over: the call is to be made.
    Call(u8),
    /// An executor is at it.
    Wait(u8),
    /// The call came back; its result is to be written down.
    Record(u8),
    /// The report is to be handed in.
    Report(End),
    /// The lease is to be given back.
    LetGo,
}

/// A held task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Work {
    /// The claim.
    pub lease: Lease,
    /// Which holder this is.
    pub attempt: u64,
    /// It was cancelled before this claim.
    pub cancel: bool,
    /// Until when the lease runs by the agent's own clock.
    pub until: u64,
    /// Steps with a result.
    pub done: BTreeSet<u8>,
    /// Steps with an intent, and what was seen before.
    pub begun: BTreeMap<u8, String>,
    /// What a person answered.
    pub answers: BTreeMap<u8, bool>,
    /// Where it stands.
    pub pc: Pc,
}

/// An agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agent {
    /// How often it was started.
    pub life: u64,
    /// Its process is stopped.
    pub paused: bool,
    /// It was told to give the lease back after the effect in hand.
    pub yields: bool,
    /// Tickets of claims that were not answered.
    pub lost: Vec<String>,
    /// What it holds.
    pub work: Option<Box<Work>>,
}

impl Agent {
    /// A new process.
    pub fn new(life: u64) -> Self {
        Self {
            life,
            paused: false,
            yields: false,
            lost: Vec::new(),
            work: None,
        }
    }

    /// The name of the process, its own alone.
    pub fn instance(&self, number: usize) -> String {
        format!("code@here#{number}.{}", self.life)
    }

    /// What its claimer remembers. The ticket is one that no earlier claim of this task has.
    pub fn memory(&self, number: usize, claims: usize) -> Memory {
        Memory {
            id: uuid::Uuid::from_u128((number as u128) << 32 | u128::from(self.life)),
            tickets: (claims * 8 + self.lost.len()) as u64,
            lost: self.lost.clone(),
        }
    }
}

/// How a step is gone about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// Write the intent first.
    Intent,
    /// Make the call.
    Call,
    /// Put the clone back to this, then make the call.
    ResetAndCall(String),
    /// It happened already.
    TakeAsDone,
    /// Ask a person.
    Ask,
}

impl Work {
    /// The next step without a result.
    pub fn next_step(&self, classes: &[EffectClass]) -> Option<u8> {
        (0..classes.len() as u8).find(|step| !self.done.contains(step))
    }

    /// How a step is gone about; `happened` is what the world says where it can be asked.
    pub fn way(&self, step: u8, class: EffectClass, happened: bool) -> Way {
        if class == EffectClass::Pure {
            return Way::Call;
        }
        let Some(tree) = self.begun.get(&step) else {
            return Way::Intent;
        };
        match class.recovery() {
            Recovery::RunAgain => Way::Call,
            Recovery::ResetAndRun => Way::ResetAndCall(tree.clone()),
            Recovery::Probe => {
                let answer = if happened {
                    ProbeAnswer::Happened
                } else {
                    ProbeAnswer::Not
                };
                match after_probe(answer) {
                    Ok(true) => Way::TakeAsDone,
                    Ok(false) => Way::Call,
                    Err(_) => Way::Ask,
                }
            }
            Recovery::AskPerson => match self.answers.get(&step) {
                Some(true) => Way::TakeAsDone,
                // Told to make it again: a new intent, so that the answer counts once.
                Some(false) => Way::Intent,
                None => Way::Ask,
            },
        }
    }
}
