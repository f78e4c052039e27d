//! What the algorithm asks for and what it is answered. All of it can be journaled.

use protocol::criterion::{Criterion, Evidence};
use protocol::memory::FoundMemory;
use protocol::phase::Phase;
use serde::{Deserialize, Serialize};

/// How often a task may go back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Returns from VERIFY to EXECUTE under one plan.
    pub execute_returns: u8,
    /// Returns from VERIFY to PLAN.
    pub plan_returns: u8,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            execute_returns: 2,
            plan_returns: 1,
        }
    }
}

impl Limits {
    /// Most asks, the final one included, that a machine with these limits makes.
    pub fn most_asks(&self) -> usize {
        let plans = usize::from(self.plan_returns) + 1;
        let rounds = plans * (usize::from(self.execute_returns) + 1);
        let before = 3 + plans;
        let build = 4;
        let repeated_verify = 1;
        let end = 2;
        before + build + 2 * rounds + repeated_verify + end
    }
}

/// What the machine wants next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Bring back what was learned before.
    Recall,
    /// Look at the task's surroundings.
    Observe,
    /// List the options with their risks.
    Think,
    /// Pick one.
    Plan,
    /// Write the criteria.
    WriteCriteria {
        /// What was wrong with the last ones.
        complaint: Option<String>,
    },
    /// Measure these criteria of change; each must fail, for the work has not begun.
    CheckBefore(Vec<Criterion>),
    /// Do the work.
    Work {
        /// 1 for the first time.
        round: u32,
        /// What did not pass in the last VERIFY; empty in the first round.
        feedback: Vec<Evidence>,
    },
    /// Measure every criterion.
    Verify(Vec<Criterion>),
    /// Keep what would have helped.
    Learn(Outcome),
    /// Nothing more.
    End(Outcome),
}

impl Ask {
    /// The phase the ask belongs to. A task that waits for a person ends without LEARN; its
    pub fn phase(&self) -> Phase {
        match self {
            Ask::Recall | Ask::Observe => Phase::Observe,
            Ask::Think => Phase::Think,
            Ask::Plan => Phase::Plan,
            Ask::WriteCriteria { .. } | Ask::CheckBefore(_) => Phase::Build,
            Ask::Work { .. } => Phase::Execute,
            Ask::Verify(_) => Phase::Verify,
            Ask::Learn(_) | Ask::End(_) => Phase::Learn,
        }
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Ask::Recall => "memories",
            Ask::Observe => "an observation",
            Ask::Think => "options",
            Ask::Plan => "a plan",
            Ask::WriteCriteria { .. } => "criteria",
            Ask::CheckBefore(_) => "evidence from before the work",
            Ask::Work { .. } => "work",
            Ask::Verify(_) => "evidence",
            Ask::Learn(_) => "what was learned",
            Ask::End(_) => "nothing",
        }
    }
}

/// An answer to an [`Ask`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// To `Recall`.
    Recalled(Vec<FoundMemory>),
    /// To `Observe`.
    Observed(String),
    /// To `Think`.
    Options(Vec<Choice>),
    /// To `Plan`.
    Planned(Plan),
    /// To `WriteCriteria`.
    Criteria(Vec<Criterion>),
    /// To `CheckBefore` and `Verify`.
    Checked(Vec<Evidence>),
    /// To `Work`.
    Worked(Worked),
    /// To `Learn`: ids of the memories kept.
    Learned(Vec<String>),
}

impl Answer {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Answer::Recalled(_) => "memories",
            Answer::Observed(_) => "an observation",
            Answer::Options(_) => "options",
            Answer::Planned(_) => "a plan",
            Answer::Criteria(_) => "criteria",
            Answer::Checked(_) => "evidence",
            Answer::Worked(_) => "work",
            Answer::Learned(_) => "what was learned",
        }
    }
}

/// An option THINK found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Choice {
    /// A short name.
    pub name: String,
    /// What would be done.
    pub summary: String,
    /// What could go wrong.
    pub risk: String,
}

/// What PLAN decided.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// Name of the chosen option.
    pub choice: String,
    /// What will be done, in order, for people.
    pub steps: Vec<String>,
    /// Why none of the options will do; the task fails with it.
    #[serde(default)]
    pub complaint: Option<String>,
}

/// What EXECUTE brought back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worked {
    /// The report for the person.
    pub text: String,
    /// How it ended.
    pub ended: WorkEnd,
    /// Criteria that were added meanwhile, because more was asked for.
    #[serde(default)]
    pub added: Vec<Criterion>,
}

/// How work ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WorkEnd {
    /// By itself, with something to verify.
    Finished,
    /// In the middle; it is tried again a bounded number of times, and is never "done".
    CutOff(String),
    /// With an error that trying again would not mend.
    Failed(String),
    /// Policy or budget said no.
    Refused(String),
}

/// How a task ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every criterion passed in the last VERIFY.
    Done {
        /// The report.
        text: String,
    },
    /// It ended without what was asked.
    Failed {
        /// Why, as a sentence.
        reason: String,
        /// The report as far as it got.
        text: String,
    },
    /// Policy or budget refused it.
    Refused {
        /// Why, as a sentence.
        reason: String,
    },
}
