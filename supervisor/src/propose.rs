//! What would be done with a request, for a person to see before it is handed in: the plan, what is
//! still to be asked, what may have been meant. Nothing is kept.

use crate::desk::Desk;
use crate::intake::IntakeError;
use crate::intake::consider::{Considered, consider};
use crate::intake::hosts;
use crate::ledger::parts;
use crate::route::{ADD_CLAUDE, RouteError, candidate};
use crate::talk;
use config::settings::Settings;
use jiff::Timestamp;
use pai::playbook::Playbook;
use pai::playbook::library::Library;
use pai::playbook::matching;
use pai::playbook::run::Run;
use protocol::control::Submit;
use protocol::plan::{PartDocument, PartState, PlanDocument};
use protocol::proposal::{Proposal, Ready};
use protocol::task::Way;
use serde_json::{Map, Value};

/// Says what would be done.
///
/// # Errors
/// What is wrong with the request, where no answer of the person's could mend it.
pub async fn propose(desk: &Desk, submit: &Submit) -> Result<Proposal, IntakeError> {
    let library = desk.shelf.library();
    match consider(desk, submit, Timestamp::now()).await {
        Ok(considered) => {
            let ready = Box::new(ready(submit, &desk.settings, &library, considered));
            Ok(match talks(submit, &ready, &desk.settings) {
                true => Proposal::Talk(ready),
                false => Proposal::Ready(ready),
            })
        }
        Err(IntakeError::Route(error)) => open(&library, error).map_err(IntakeError::Route),
        Err(error) => Err(error),
    }
}

fn ready(submit: &Submit, settings: &Settings, library: &Library, it: Considered) -> Ready {
    let ceiling = hosts::ceiling(settings, &it.routed.agent).map(|ceiling| ceiling.level);
    let playbook = match &it.routed.way {
        Way::Playbook { name, params, .. } => library.find(name).map(|found| (found, params)),
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
        attachments: it.attachments,
    }
}

/// Whether a plain question is answered rather than worked on: only where a model would do the work
/// anyway, and nobody insisted on an agent or handed files in.
fn talks(submit: &Submit, ready: &Ready, settings: &Settings) -> bool {
    let plain = submit.agent.is_none() && submit.attachments.is_empty();
    plain
        && matches!(ready.way, Way::Anthropic)
        && talk::can_answer(settings)
        && talk::is_question(&submit.request)
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
fn open(library: &Library, error: RouteError) -> Result<Proposal, RouteError> {
    match error {
        RouteError::NoWay { nearest, .. } => Ok(Proposal::NoWay {
            nearest: nearest
                .into_iter()
                .filter(|near| near.score > 0.0)
                .filter_map(|near| candidate(library, near))
                .collect(),
            model: ADD_CLAUDE.to_owned(),
        }),
        error => error.asks().ok_or(error),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::route::decide;
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
            playbook: params.map(|params| ("rotate-logs".to_owned(), params)),
            ..Submit::words(request)
        }
    }

    fn decided(submit: &Submit) -> Result<Proposal, RouteError> {
        let folder = tempfile::tempdir().unwrap();
        let home = config::home::Home::at(folder.path());
        let settings = config::load::load(&home, &config::env::Env::default(), &[]).unwrap();
        let library = library();
        open(&library, decide(submit, &settings, &library).unwrap_err())
    }

    #[test]
    fn what_is_missing_is_asked_with_its_kind_and_what_was_said_is_kept() {
        let proposal = decided(&asked("rotate the logs of shop", None)).unwrap();
        let Proposal::Missing { params, wanted, .. } = proposal else {
            panic!("{proposal:?}");
        };
        assert_eq!(Value::Object(params), json!({"service": "shop"}));
        assert_eq!(wanted.len(), 1);
        assert_eq!(wanted[0].kind, "a whole number from 1 to 90");
    }

    #[test]
    fn a_value_that_does_not_fit_is_an_error_and_no_question() {
        let open_with = |given: Value| decided(&asked("rotate the logs", Some(given)));
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
