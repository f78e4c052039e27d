//! The seven phases as a pure machine: it asks for the next thing, is given the answer, and ends
//! after a bounded number of asks. "Done" can only follow a VERIFY in which every criterion passed.

mod judge;
mod talk;

pub use talk::{Answer, Ask, Choice, Limits, Outcome, Plan, WorkEnd, Worked};

use judge::Judged;
use protocol::criterion::{Criterion, Evidence};
use protocol::memory::FoundMemory;

/// Most criteria a task may have; more is no longer something a person reads.
pub const MOST_CRITERIA: usize = 64;

/// Why an answer was not taken. The machine is unchanged then.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// The answer does not fit what was asked.
    #[error("the algorithm asked for {asked} and was given {given}: answer what `ask()` returns")]
    Unexpected {
        /// What was asked.
        asked: &'static str,
        /// What was given.
        given: &'static str,
    },
    /// The task is over.
    #[error("the algorithm has ended: nothing more can be answered")]
    Ended,
}

/// The machine. It is a pure function of the answers it was given, so a new holder of a task
/// rebuilds it by giving it the journaled answers again.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    limits: Limits,
    ask: Ask,
    recalled: Vec<FoundMemory>,
    observed: String,
    options: Vec<Choice>,
    plan: Option<Plan>,
    criteria: Vec<Criterion>,
    criteria_refused: bool,
    round: u32,
    execute_returns: u8,
    plan_returns: u8,
    verify_repeated: bool,
    text: String,
    evidence: Vec<Evidence>,
}

