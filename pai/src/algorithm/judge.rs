//! Judging evidence: which criteria hold, which do not, and which nobody knows about.

use super::MOST_CRITERIA;
use protocol::criterion::{Criterion, Evidence, Verdict};
use std::collections::BTreeSet;

/// What a set of evidence says about a set of criteria.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judged {
    /// Every criterion was seen to hold.
    Passed,
    /// At least one was seen not to hold; the reason names the first.
    Failed(String),
    /// None was seen to fail, but at least one is not known.
    Unknown(String),
}

/// Why a set of criteria cannot be accepted.
pub(super) fn acceptable(criteria: &[Criterion]) -> Result<(), String> {
    if criteria.is_empty() {
        return Err("there is no criterion: nothing can be done without one, write at least one with a check".to_owned());
    }
    if criteria.len() > MOST_CRITERIA {
        return Err(format!(
            "{} criteria are too many: write at most {MOST_CRITERIA}",
            criteria.len()
        ));
    }
    let mut seen = BTreeSet::new();
    for criterion in criteria {
        if criterion.id.trim().is_empty() || criterion.text.trim().is_empty() {
            return Err("a criterion lacks its id or its text: give both".to_owned());
        }
        if !seen.insert(criterion.id.as_str()) {
            return Err(format!(
                "two criteria are called {}: give each its own id",
                criterion.id
            ));
        }
    }
    Ok(())
}

/// The verdict on one criterion: all its evidence must agree that it passed.
fn verdict<'e>(criterion: &Criterion, evidence: &'e [Evidence]) -> (Verdict, Option<&'e Evidence>) {
    let of_it = || evidence.iter().filter(|e| e.criterion == criterion.id);
    for worst in [Verdict::Failed, Verdict::Unknown] {
        if let Some(found) = of_it().find(|e| e.verdict == worst) {
            return (worst, Some(found));
        }
    }
    match of_it().next_back() {
        Some(found) => (Verdict::Passed, Some(found)),
        None => (Verdict::Unknown, None),
    }
}

/// Judges all criteria.
pub(super) fn judge(criteria: &[Criterion], evidence: &[Evidence]) -> Judged {
    let mut unknown = None;
    for criterion in criteria {
        let (verdict, seen) = verdict(criterion, evidence);
        let observed = seen.map_or("it was not measured", |e| e.observed.as_str());
        match verdict {
            Verdict::Passed => {}
            Verdict::Failed => {
                return Judged::Failed(format!("criterion {} failed: {observed}", criterion.id));
            }
            Verdict::Unknown => {
                unknown.get_or_insert_with(|| {
                    format!(
                        "criterion {} could not be checked: {observed}",
                        criterion.id
                    )
                });
            }
        }
    }
    match unknown {
        Some(reason) => Judged::Unknown(reason),
        None if criteria.is_empty() => Judged::Unknown("there is no criterion".to_owned()),
        None => Judged::Passed,
    }
}

/// The id of a criterion that holds although the work has not begun.
pub(super) fn already_true(criteria: &[Criterion], evidence: &[Evidence]) -> Option<String> {
    criteria
        .iter()
        .find(|c| verdict(c, evidence).0 == Verdict::Passed)
        .map(|c| c.id.clone())
}

/// What the worker must hear: everything that did not pass.
pub(super) fn feedback(evidence: &[Evidence]) -> Vec<Evidence> {
    evidence
        .iter()
        .filter(|e| e.verdict != Verdict::Passed)
        .cloned()
        .collect()
}
