//! Who gets which request, with and without a model, as tables.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use crate::route::shelf::Shelf;
use config::env::Env;
use config::home::Home;
use config::load::{Sources, load_from};

pub(super) struct Room {
    folder: tempfile::TempDir,
    pub(super) home: Home,
}

impl Room {
    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path().join("home"));
        home.ensure().unwrap();
        Self { folder, home }
    }

    pub(super) fn settings(&self, key: bool, flags: &[(&str, &str)]) -> Settings {
        let pairs = match key {
            true => vec![("ANTHROPIC_API_KEY", "sk-for-tests")],
            false => Vec::new(),
        };
        let flags: Vec<(String, String)> = flags
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        load_from(&Sources {
            system: self.folder.path(),
            home: &self.home,
            env: &Env::from_pairs(pairs),
            flags: &flags,
        })
        .unwrap()
    }
}

pub(super) fn asked(request: &str, agent: &str) -> Submit {
    Submit {
        agent: agent.parse().ok(),
        ..Submit::words(request)
    }
}

/// `agent playbook`, `agent model`, or the start of the refusal.
fn summary(routed: Result<Routed, RouteError>) -> String {
    match routed {
        Ok(routed) => {
            assert!(!routed.because.is_empty());
            let way = match routed.way {
                Way::Playbook { name, .. } => name,
                Way::Anthropic => "model".to_owned(),
                Way::Plan { plan } => plan.name,
                Way::Scripted { .. } => "script".to_owned(),
            };
            format!("{} {way}", routed.agent)
        }
        Err(error) => error.to_string(),
    }
}

#[test]
fn words_go_to_a_playbook_a_model_or_are_refused() {
    let room = Room::new();
    let library = Shelf::open(&room.home).library();
    let (without, with) = (room.settings(false, &[]), room.settings(true, &[]));
    for (request, agent, alone, modelled) in [
        (
            "how is this server doing",
            "",
            "infra host-health",
            "infra host-health",
        ),
        (
            "how is this server doing",
            "qa",
            "this is the playbook `host-health`",
            "qa model",
        ),
        (
            "fix the race in the parser",
            "",
            "no playbook does this",
            "code model",
        ),
        (
            "fix the race in the parser",
            "data",
            "no playbook does this",
            "data model",
        ),
        (
            "fix the race",
            "nobody",
            "there is no agent `nobody`",
            "there is no agent `nobody`",
        ),
    ] {
        for (settings, expected) in [(&without, alone), (&with, modelled)] {
            let got = summary(decide(&asked(request, agent), settings, &library));
            assert!(
                got.starts_with(expected),
                "{request} --agent {agent}: {got}"
            );
        }
    }
}

#[test]
fn named_playbooks_are_checked() {
    let room = Room::new();
    let library = Shelf::open(&room.home).library();
    let settings = room.settings(false, &[]);
    let named = |name: &str, params: Value, agent: &str| {
        let params = params.as_object().cloned().unwrap();
        let playbook = Some((name.to_owned(), params));
        let submit = Submit {
            playbook,
            ..asked("x", agent)
        };
        summary(decide(&submit, &settings, &library))
    };
    let none = serde_json::json!({});
    assert_eq!(named("host-health", none.clone(), ""), "infra host-health");
    assert_eq!(
        named("host-health", none.clone(), "infra"),
        "infra host-health"
    );
    assert!(named("host-health", none.clone(), "qa").contains("not of qa"));
    assert!(named("host-healt", none, "").contains("host-health"));
    assert!(named("host-health", serde_json::json!({"moon": 1}), "").contains("moon"));
}

#[test]
fn scripts_need_leave() {
    let room = Room::new();
    let library = Shelf::open(&room.home).library();
    let script = room.folder.path().join("script.json");
    std::fs::write(&script, "{}").unwrap();
    let submit = |script: std::path::PathBuf| Submit {
        script: Some(script),
        ..asked("fix it", "")
    };
    let strict = room.settings(false, &[]);
    let refused = summary(decide(&submit(script.clone()), &strict, &library));
    assert!(refused.contains("not allowed"), "{refused}");
    let lax = room.settings(false, &[("engine.allow_scripted", "true")]);
    assert_eq!(
        summary(decide(&submit(script), &lax, &library)),
        "code script"
    );
    let missing = summary(decide(&submit("/no/such/script".into()), &lax, &library));
    assert!(missing.contains("no file"), "{missing}");
}

#[test]
fn a_persons_playbooks_are_read_when_they_change_and_bad_ones_are_named() {
    let room = Room::new();
    let shelf = Shelf::open(&room.home);
    assert_eq!(shelf.problems(), Vec::<String>::new());
    let before = shelf.library().playbooks().len();
    let (_, yaml) = config::shipped::playbooks()[0];
    let own = yaml.replacen("name: ", "name: my-", 1);
    std::fs::create_dir_all(room.home.playbooks()).unwrap();
    std::fs::write(room.home.playbooks().join("own.yaml"), own).unwrap();
    std::fs::write(room.home.playbooks().join("bad.yaml"), "playbook: [").unwrap();
    assert_eq!(shelf.library().playbooks().len(), before + 1);
    assert_eq!(shelf.problems().len(), 1);
    assert!(shelf.problems()[0].contains("bad.yaml"));
}
