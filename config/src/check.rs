//! Everything that can be said about a configuration without starting anything.

use crate::env::Env;
use crate::error::{ConfigError, Problem, did_you_mean};
use crate::home::Home;
use crate::load::{self, SYSTEM_FOLDER, Sources};
use crate::{playbooks, shipped};
use std::path::Path;

/// Every problem of a home and its settings; empty when all is well. Changes nothing.
pub fn check(home: &Home, env: &Env) -> Vec<Problem> {
    check_from(&Sources {
        system: Path::new(SYSTEM_FOLDER),
        home,
        env,
        flags: &[],
    })
}

/// The same, with every source named.
pub fn check_from(sources: &Sources<'_>) -> Vec<Problem> {
    let home = sources.home;
    let mut problems = Vec::new();
    let mut note = |result: Result<(), ConfigError>| {
        if let Err(error) = result {
            problems.extend(error.problems());
        }
    };
    note(home.inspect());
    note(load::load_from(sources).map(|_| ()));
    note(playbooks::all(home).map(|_| ()));
    problems.extend(strangers(home));
    problems
}

/// Files in the home's `config` that nobody reads, such as `ai-infra.yml`.
fn strangers(home: &Home) -> Vec<Problem> {
    let known = || shipped::SETTINGS.iter().map(|file| file.name);
    let entries = std::fs::read_dir(home.config()).into_iter().flatten();
    let mut names: Vec<String> = entries
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".yaml") || name.ends_with(".yml"))
        .filter(|name| !known().any(|known| known == name))
        .collect();
    names.sort();
    names
        .iter()
        .map(|name| {
            let path = home.config().join(name);
            let near = did_you_mean(name, known());
            let message = format!("is not read by anything{near}");
            Problem::new(path.display(), message)
        })
        .collect()
}
