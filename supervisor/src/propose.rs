//! What would be done with a request, for a person to see before it is handed in: the plan, what is
//! still to be asked, what may have been meant. Nothing is kept.

use crate::desk::Desk;
use crate::intake::IntakeError;
use crate::intake::consider::{Considered, consider};
use crate::intake::hosts;
use crate::ledger::parts;
use crate::route::{ADD_CLAUDE, RouteError};
use config::settings::Settings;
use jiff::Timestamp;
use pai::playbook::Playbook;
use pai::playbook::library::Library;
use pai::playbook::matching;
use pai::playbook::params::{ParamSpec, ParamType};
use pai::playbook::run::Run;
use protocol::control::Submit;
use protocol::plan::{PartDocument, PartState, PlanDocument};
use protocol::proposal::{Candidate, Proposal, Ready, Wanted};
use protocol::task::Way;
use serde_json::{Map, Value};

/// Says what would be done.
///
/// # Errors
/// What is wrong with the request, where no answer of the person's could mend it.
pub async fn propose(desk: &Desk, submit: &Submit) -> Result<Proposal, IntakeError> {
    let library = desk.shelf.library();
    match consider(desk, submit, Timestamp::now()).await {
        Ok(considered) => Ok(Proposal::Ready(Box::new(ready(
            submit,
            &desk.settings,
            &library,
            considered,
        )))),
        Err(IntakeError::Route(error)) => open(submit, &library, error).map_err(IntakeError::Route),
        Err(error) => Err(error),
    }
}

fn ready(submit: &Submit, settings: &Settings, library: &Library, it: Considered) -> Ready {
    let ceiling = hosts::ceiling(settings, &it.routed.agent).map(|ceiling| ceiling.level);
    let playbook = match &it.routed.way {
        Way::Playbook { name, params } => library.find(name).map(|found| (found, params)),
        _ => None,
    };
    let level = match playbook {
        Some((found, _)) => ceiling.map(|most| most.min(found.level)),
        None => ceiling,
    };
    let paid = matches!(it.routed.way, Way::Anthropic)
        || (it.parts.iter())
            .any(|part| matches!(&part.routed, Some(r) if matches!(r.way, Way::Anthropic)));
    let most = submit.budget_usd.unwrap_or(settings.budget.task_usd);
    let plan = match &it.routed.way {
        Way::Plan { plan } => Some(PlanDocument {
            name: plan.name.clone(),
            parts: (plan.tasks.iter().zip(&it.parts))
                .map(|(part, known)| PartDocument {
                    id: part.id.clone(),
                    state: PartState::Waiting,
                    reason: None,
                    request: parts::request(part),
                    agent: known.routed.as_ref().map(|routed| routed.agent.clone()),
                    after: part.after.clone(),
                    on_failure: part.on_failure,
                    task: None,
                    task_state: None,
                    tries: 0,
                })
                .collect(),
        }),
        _ => None,
    };
    Ready {
        level,
        criteria: playbook.map_or_else(Vec::new, |(found, params)| criteria(found, params)),
        confirm: playbook.and_then(|(found, _)| confirm(submit, found)),
        budget_usd: if paid { most } else { 0.0 },
        agent: it.routed.agent,
        way: it.routed.way,
        because: it.routed.because,
        workspace: it.workspace,
        host: submit.host.clone().filter(|host| *host != settings.host),
        plan,
    }
}

/// The criteria as they will read; those whose words depend on what is found stay as written.
fn criteria(playbook: &Playbook, params: &Map<String, Value>) -> Vec<String> {
    let filled = Run::new(playbook, params).and_then(|run| run.criteria());
    let written = filled.unwrap_or_else(|_| playbook.criteria.clone());
    written
        .into_iter()
        .map(|criterion| criterion.text)
        .collect()
}

/// What writes runs without a question only where the person's own words match it as a whole.
fn confirm(submit: &Submit, playbook: &Playbook) -> Option<String> {
    let said = matching::fit(playbook, &submit.request).exact;
    (playbook.writes() && !said).then(|| {
        format!(
            "`{}` changes things, and your words do not say exactly that",
            playbook.name
        )
    })
}

/// What a person is asked where the rules alone cannot decide.
fn open(submit: &Submit, library: &Library, error: RouteError) -> Result<Proposal, RouteError> {
    match error {
        RouteError::Missing { name, missing } => {
            let Some(playbook) = library.find(&name) else {
                return Err(RouteError::Missing { name, missing });
            };
            let params = match &submit.playbook {
                Some((_, given)) => given.clone(),
                None => matching::fit(playbook, &submit.request).params,
            };
            Ok(lacking(playbook, params))
        }
        RouteError::Playbook(error) => {
            let named = submit.playbook.as_ref();
            let lacks = named.and_then(|(name, given)| Some((library.find(name)?, given)));
            match lacks.filter(|(playbook, given)| is_missing_only(playbook, given)) {
                Some((playbook, given)) => Ok(lacking(playbook, given.clone())),
                None => Err(RouteError::Playbook(error)),
            }
        }
        RouteError::Several(names) => Ok(Proposal::Several {
            candidates: names
                .iter()
                .filter_map(|name| candidate(library, name))
                .collect(),
        }),
        RouteError::NoWay { nearest } => Ok(Proposal::NoWay {
            nearest: nearest
                .iter()
                .filter(|near| near.score > 0.0)
                .filter_map(|near| candidate(library, &near.name))
                .collect(),
            model: ADD_CLAUDE.to_owned(),
        }),
        error => Err(error),
    }
}

fn lacks(playbook: &Playbook, given: &Map<String, Value>) -> Vec<Wanted> {
    let missing = |(name, spec): (&String, &ParamSpec)| {
        let absent = given.get(name).is_none_or(Value::is_null);
        (spec.required && spec.default.is_none() && absent).then(|| wanted(name, spec))
    };
    playbook.params.iter().filter_map(missing).collect()
}

