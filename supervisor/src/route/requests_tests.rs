//! What people write, and where it goes: a file of requests with the right answer beside each, routed
//! with and without a model. Most must go right, and nothing may be started that was not asked for.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::tests::{Room, asked};
use super::*;
use crate::route::shelf::Shelf;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Least share of requests that go right, in percent.
const RIGHT: usize = 90;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Requests {
    v: u32,
    requests: Vec<Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    ask: String,
    to: String,
    #[serde(default)]
    with: Option<Map<String, Value>>,
}

/// Where a request goes, in the words of the file, and with which parameters.
fn gone(request: &str, settings: &Settings, library: &Library) -> (String, Map<String, Value>) {
    let submit = asked(request, "");
    let said = |text: String| (text, Map::new());
    if let Some(plan) = compound(&submit, settings, library) {
        let part = |part: &protocol::plan::Part| match part.after.as_slice() {
            [] => part.id.clone(),
            after => format!("{}<{}", part.id, after.join(",")),
        };
        let parts: Vec<String> = plan.tasks.iter().map(part).collect();
        return said(format!("plan {}", parts.join(" ")));
    }
    match decide(&submit, settings, library) {
        Ok(routed) => match routed.way {
            Way::Playbook {
                name, mut params, ..
            } => {
                params.retain(|_, value| !value.is_null());
                (name, params)
            }
            _ => said(format!("model {}", routed.agent)),
        },
        Err(RouteError::NoWay { .. }) => said("model".to_owned()),
        Err(RouteError::Missing(it)) => {
            let names: Vec<&str> = it.missing.iter().map(|w| w.name.as_str()).collect();
            said(format!("needs {} {}", it.name, names.join(" ")))
        }
        Err(RouteError::Which(choices)) => {
            let names: Vec<&str> = choices.iter().map(|c| c.playbook.as_str()).collect();
            said(format!("which {}", names.join(" ")))
        }
        Err(error) => said(format!("refused: {error}")),
    }
}

/// Whether an answer of the file is the name of a playbook, that is, starts one.
fn is_name(to: &str) -> bool {
    let word = to.split(' ').next().unwrap_or_default();
    !["model", "which", "needs", "refused:", "plan"].contains(&word)
}

/// The name of a playbook that starts, where one does.
fn started(gone: &str) -> Option<&str> {
    is_name(gone).then_some(gone)
}

/// How the requests went.
#[derive(Debug, Default)]
struct Account {
    right: usize,
    /// By where it went: `request: expected X, went to Y`.
    missed: BTreeMap<String, Vec<String>>,
    /// A playbook was started that was not meant.
    wrong: Vec<String>,
    /// One of those writes.
    writing: Vec<String>,
}

impl Account {
    fn take(
        &mut self,
        line: &Line,
        gone: &(String, Map<String, Value>),
        right: bool,
        library: &Library,
    ) {
        if right {
            self.right += 1;
            return;
        }
        let (went, params) = gone;
        let said = format!(
            "\"{}\": to {}, went to {went} {}",
            line.ask,
            line.to,
            Value::Object(params.clone())
        );
        if let Some(name) = started(went) {
            self.wrong.push(said.clone());
            if library.find(name).is_some_and(|playbook| playbook.writes()) {
                self.writing.push(said.clone());
            }
        }
        self.missed.entry(line.to.clone()).or_default().push(said);
    }

    fn text(&self) -> String {
        let missed: Vec<&String> = self.missed.values().flatten().collect();
        let lines: String = missed.iter().map(|said| format!("  {said}\n")).collect();
        format!(
            "{} right, {} not, {} started wrongly\n{lines}",
            self.right,
            missed.len(),
            self.wrong.len()
        )
    }
}

#[test]
fn people_are_understood_and_nothing_is_started_that_was_not_asked_for() {
    let room = Room::new();
    let library = Shelf::open(&room.home).library();
    let read: Requests = serde_saphyr::from_str(include_str!("requests.yaml")).unwrap();
    assert_eq!(read.v, 1);
    assert!(read.requests.len() >= 150);
    let (without, with) = (room.settings(false, &[]), room.settings(true, &[]));
    let (mut alone, mut modelled) = (Account::default(), Account::default());
    let lines = &read.requests;
    for line in lines.iter().filter(|line| is_name(&line.to)) {
        assert!(library.find(&line.to).is_some(), "no playbook: {}", line.to);
    }
    for line in lines {
        let gone_alone = gone(&line.ask, &without, &library);
        let params = line.with.as_ref().is_none_or(|with| {
            with.iter()
                .all(|(key, value)| gone_alone.1.get(key) == Some(value))
        });
        let right = match line.to.split(' ').next() {
            Some("model") => gone_alone.0 == "model",
            _ => gone_alone.0 == line.to && params,
        };
        alone.take(line, &gone_alone, right, &library);
        // A model may take what a playbook could do; it costs, and is not wrong.
        let gone_modelled = gone(&line.ask, &with, &library);
        let right = gone_modelled.0 == line.to
            || (!line.to.starts_with("model") && gone_modelled.0.starts_with("model"));
        modelled.take(line, &gone_modelled, right, &library);
    }
    let report = format!(
        "without a model: {}with a model: {}",
        alone.text(),
        modelled.text()
    );
    println!("{report}");
    for account in [&alone, &modelled] {
        assert!(account.right * 100 >= RIGHT * lines.len(), "{report}");
        assert_eq!(account.writing, Vec::<String>::new());
        assert!(account.wrong.len() * 100 <= lines.len(), "{report}");
    }
}
