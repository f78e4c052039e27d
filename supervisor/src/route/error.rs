//! Why nobody can take a request, and what would work.

use pai::playbook::PlaybookError;
use pai::playbook::library::Nearest;
use protocol::ids::Role;
use protocol::proposal::{Candidate, Proposal, Wanted};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What adds Claude, as people type it.
pub const ADD_CLAUDE: &str =
    "`ai-infra secret set anthropic-api-key` adds Claude, which takes any request";

/// A playbook that fits, and what the words leave open.
#[derive(Debug, Clone, PartialEq)]
pub struct Missing {
    /// Which playbook.
    pub name: String,
    /// Whose it is.
    pub agent: Role,
    /// The parameters that are known.
    pub known: Map<String, Value>,
    /// Those without a value.
    pub missing: Vec<Wanted>,
}

/// Why nobody can take a request.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The rules are silent and there is no model.
    #[error("no playbook does this, so it needs a model, and there is no model key")]
    NoWay {
        /// The nearest playbooks.
        nearest: Vec<Nearest>,
        /// Where the request has several parts, those that no playbook does.
        beyond: Vec<String>,
    },
    /// A playbook fits, but the words leave something open.
    #[error("the playbook `{}` needs {}", .0.name, wanted(&.0.missing))]
    Missing(Box<Missing>),
    /// More than one playbook fits, or some only perhaps.
    #[error("{}", which(.0))]
    Which(Vec<Candidate>),
    /// No agent of that name.
    #[error("there is no agent `{given}`; the nearest is `{}`, and there are: {}", .known.first().map_or("", String::as_str), .known.join(", "))]
    NoAgent {
        /// As given.
        given: String,
        /// Those there are, nearest first.
        known: Vec<String>,
    },
    /// No playbook of that name.
    #[error("there is no playbook `{0}`: `ai-infra playbook list` shows what there is")]
    NoPlaybook(String),
    /// No playbook of that name, or its parameters are wrong.
    #[error(transparent)]
    Playbook(PlaybookError),
    /// The person insists on an agent that the playbook is not for.
    #[error(
        "this is the playbook `{playbook}` of the agent {owner}, not of {given}: leave out --agent, or add a model key"
    )]
    OtherAgent {
        /// Which playbook.
        playbook: String,
        /// Whose it is.
        owner: Role,
        /// Who was insisted on.
        given: Role,
    },
    /// Scripts are for tests.
    #[error("scripted replies are not allowed here: set engine.allow_scripted (for tests only)")]
    NoScripts,
    /// The configured engine is the scripted one, and there is no script.
    #[error("the engine is `scripted` and the request brings no script: use another engine.name")]
    NoScript,
    /// A script that is not there.
    #[error("the script {} is no file with an absolute path", .0.display())]
    BadScript(PathBuf),
}

/// `file (a CSV file or …)`, for a sentence.
fn wanted(missing: &[Wanted]) -> String {
    let one = |wanted: &Wanted| match wanted.about.trim_end_matches('.') {
        "" => format!("`{}`", wanted.name),
        said => format!("`{}` ({said})", wanted.name),
    };
    missing.iter().map(one).collect::<Vec<_>>().join(" and ")
}

fn which(choices: &[Candidate]) -> String {
    match choices {
        [one] if one.beside.is_empty() => {
            format!("did you mean the playbook `{}`?", one.playbook)
        }
        [one] => format!(
            "did you mean the playbook `{}`? it knows nothing of \"{}\"",
            one.playbook,
            one.beside.join(" ")
        ),
        many => {
            let names: Vec<String> = many.iter().map(|c| format!("`{}`", c.playbook)).collect();
            format!(
                "which of these playbooks do you mean: {}?",
                names.join(", ")
            )
        }
    }
}

impl RouteError {
    /// What must be known before this can be a task; `None` where no answer would help.
    pub fn asks(&self) -> Option<Proposal> {
        match self {
            RouteError::Missing(it) => Some(Proposal::Missing {
                playbook: it.name.clone(),
                agent: it.agent.clone(),
                params: it.known.clone(),
                wanted: it.missing.clone(),
            }),
            RouteError::Which(candidates) => Some(Proposal::Several {
                candidates: candidates.clone(),
            }),
            _ => None,
        }
    }

    /// What would work, for people.
    pub fn hints(&self) -> Vec<String> {
        match self {
            RouteError::NoWay { nearest, beyond } => {
                let quoted = |part: &String| format!("only this part needs a model: \"{part}\"");
                let mut hints: Vec<String> = beyond.iter().map(quoted).collect();
                hints.push(match nearest.is_empty() {
                    true => "what works without a model: ai-infra playbook list".to_owned(),
                    false => "nearest without a model:".to_owned(),
                });
                hints.extend(
                    nearest
                        .iter()
                        .map(|near| format!("  {}: \"{}\"", near.name, near.example)),
                );
                hints.push(ADD_CLAUDE.to_owned());
                hints
            }
            RouteError::Missing(_) | RouteError::Which(_) | RouteError::OtherAgent { .. } => {
                vec![ADD_CLAUDE.to_owned()]
            }
            _ => Vec::new(),
        }
    }
}