/// Whether every value that was given fits, and only some were not given.
fn is_missing_only(playbook: &Playbook, given: &Map<String, Value>) -> bool {
    let fits = |(name, value): (&String, &Value)| {
        let spec = playbook.params.get(name);
        spec.is_some_and(|spec| spec.check(value).is_ok())
    };
    given.iter().all(fits) && !lacks(playbook, given).is_empty()
}

fn lacking(playbook: &Playbook, params: Map<String, Value>) -> Proposal {
    Proposal::Missing {
        playbook: playbook.name.clone(),
        agent: playbook.agent.clone(),
        wanted: lacks(playbook, &params),
        params,
    }
}

fn wanted(name: &str, spec: &ParamSpec) -> Wanted {
    Wanted {
        name: name.to_owned(),
        kind: kind(spec),
        about: spec.description.clone(),
        choices: match spec.kind {
            ParamType::Choice => spec.choices.clone(),
            _ => Vec::new(),
        },
    }
}

/// The kind of value, in words.
fn kind(spec: &ParamSpec) -> String {
    match spec.kind {
        ParamType::Text => "a text".to_owned(),
        ParamType::Int => match (spec.min, spec.max) {
            (Some(min), Some(max)) => format!("a whole number from {min} to {max}"),
            (Some(min), None) => format!("a whole number, at least {min}"),
            (None, Some(max)) => format!("a whole number, at most {max}"),
            (None, None) => "a whole number".to_owned(),
        },
        ParamType::Bool => "yes or no".to_owned(),
        ParamType::Path => "a file or folder of the workspace".to_owned(),
        ParamType::File if spec.extensions.is_empty() => "a file of the workspace".to_owned(),
        ParamType::File => format!("a file of the workspace: .{}", spec.extensions.join(", .")),
        ParamType::Unit => "the name of a service".to_owned(),
        ParamType::Choice => format!("one of {}", spec.choices.join(", ")),
    }
}

fn candidate(library: &Library, name: &str) -> Option<Candidate> {
    let playbook = library.find(name)?;
    Some(Candidate {
        playbook: playbook.name.clone(),
        agent: playbook.agent.clone(),
        about: playbook.description.clone(),
        example: playbook.example(),
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use pai::playbook::library::Route;
    use protocol::ids::RequestId;
    use protocol::task::Effort;
    use serde_json::json;

    const ROTATE: &str = r#"
playbook: 1
name: rotate-logs
agent: infra
level: 1
description: "Rotates."
intents: ["rotate [the] logs of {service}", "rotate [the] logs"]
params:
  service: {type: unit, required: true, description: "the service"}
  days: {type: int, required: true, min: 1, max: 90}
  keep: {type: int, default: 3}
steps: [{id: look, tool: Write, args: {file_path: "x", content: "{{ days }}"}}]
criteria: [{id: c1, text: "the logs of {{ service }} are younger than {{ days }} days", check: {file: {path: x}}}]
report: "done"
"#;

    fn library() -> Library {
        Library::new(vec![Playbook::parse(ROTATE).unwrap()])
    }

    fn asked(request: &str, playbook: Option<Value>) -> Submit {
        let params = playbook.map(|p| p.as_object().unwrap().clone());
        Submit {
            request: request.to_owned(),
            request_id: RequestId::new(),
            agent: None,
            playbook: params.map(|params| ("rotate-logs".to_owned(), params)),
            plan: None,
            script: None,
            workspace: None,
            host: None,
            effort: Effort::Standard,
            budget_usd: None,
            priority: None,
            deadline: None,
            due: None,
        }
    }

    #[test]
    fn what_is_missing_is_asked_with_its_kind_and_what_was_said_is_kept() {
        let library = library();
        let submit = asked("rotate the logs of shop", None);
        let Route::Missing { name, missing } = library.route(&submit.request) else {
            panic!("{:?}", library.route(&submit.request));
        };
        let proposal = open(&submit, &library, RouteError::Missing { name, missing }).unwrap();
        let Proposal::Missing { params, wanted, .. } = proposal else {
            panic!("{proposal:?}");
        };
        assert_eq!(Value::Object(params), json!({"service": "shop"}));
        assert_eq!(wanted.len(), 1);
        assert_eq!(wanted[0].kind, "a whole number from 1 to 90");
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error_and_no_question() {
        let library = library();
        let open_with = |given: Value| {
            let submit = asked("rotate the logs", Some(given));
            let (name, params) = submit.playbook.clone().unwrap();
            let error = library.check_params(&name, &params).unwrap_err();
            open(&submit, &library, RouteError::Playbook(error))
        };
        assert!(matches!(
            open_with(json!({"service": "shop"})),
            Ok(Proposal::Missing { wanted, .. }) if wanted[0].name == "days"
        ));
        for bad in [json!({"service": "shop", "days": 0}), json!({"zz": 1})] {
            assert!(open_with(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_writes_is_confirmed_unless_the_words_say_exactly_that() {
        let book = Playbook::parse(ROTATE).unwrap();
        assert!(book.writes());
        assert_eq!(
            confirm(&asked("rotate the logs of shop", None), &book),
            None
        );
        assert!(confirm(&asked("do the usual", Some(json!({}))), &book).is_some());
    }

    #[test]
    fn criteria_are_shown_with_their_parameters() {
        let book = Playbook::parse(ROTATE).unwrap();
        let params = json!({"service": "shop", "days": 7});
        let shown = criteria(&book, params.as_object().unwrap());
        assert_eq!(shown, ["the logs of shop are younger than 7 days"]);
    }
}
