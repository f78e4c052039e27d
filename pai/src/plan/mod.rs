//! Plans: one request as a graph of tasks. `grammar` reads a plan file and refuses what cannot
//! work, `split` makes one of a request in words, `graph` says which part may start and how the
//! whole ends, `fill` puts results of earlier parts into later ones, `gather` makes the report.

pub mod fill;
pub mod gather;
pub mod grammar;
pub mod graph;
pub mod split;

#[cfg(test)]
mod grammar_tests;
#[cfg(test)]
mod graph_tests;

use crate::playbook::PlaybookError;
use crate::playbook::render::RenderError;
use protocol::plan::{MOST_PARTS, PLAN_VERSION};

/// Why a plan was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not YAML, or not of the right shape.
    #[error("the plan cannot be read: {0}")]
    Grammar(PlaybookError),
    /// Larger than [`grammar::LARGEST`].
    #[error("the plan has {0} bytes: use at most {max}", max = grammar::LARGEST)]
    TooLarge(usize),
    /// Written for a later version.
    #[error(
        "the plan says version {0}, this program reads {PLAN_VERSION}: update ai-infra or write `plan: 1`"
    )]
    Version(u64),
    /// Nothing to do.
    #[error("the plan has no tasks: give at least one under `tasks:`")]
    Empty,
    /// Too much to do.
    #[error("the plan has {0} tasks, at most {MOST_PARTS} are accepted: make two plans of it")]
    TooMany(usize),
    /// It reads, but cannot work.
    #[error("the plan's task `{part}` {problem}")]
    Part {
        /// Which.
        part: String,
        /// What is wrong, as the rest of the sentence.
        problem: String,
    },
    /// Parts that wait for each other.
    #[error(
        "the plan goes in a circle: {}; take one `after` away",
        .0.join(" after ")
    )]
    Circle(Vec<String>),
    /// A name or a template of the plan itself.
    #[error("the plan's {place} {problem}")]
    Whole {
        /// Which key.
        place: &'static str,
        /// What is wrong, as the rest of the sentence.
        problem: String,
    },
    /// A template could not be filled while the plan ran.
    #[error("its template cannot be filled: {0}")]
    Render(#[from] RenderError),
}
