//! Who does it, and how: rules first, a model only where the rules are silent and there is one.
//! Pure; `shelf` holds the playbooks, `role` picks a role from words.

pub mod role;
pub mod shelf;

use config::settings::{EngineName, Settings};
use pai::plan::split;
use pai::playbook::PlaybookError;
use pai::playbook::library::{Library, Nearest, Route};
use protocol::control::Submit;
use protocol::ids::Role;
use protocol::plan::Plan;
use protocol::task::{Task, Way};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// What adds Claude, as people type it.
pub(crate) const ADD_CLAUDE: &str =
    "`ai-infra secret set anthropic-api-key` adds Claude, which takes any request";

/// A routed request.
#[derive(Debug, Clone, PartialEq)]
pub struct Routed {
    /// Who works.
    pub agent: Role,
    /// How.
    pub way: Way,
    /// Why, as a sentence for people.
    pub because: String,
}

/// Why nobody can take a request.
#[derive(Debug, thiserror::Error)]
pub enum RouteError {
    /// The rules are silent and there is no model.
    #[error("no playbook covers this and there is no model key")]
    NoWay {
        /// The nearest playbooks.
        nearest: Vec<Nearest>,
    },
    /// A playbook fits, but the words leave something open.
    #[error("the playbook `{name}` needs {}: say it in the request", .missing.join(", "))]
    Missing {
        /// Which playbook.
        name: String,
        /// Its parameters without a value.
        missing: Vec<String>,
    },
    /// More than one playbook fits.
    #[error("this fits more than one playbook ({}): say it in the words of one", .0.join(", "))]
    Several(Vec<String>),
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

impl RouteError {
    /// What would work, for people.
    pub fn hints(&self) -> Vec<String> {
        match self {
            RouteError::NoWay { nearest } => {
                let mut hints: Vec<String> = nearest
                    .iter()
                    .map(|near| format!("{}: \"{}\"", near.name, near.example))
                    .collect();
                hints.push(ADD_CLAUDE.to_owned());
                hints
            }
            RouteError::Missing { .. } | RouteError::Several(_) | RouteError::OtherAgent { .. } => {
                vec![ADD_CLAUDE.to_owned()]
            }
            _ => Vec::new(),
        }
    }
}

/// Decides who does a request, and how.
pub fn decide(
    submit: &Submit,
    settings: &Settings,
    library: &Library,
) -> Result<Routed, RouteError> {
    if let Some(given) = &submit.agent {
        check_agent(given, settings)?;
    }
    if let Some(script) = &submit.script {
        return scripted(submit, settings, script);
    }
    if let Some((name, params)) = &submit.playbook {
        return named(submit, library, name, params);
    }
    by_words(submit, settings, library)
}

/// The plan of a request in words that names several playbooks; `None` where it is one request.
pub fn compound(submit: &Submit, settings: &Settings, library: &Library) -> Option<Plan> {
    let told = submit.agent.is_some() || submit.playbook.is_some() || submit.script.is_some();
    if told || settings.engine.name == EngineName::Scripted {
        return None;
    }
    let model = has_model(settings);
    match library.route(&submit.request) {
        // It is one playbook's as a whole.
        Route::Sure { exact, .. } if exact || !model => None,
        _ => split::split(library, &submit.request, model),
    }
}

/// A plan is the supervisor's own.
pub fn of_plan(plan: Plan, given: bool) -> Routed {
    let because = match given {
        true => format!("the plan `{}` was given", plan.name),
        false => "each part of the request is a playbook's by itself".to_owned(),
    };
    Routed {
        agent: Role::supervisor(),
        way: Way::Plan {
            plan: Box::new(plan),
        },
        because,
    }
}

/// Checks what can be known of a request before its words are: that its agent and playbook exist.
///
/// # Errors
/// As [`decide`].
pub fn there_is(submit: &Submit, settings: &Settings, library: &Library) -> Result<(), RouteError> {
    if let Some(given) = &submit.agent {
        check_agent(given, settings)?;
    }
    let Some((name, _)) = &submit.playbook else {
        return Ok(());
    };
    match library.find(name) {
        Some(playbook) => insists(submit, name, &playbook.agent),
        None => checked(library, name, &Map::new()).map(drop),
    }
}

/// Whether there is such an agent; names the nearest where there is none.
///
/// # Errors
/// [`RouteError::NoAgent`].
pub fn check_agent(given: &Role, settings: &Settings) -> Result<(), RouteError> {
    match settings.agent(given) {
        Some(_) => Ok(()),
        None => Err(no_agent(given, settings)),
    }
}

/// Whether an ended task could be done again the same way: its agent and its playbook are there
/// and take the same parameters.
///
/// # Errors
/// What is missing.
pub fn check_still_there(
    task: &Task,
    settings: &Settings,
    library: &Library,
) -> Result<(), RouteError> {
    check_agent(&task.agent, settings)?;
    match &task.way {
        Way::Playbook { name, params } => checked(library, name, params).map(drop),
        Way::Scripted { .. } if !settings.engine.allow_scripted => Err(RouteError::NoScripts),
        Way::Scripted { .. } | Way::Anthropic | Way::Plan { .. } => Ok(()),
    }
}

fn no_agent(given: &Role, settings: &Settings) -> RouteError {
    let mut known: Vec<String> = settings
        .agents
        .iter()
        .map(|agent| agent.name.to_string())
        .collect();
    known.sort_by_key(|name| strsim::damerau_levenshtein(name, given.as_str()));
    RouteError::NoAgent {
        given: given.to_string(),
        known,
    }
}

fn scripted(
    submit: &Submit,
    settings: &Settings,
    script: &std::path::Path,
) -> Result<Routed, RouteError> {
    if !settings.engine.allow_scripted {
        return Err(RouteError::NoScripts);
    }
    if !script.is_absolute() || !script.is_file() {
        return Err(RouteError::BadScript(script.to_owned()));
    }
    let (agent, why) = chosen_role(submit, settings);
    Ok(Routed {
        agent,
        way: Way::Scripted {
            script: script.to_owned(),
        },
        because: format!("a script of replies was given; {why}"),
    })
}

fn named(
    submit: &Submit,
    library: &Library,
    name: &str,
    params: &Map<String, Value>,
) -> Result<Routed, RouteError> {
    let params = checked(library, name, params)?;
    let playbook = library
        .find(name)
        .ok_or_else(|| RouteError::NoPlaybook(name.to_owned()))?;
    insists(submit, name, &playbook.agent)?;
    Ok(Routed {
        agent: playbook.agent.clone(),
        way: Way::Playbook {
            name: name.to_owned(),
            params,
        },
        because: format!("the playbook `{name}` was named"),
    })
}

fn checked(
    library: &Library,
    name: &str,
    given: &Map<String, Value>,
) -> Result<Map<String, Value>, RouteError> {
    library
        .check_params(name, given)
        .map_err(RouteError::Playbook)
}

/// An agent the person insists on must be the playbook's.
fn insists(submit: &Submit, playbook: &str, owner: &Role) -> Result<(), RouteError> {
    match &submit.agent {
        Some(given) if given != owner => Err(RouteError::OtherAgent {
            playbook: playbook.to_owned(),
            owner: owner.clone(),
            given: given.clone(),
        }),
        _ => Ok(()),
    }
}

fn has_model(settings: &Settings) -> bool {
    let named = matches!(
        settings.engine.name,
        EngineName::Anthropic | EngineName::Auto
    );
    named && settings.engine.api_key.is_some()
}

fn by_words(submit: &Submit, settings: &Settings, library: &Library) -> Result<Routed, RouteError> {
    if settings.engine.name == EngineName::Scripted {
        return Err(RouteError::NoScript);
    }
    let model = has_model(settings);
    match library.route(&submit.request) {
        // With a model at hand only an exact match is surer than the model.
        Route::Sure {
            name,
            params,
            exact,
            because,
        } if exact || !model => {
            let Some(playbook) = library.find(&name) else {
                return Err(RouteError::NoPlaybook(name));
            };
            match insists(submit, &name, &playbook.agent) {
                Err(_) if model => Ok(by_model(submit, settings)),
                Err(error) => Err(error),
                Ok(()) => Ok(Routed {
                    agent: playbook.agent.clone(),
                    way: Way::Playbook {
                        params: checked(library, &name, &params)?,
                        name,
                    },
                    because,
                }),
            }
        }
        _ if model => Ok(by_model(submit, settings)),
        Route::Missing { name, missing } => Err(RouteError::Missing { name, missing }),
        Route::Several(names) => Err(RouteError::Several(names)),
        Route::None { nearest } => Err(RouteError::NoWay { nearest }),
        Route::Sure { name, .. } => Err(RouteError::NoPlaybook(name)),
    }
}

fn by_model(submit: &Submit, settings: &Settings) -> Routed {
    let (agent, why) = chosen_role(submit, settings);
    Routed {
        agent,
        way: Way::Anthropic,
        because: format!("no playbook covers these words exactly, so a model works; {why}"),
    }
}

fn chosen_role(submit: &Submit, settings: &Settings) -> (Role, String) {
    match &submit.agent {
        Some(given) => (given.clone(), format!("{given} was asked for")),
        None => role::by_words(&submit.request, &settings.agents),
    }
}

#[cfg(test)]
mod tests;
