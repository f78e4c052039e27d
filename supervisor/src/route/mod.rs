//! Who does it, and how: rules first, a model only where the rules are silent and there is one.
//! Pure; `shelf` holds the playbooks, `role` picks a role from words.

mod error;
pub mod role;
pub mod shelf;

pub use error::{ADD_CLAUDE, Missing, RouteError};

use config::settings::{EngineName, Settings};
use pai::plan::split;
use pai::playbook::library::{Library, Nearest, Route};
use protocol::control::Submit;
use protocol::ids::Role;
use protocol::plan::Plan;
use protocol::proposal::Candidate;
use protocol::task::{Task, Way};
use serde_json::{Map, Value};

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
        Route::Sure { exact: true, .. } => None,
        // One playbook only resembles the whole, and would leave out what it does not know.
        Route::Sure { .. } if !model => split::split(library, &submit.request, true),
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
        Way::Playbook { name, params, .. } => checked(library, name, params).map(drop),
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
    if let Some(missing) = only_missing(library, name, params) {
        return Err(missing);
    }
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
            sha256: None,
        },
        because: format!("the playbook `{name}` was named"),
    })
}

/// Whether every value that was given fits, and only some were not given.
fn only_missing(library: &Library, name: &str, given: &Map<String, Value>) -> Option<RouteError> {
    let playbook = library.find(name)?;
    let fits = |(name, value): (&String, &Value)| {
        let spec = playbook.params.get(name);
        spec.is_some_and(|spec| value.is_null() || spec.check(value).is_ok())
    };
    let missing = library.wanted(name, given);
    (!missing.is_empty() && given.iter().all(fits)).then(|| {
        RouteError::Missing(Box::new(Missing {
            name: name.to_owned(),
            agent: playbook.agent.clone(),
            known: given.clone(),
            missing,
        }))
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

/// Whether there is a model that thinks where the rules are silent.
pub fn has_model(settings: &Settings) -> bool {
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
    let route = library.route(&submit.request);
    match route {
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
                Err(_) if model => Ok(by_model(submit, settings, "another agent was asked for")),
                Err(error) => Err(error),
                Ok(()) => Ok(Routed {
                    agent: playbook.agent.clone(),
                    way: Way::Playbook {
                        params: checked(library, &name, &params)?,
                        name,
                        sha256: None,
                    },
                    because,
                }),
            }
        }
        route if model => Ok(by_model(submit, settings, &silent(&route))),
        Route::Missing {
            name,
            params,
            missing: _,
        } => match library.find(&name) {
            Some(playbook) => Err(RouteError::Missing(Box::new(Missing {
                missing: library.wanted(&name, &params),
                agent: playbook.agent.clone(),
                known: params,
                name,
            }))),
            None => Err(RouteError::NoPlaybook(name)),
        },
        Route::Which(these) => Err(RouteError::Which(
            (these.into_iter())
                .filter_map(|near| candidate(library, near))
                .collect(),
        )),
        Route::None { nearest } => Err(RouteError::NoWay {
            nearest,
            beyond: split::beyond(library, &submit.request),
        }),
        Route::Sure { name, .. } => Err(RouteError::NoPlaybook(name)),
    }
}

/// A near playbook, for a person to choose.
pub fn candidate(library: &Library, near: Nearest) -> Option<Candidate> {
    let playbook = library.find(&near.name)?;
    Some(Candidate {
        playbook: near.name,
        agent: playbook.agent.clone(),
        about: playbook.description.clone(),
        example: near.example,
        params: near.params,
        beside: near.beside,
    })
}

/// Why the rules did not decide, for `task show`.
fn silent(route: &Route) -> String {
    match route {
        Route::Which(these) | Route::None { nearest: these } => match these.first() {
            Some(near) if near.score > 0.0 => format!(
                "no playbook covers these words exactly (nearest is {}, {:.2} of 1)",
                near.name, near.score
            ),
            _ => "no playbook knows any of these words".to_owned(),
        },
        Route::Sure { name, because, .. } => {
            format!("{name} only {because}, and beside a model only an exact match counts")
        }
        Route::Missing { name, missing, .. } => {
            format!("{name} would need {}", missing.join(", "))
        }
    }
}

fn by_model(submit: &Submit, settings: &Settings, silent: &str) -> Routed {
    let (agent, why) = chosen_role(submit, settings);
    Routed {
        agent,
        way: Way::Anthropic,
        because: format!("{silent}, so a model works; {why}"),
    }
}

fn chosen_role(submit: &Submit, settings: &Settings) -> (Role, String) {
    match &submit.agent {
        Some(given) => (given.clone(), format!("{given} was asked for")),
        None => role::by_words(&submit.request, &settings.agents),
    }
}

#[cfg(test)]
mod requests_tests;
#[cfg(test)]
mod tests;
