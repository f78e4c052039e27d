//! A web site of nginx as fields. What a field can hold is decided where it is parsed, so the text that
//! is made of them can hold no other directive than the ones written here.

use super::names::{Folder, HostName, SiteName, Target, Upstream};
use serde::{Deserialize, Serialize};

/// Most names of one site.
pub const MOST_NAMES: usize = 20;

/// A site.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Names it answers to.
    pub names: Vec<HostName>,
    /// What it answers with.
    pub serve: Serve,
    /// The certificate it is served with over HTTPS; plain HTTP alone where there is none.
    pub certificate: Option<SiteName>,
    /// With a certificate, plain HTTP is sent to HTTPS; else both are served.
    pub only_https: bool,
}

/// What a site answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Serve {
    /// Files of a folder.
    Root(Folder),
    /// What a server on this or another host answers.
    Upstream(Upstream),
    /// The address of another place; the path of the request goes along where this has none.
    Redirect(Target),
}

impl Site {
    /// Whether the fields go together.
    ///
    /// # Errors
    /// A sentence.
    pub fn check(&self) -> Result<(), String> {
        if self.names.is_empty() || self.names.len() > MOST_NAMES {
            return Err(format!("a site has 1 to {MOST_NAMES} names"));
        }
        let mut seen = std::collections::BTreeSet::new();
        match self.names.iter().find(|name| !seen.insert(*name)) {
            Some(twice) => Err(format!("the name {twice} stands there twice")),
            None => Ok(()),
        }
    }

    /// Its names in a line.
    pub fn names_line(&self) -> String {
        let names: Vec<&str> = self.names.iter().map(HostName::as_str).collect();
        names.join(" ")
    }

    /// Names at which it can be asked for: a name of its own for each, also below a `*.`.
    pub fn asked_at(&self) -> Vec<String> {
        let name = |name: &HostName| match name.as_str().strip_prefix("*.") {
            Some(below) => format!("ai-infra-looks.{below}"),
            None => name.as_str().to_owned(),
        };
        self.names.iter().map(name).collect()
    }
}
