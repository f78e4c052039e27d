//! Secrets, the resolved settings of a running team, and what a check finds.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod case;

use case::{Case, env, load, write};
use config::env::Env;
use config::home::Home;
use config::load::Sources;
use config::show::show;

#[test]
fn secrets_come_from_the_home_and_stay_hidden() {
    let case = Case {
        secrets: &[("anthropic-api-key", "sk-hidden")],
        ..Case::default()
    };
    let settings = load(case).unwrap();
    assert_eq!(
        settings.engine.api_key.as_ref().unwrap().reveal(),
        "sk-hidden"
    );
    assert_eq!(settings.engine.name.as_str(), "anthropic");
    let printed = format!(
        "{settings:?} {} {:?}",
        serde_json::to_string(&settings).unwrap(),
        show(&settings)
    );
    assert!(!printed.contains("hidden"));
}

#[test]
fn resolved_settings_are_kept_and_compared() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    home.ensure().unwrap();
    assert_eq!(config::resolved::read(&home), Ok(None));
    config::resolved::write(&home, &load(Case::default()).unwrap()).unwrap();
    let kept = config::resolved::read(&home).unwrap().unwrap();
    assert!(
        kept.differs_from(&load(Case::default()).unwrap())
            .is_empty()
    );
    let other = load(env(&[("AI_INFRA__LOG__LEVEL", "debug")])).unwrap();
    assert_eq!(kept.differs_from(&other), ["log.level"]);
}

#[test]
fn check_finds_files_nobody_reads() {
    let folder = tempfile::tempdir().unwrap();
    let home = Home::at(folder.path());
    home.ensure().unwrap();
    let empty = Env::from_pairs::<String, String>([]);
    let sources = Sources {
        system: &folder.path().join("none"),
        home: &home,
        env: &empty,
        flags: &[],
    };
    assert_eq!(config::check::check_from(&sources), []);
    write(&home.config(), &[("ai-infra.yml", "")]);
    let said = config::check::check_from(&sources);
    let said: Vec<String> = said.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1);
    assert!(
        said[0].ends_with("ai-infra.yml: is not read by anything; did you mean `ai-infra.yaml`?"),
        "{said:?}"
    );
}