impl Machine {
    /// A machine at the start of OBSERVE.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            ask: Ask::Recall,
            recalled: Vec::new(),
            observed: String::new(),
            options: Vec::new(),
            plan: None,
            criteria: Vec::new(),
            criteria_refused: false,
            round: 0,
            execute_returns: 0,
            plan_returns: 0,
            verify_repeated: false,
            text: String::new(),
            evidence: Vec::new(),
        }
    }

    /// What is wanted now. Asking again without answering asks the same.
    pub fn ask(&self) -> Ask {
        self.ask.clone()
    }

    /// What OBSERVE recalled.
    pub fn recalled(&self) -> &[FoundMemory] {
        &self.recalled
    }

    /// What OBSERVE saw.
    pub fn observed(&self) -> &str {
        &self.observed
    }

    /// The options THINK listed.
    pub fn options(&self) -> &[Choice] {
        &self.options
    }

    /// The plan in force.
    pub fn plan(&self) -> Option<&Plan> {
        self.plan.as_ref()
    }

    /// The accepted criteria; once work has begun they are not changed, only added to.
    pub fn criteria(&self) -> &[Criterion] {
        &self.criteria
    }

    /// The evidence of the last VERIFY.
    pub fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// Takes the answer to the current ask and moves on.
    ///
    /// # Errors
    /// [`AlgorithmError`] when the answer does not fit the ask; the machine is unchanged then.
    pub fn answer(&mut self, answer: Answer) -> Result<(), AlgorithmError> {
        let next = match (self.ask.clone(), answer) {
            (Ask::End(_), _) => return Err(AlgorithmError::Ended),
            (Ask::Recall, Answer::Recalled(found)) => {
                self.recalled = found;
                Ask::Observe
            }
            (Ask::Observe, Answer::Observed(text)) => {
                self.observed = text;
                Ask::Think
            }
            (Ask::Think, Answer::Options(options)) => {
                self.options = options;
                Ask::Plan
            }
            (Ask::Plan, Answer::Planned(plan)) => self.planned(plan),
            (Ask::WriteCriteria { .. }, Answer::Criteria(criteria)) => {
                self.criteria_given(criteria)
            }
            (Ask::CheckBefore(asked), Answer::Checked(seen)) => self.checked_before(&asked, &seen),
            (Ask::Work { .. }, Answer::Worked(worked)) => self.worked(worked),
            (Ask::Verify(_), Answer::Checked(seen)) => self.verified(seen),
            (Ask::Learn(outcome), Answer::Learned(_)) => Ask::End(outcome),
            (asked, given) => {
                return Err(AlgorithmError::Unexpected {
                    asked: asked.name(),
                    given: given.name(),
                });
            }
        };
        self.ask = next;
        Ok(())
    }

    fn planned(&mut self, plan: Plan) -> Ask {
        let complaint = plan.complaint.clone();
        self.plan = Some(plan);
        if let Some(complaint) = complaint {
            return self.fail(format!("no option will do: {complaint}"));
        }
        if self.criteria.is_empty() {
            Ask::WriteCriteria { complaint: None }
        } else {
            // A second plan is judged by the same criteria: whoever failed them may not loosen them.
            self.work_again()
        }
    }

    fn criteria_given(&mut self, criteria: Vec<Criterion>) -> Ask {
        if let Err(problem) = judge::acceptable(&criteria) {
            return self.criteria_again(problem);
        }
        let of_change: Vec<Criterion> = criteria.iter().filter(|c| c.change).cloned().collect();
        self.criteria = criteria;
        if of_change.is_empty() {
            self.work_again()
        } else {
            Ask::CheckBefore(of_change)
        }
    }

    fn checked_before(&mut self, asked: &[Criterion], seen: &[Evidence]) -> Ask {
        match judge::already_true(asked, seen) {
            None => self.work_again(),
            Some(id) => self.criteria_again(format!(
                "criterion {id} says it proves a change, but it already holds before the work: write one that fails until the work is done"
            )),
        }
    }

    fn criteria_again(&mut self, complaint: String) -> Ask {
        self.criteria.clear();
        if std::mem::replace(&mut self.criteria_refused, true) {
            return self.fail(complaint);
        }
        Ask::WriteCriteria {
            complaint: Some(complaint),
        }
    }

    fn work_again(&mut self) -> Ask {
        self.round += 1;
        let feedback = judge::feedback(&self.evidence);
        Ask::Work {
            round: self.round,
            feedback,
        }
    }

    fn worked(&mut self, worked: Worked) -> Ask {
        self.text = worked.text;
        for more in worked.added {
            let known = self.criteria.iter().any(|c| c.id == more.id);
            if !known && self.criteria.len() < MOST_CRITERIA {
                self.criteria.push(more);
            }
        }
        match worked.ended {
            WorkEnd::Finished => Ask::Verify(self.criteria.clone()),
            WorkEnd::CutOff(reason) => {
                if self.execute_returns < self.limits.execute_returns {
                    self.execute_returns += 1;
                    self.work_again()
                } else {
                    self.fail(format!("the work was cut off: {reason}"))
                }
            }
            WorkEnd::Failed(reason) => self.fail(reason),
            WorkEnd::Refused(reason) => Ask::Learn(Outcome::Refused { reason }),
        }
    }

    fn verified(&mut self, seen: Vec<Evidence>) -> Ask {
        let judged = judge::judge(&self.criteria, &seen);
        self.evidence = seen;
        match judged {
            Judged::Passed => Ask::Learn(Outcome::Done {
                text: self.text.clone(),
            }),
            Judged::Unknown(reason) => {
                if std::mem::replace(&mut self.verify_repeated, true) {
                    self.fail(format!("unknown: {reason}"))
                } else {
                    Ask::Verify(self.criteria.clone())
                }
            }
            Judged::Failed(reason) => self.back(reason),
        }
    }

    /// To the phase at fault: the work first, then the plan, then the end.
    fn back(&mut self, reason: String) -> Ask {
        if self.execute_returns < self.limits.execute_returns {
            self.execute_returns += 1;
            self.work_again()
        } else if self.plan_returns < self.limits.plan_returns {
            self.plan_returns += 1;
            self.execute_returns = 0;
            Ask::Plan
        } else {
            self.fail(reason)
        }
    }

    fn fail(&self, reason: String) -> Ask {
        Ask::Learn(Outcome::Failed {
            reason,
            text: self.text.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
