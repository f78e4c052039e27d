//! Playbooks: jobs written down as YAML that need no model. `grammar` reads one, `check` refuses
//! what cannot work, `library` finds the one a person's words ask for, `run` says what to call
//! next, `render` fills templates and judges expressions.

pub mod check;
pub mod context;
pub mod filters;
pub mod grammar;
pub mod intent;
pub mod library;
pub mod lint;
pub mod matching;
pub mod params;
pub mod render;
pub mod run;
mod spelling;
pub mod tools;
pub mod words;
pub mod written;

#[cfg(test)]
mod shipped_tests;

pub use grammar::Playbook;

use params::ParamError;
use render::RenderError;

/// Why a playbook was refused or could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaybookError {
    /// The text is larger than [`grammar::LARGEST`].
    #[error("the playbook has {bytes} bytes: use at most {}", grammar::LARGEST)]
    TooLarge {
        /// Its size.
        bytes: usize,
    },
    /// Not YAML, or not of the right shape.
    #[error("line {line}: {problem}")]
    Yaml {
        /// Line, counted from 1; 0 where the parser gives none.
        line: u64,
        /// What is wrong.
        problem: String,
    },
    /// A key that does not exist.
    #[error("line {line}: unknown key `{key}`{hint}")]
    UnknownKey {
        /// Line, counted from 1; 0 where the parser gives none.
        line: u64,
        /// The key.
        key: String,
        /// The nearest known one, as `: did you mean …?`.
        hint: String,
    },
    /// Written for a later version.
    #[error(
        "the playbook says version {version}, this program reads 1: update ai-infra or write `playbook: 1`"
    )]
    Newer {
        /// As written.
        version: u64,
    },
    /// It reads, but cannot work.
    #[error("playbook {name}: {problem}")]
    Invalid {
        /// The playbook.
        name: String,
        /// What is wrong and where.
        problem: String,
    },
    /// No such playbook.
    #[error("there is no playbook `{name}`{hint} (`ai-infra playbook list` shows all)")]
    Unknown {
        /// As asked for.
        name: String,
        /// The nearest known one, as `: did you mean …?`, or nothing.
        hint: String,
    },
    /// A parameter was refused.
    #[error("playbook {name}: {problem}")]
    Param {
        /// The playbook.
        name: String,
        /// Why.
        #[source]
        problem: ParamError,
    },
    /// A template or expression could not be filled while running.
    #[error("playbook {name}, {place}: {problem}")]
    Render {
        /// The playbook.
        name: String,
        /// Which step, criterion or the report.
        place: String,
        /// Why.
        #[source]
        problem: RenderError,
    },
    /// The run's limits were reached, or its journal belongs to another version of the playbook.
    #[error("playbook {name}, step {step}: {problem}")]
    Run {
        /// The playbook.
        name: String,
        /// The step.
        step: String,
        /// Why.
        problem: String,
    },
}

/// The known name nearest to `given`, if any is near.
pub(crate) fn nearest<'n>(given: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    known
        .map(|name| (strsim::jaro_winkler(given, name), name))
        .filter(|(score, _)| *score >= 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, name)| name)
}

/// `: did you mean …?` for the nearest known name, or nothing.
pub fn hint<'n>(given: &str, known: impl Iterator<Item = &'n str>) -> String {
    nearest(given, known).map_or_else(String::new, |name| format!(": did you mean `{name}`?"))
}
