//! A case: what the layers hold, loaded from a home of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, dead_code)]

use config::env::Env;
use config::error::ConfigError;
use config::home::Home;
use config::load::{Sources, load_from};
use config::settings::Settings;
use config::show::show;
use std::path::Path;

/// What the layers of one case hold.
#[derive(Default, Clone, Copy)]
pub struct Case<'a> {
    /// Files of the machine: name and text.
    pub system: &'a [(&'a str, &'a str)],
    /// Files of the home's `config`.
    pub user: &'a [(&'a str, &'a str)],
    pub env: &'a [(&'a str, &'a str)],
    pub flags: &'a [(&'a str, &'a str)],
    /// Secrets kept in the home.
    pub secrets: &'a [(&'a str, &'a str)],
    /// Own agents: name and AGENT.md.
    pub agents: &'a [(&'a str, &'a str)],
}

pub fn write(folder: &Path, files: &[(&str, &str)]) {
    for (name, text) in files {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

/// Loads a case; folder names in errors become `/etc` and `/home`.
pub fn load(case: Case<'_>) -> Result<Settings, String> {
    let folder = tempfile::tempdir().unwrap();
    let system = folder.path().join("etc");
    let home = Home::at(folder.path().join("home"));
    home.ensure().unwrap();
    write(&system, case.system);
    write(&home.config(), case.user);
    for (name, value) in case.secrets {
        config::secret::set(&home, name, value).unwrap();
    }
    for (name, text) in case.agents {
        write(&home.agents().join(name), &[("AGENT.md", text)]);
    }
    let flags: Vec<(String, String)> = case
        .flags
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .collect();
    let loaded = load_from(&Sources {
        system: &system,
        home: &home,
        env: &Env::from_pairs(case.env.iter().copied()),
        flags: &flags,
    });
    let root = folder.path().display().to_string();
    loaded.map_err(|error: ConfigError| error.to_string().replace(&root, ""))
}

pub fn check_value(case: Case<'_>, key: &str, expected: (&str, &str)) {
    let settings = load(case).unwrap_or_else(|error| panic!("{key}: {error}"));
    let lines = show(&settings);
    let (_, value, origin) = lines
        .iter()
        .find(|(known, ..)| known == key)
        .unwrap_or_else(|| panic!("{key} is not shown"));
    let origin = match origin.find("/home/").or_else(|| origin.find("/etc/")) {
        Some(at) => &origin[at..],
        None => origin,
    };
    assert_eq!((value.as_str(), origin), expected, "{key}");
}

pub fn check_refused(case: Case<'_>, expected: &str) {
    assert_eq!(load(case).map(|_| "settings").unwrap_err(), expected);
}

pub fn user<'a>(files: &'a [(&'a str, &'a str)]) -> Case<'a> {
    Case {
        user: files,
        ..Case::default()
    }
}

pub fn env<'a>(pairs: &'a [(&'a str, &'a str)]) -> Case<'a> {
    Case {
        env: pairs,
        ..Case::default()
    }
}
