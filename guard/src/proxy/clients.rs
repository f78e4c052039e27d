//! How clients inside are told where their registries are: by variables, and for cargo, which knows no variable for it, by a
//! file. Lock files go on naming the registry itself wherever the client allows that. Pure.

use super::door::{Doors, local};
use protocol::registry::RegistryKind;

/// Bytes of a question that git sends in one piece, with a length.
const POST_BUFFER: usize = super::asked::BODY_BYTES;

/// What clients are told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Variables.
    pub env: Vec<(String, String)>,
    /// Lines for cargo's file of settings; empty = none.
    pub cargo: String,
}

/// What clients are told of these registries.
pub fn told(doors: &Doors) -> Told {
    let mut told = Told::default();
    let of = |kind| doors.iter().filter(move |(_, door)| door.kind == kind);
    let indexes: Vec<String> = of(RegistryKind::Pip)
        .map(|(name, door)| format!("{}{}", local(name), door.index()))
        .collect();
    if let Some((first, more)) = indexes.split_first() {
        told.say("PIP_INDEX_URL", first);
        if !more.is_empty() {
            told.say("PIP_EXTRA_INDEX_URL", more.join(" "));
        }
    }
    let mut whole = false;
    for (name, door) in of(RegistryKind::Npm) {
        match &door.scope {
            Some(scope) => told.say(&format!("npm_config_{scope}:registry"), local(name)),
            None if !whole => {
                whole = true;
                told.say("npm_config_registry", local(name));
                // Addresses of a lock file that was written elsewhere.
                told.say(
                    "npm_config_replace_registry_host",
                    door.base().trim_end_matches('/'),
                );
            }
            None => {}
        }
        // A lock file must not name a port of a sandbox.
        told.say("npm_config_omit_lockfile_registry_resolved", "true");
    }
    for (name, door) in of(RegistryKind::Cargo) {
        let (at, near) = (
            format!("{}{}", door.base(), door.index()),
            local(name) + &door.index(),
        );
        let variable = name.to_ascii_uppercase().replace('-', "_");
        told.say(
            &format!("CARGO_REGISTRIES_{variable}_INDEX"),
            format!("sparse+{at}"),
        );
        told.cargo += &format!(
            "\n[source.ai-infra-of-{name}]\nregistry = \"sparse+{at}\"\nreplace-with = \"ai-infra-at-{name}\"\n\
             \n[source.ai-infra-at-{name}]\nregistry = \"sparse+{near}\"\n"
        );
    }
    let git: Vec<(String, String)> = of(RegistryKind::Git)
        .map(|(name, door)| (format!("url.{}.insteadOf", local(name)), door.base()))
        .collect();
    if !git.is_empty() {
        let buffer = ("http.postBuffer".to_owned(), POST_BUFFER.to_string());
        let all: Vec<(String, String)> = git.into_iter().chain([buffer]).collect();
        told.say("GIT_CONFIG_COUNT", all.len().to_string());
        for (at, (key, value)) in all.into_iter().enumerate() {
            told.say(&format!("GIT_CONFIG_KEY_{at}"), key);
            told.say(&format!("GIT_CONFIG_VALUE_{at}"), value);
        }
    }
    told
}

impl Told {
    fn say(&mut self, name: &str, value: impl Into<String>) {
        if !self.env.iter().any(|(known, _)| known == name) {
            self.env.push((name.to_owned(), value.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outside::Credential;
    use crate::proxy::door::Door;

    #[test]
    fn every_client_is_told_in_its_way_and_none_of_them_the_token() {
        let door = |url: &str, kind, scope: Option<&str>| Door {
            url: url.to_owned(),
            kind,
            token: Credential::new("hunter2"),
            user: None,
            index: None,
            scope: scope.map(str::to_owned),
            authority: None,
        };
        let doors: Doors = [
            ("a-py", door("https://h/p/simple", RegistryKind::Pip, None)),
            ("b-py", door("https://h/q", RegistryKind::Pip, None)),
            ("js", door("https://h/n", RegistryKind::Npm, None)),
            ("own", door("https://h/o", RegistryKind::Npm, Some("@own"))),
            ("my-crates", door("https://h/c", RegistryKind::Cargo, None)),
            ("src", door("https://h/g", RegistryKind::Git, None)),
        ]
        .map(|(name, door)| (name.to_owned(), door))
        .into();
        let told = told(&doors);
        let lines: Vec<String> = told
            .env
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        assert_eq!(
            lines,
            [
                "PIP_INDEX_URL=http://127.0.0.1:3128/a-py/simple/",
                "PIP_EXTRA_INDEX_URL=http://127.0.0.1:3128/b-py/simple/",
                "npm_config_registry=http://127.0.0.1:3128/js/",
                "npm_config_replace_registry_host=https://h/n",
                "npm_config_omit_lockfile_registry_resolved=true",
                "npm_config_@own:registry=http://127.0.0.1:3128/own/",
                "CARGO_REGISTRIES_MY_CRATES_INDEX=sparse+https://h/c/",
                "GIT_CONFIG_COUNT=2",
                "GIT_CONFIG_KEY_0=url.http://127.0.0.1:3128/src/.insteadOf",
                "GIT_CONFIG_VALUE_0=https://h/g/",
                "GIT_CONFIG_KEY_1=http.postBuffer",
                "GIT_CONFIG_VALUE_1=8388608",
            ]
        );
        assert!(
            told.cargo
                .contains("registry = \"sparse+http://127.0.0.1:3128/my-crates/\"")
        );
        assert!(!format!("{told:?}").contains("hunter2"));
        assert_eq!(super::told(&Doors::new()), Told::default());
    }
}
