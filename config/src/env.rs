//! The environment as data. This is the only file that reads the process environment, so that
//! every decision made from it can be tested with pairs.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Names a guarantee that this process leaves out; see `protocol::fault`.
#[cfg(debug_assertions)]
const FAULT: &str = "AI_INFRA_FAULT";
/// Says where another clock is written down; see [`Env::clock_variables`].
#[cfg(debug_assertions)]
const CLOCK: &str = "AI_INFRA_CLOCK";

/// A copy of the environment, taken once.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Env {
    values: BTreeMap<String, String>,
    unreadable: BTreeSet<String>,
}

impl Env {
    /// The environment of this process. Values that are not UTF-8 are kept out and listed by
    /// [`Env::unreadable`].
    pub fn from_process() -> Self {
        let mut env = Self::default();
        for (name, value) in std::env::vars_os() {
            let Ok(name) = name.into_string() else {
                continue;
            };
            match value.into_string() {
                Ok(value) => {
                    env.values.insert(name, value);
                }
                Err(_) => {
                    env.unreadable.insert(name);
                }
            }
        }
        env
    }

    /// An environment made of pairs, for tests.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(
        pairs: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        Self {
            values: pairs
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            unreadable: BTreeSet::new(),
        }
    }

    /// The value of a variable; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }

    /// Variables whose name starts with `prefix`, empty ones included, in order of name.
    pub fn starting_with<'a>(
        &'a self,
        prefix: &'a str,
    ) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.iter()
            .filter(move |(name, _)| name.starts_with(prefix))
    }

    /// Every readable variable, in order of name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The home folder whose toolchains are used: the one that holds the `.cargo/bin` on `PATH`
    /// (an installation may serve another `HOME`), else `HOME`, else nowhere.
    pub fn toolchain_home(&self) -> PathBuf {
        let on_path = self
            .get("PATH")
            .unwrap_or_default()
            .split(':')
            .find_map(|folder| {
                let cargo = Path::new(folder)
                    .parent()
                    .filter(|_| folder.ends_with("/.cargo/bin"))?;
                cargo.parent().map(Path::to_owned)
            });
        let home = || self.get("HOME").map(PathBuf::from);
        let of_home = home().filter(|home| home.join(".cargo").is_dir());
        of_home.or(on_path).or_else(home).unwrap_or_default()
    }

    /// Which guarantees this process is to leave out, for tests of the tests.
    ///
    /// # Errors
    /// A sentence, when the word is not known.
    pub fn faults(&self) -> Result<protocol::fault::Faults, String> {
        #[cfg(debug_assertions)]
        if let Some(word) = self.get(FAULT) {
            return word.parse().map_err(|said| format!("{FAULT}: {said}"));
        }
        Ok(protocol::fault::Faults::default())
    }

    /// The variable of [`Env::faults`], to hand on to a process that is started with an
    /// environment of its own.
    pub fn fault_variable(&self) -> Option<(String, String)> {
        #[cfg(debug_assertions)]
        return Some((FAULT.to_owned(), self.get(FAULT)?.to_owned()));
        #[cfg(not(debug_assertions))]
        None
    }

    /// What gives the processes of a test another clock, to hand on to the whole team: the library that does it and
    /// what says how late it is.
    pub fn clock_variables(&self) -> Vec<(String, String)> {
        #[cfg(debug_assertions)]
        if self.get(CLOCK).is_some() {
            let own = |name: &str| Some((name.to_owned(), self.get(name)?.to_owned()));
            return ["LD_PRELOAD", CLOCK].into_iter().filter_map(own).collect();
        }
        Vec::new()
    }

    /// The trace that whoever started this process is in. As the standard wants it, one that
    /// cannot be read is none.
    pub fn trace(&self) -> Option<protocol::trace::Trace> {
        self.get(protocol::trace::VARIABLE)?.parse().ok()
    }

    /// Whether terminals may be painted: <https://no-color.org>.
    pub fn colour(&self) -> bool {
        self.get("NO_COLOR").is_none()
    }

    /// Names of variables whose value is not UTF-8.
    pub fn unreadable(&self) -> impl Iterator<Item = &str> {
        self.unreadable.iter().map(String::as_str)
    }
}

/// Names only: values may be secrets.
impl fmt::Debug for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.values.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_is_unset_and_values_stay_hidden() {
        let env = Env::from_pairs([("A", "1"), ("B", ""), ("API_KEY", "sk-hidden")]);
        assert_eq!(env.get("A"), Some("1"));
        assert_eq!(env.get("B"), None);
        assert_eq!(env.get("C"), None);
        assert!(!format!("{env:?}").contains("hidden"));
        let names: Vec<_> = env.starting_with("A").map(|(name, _)| name).collect();
        assert_eq!(names, ["A", "API_KEY"]);
    }
}
