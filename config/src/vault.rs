//! Secrets that another service keeps: which it is, which names are asked for, and how the daemon hands
//! the values on. They travel like the settings that stood in the environment of `up`: in memory and
//! over the daemon's socket, as variables of a name of their own.

use crate::env::Env;
use crate::error::ConfigError;
use crate::home::Home;
use crate::load::{Sources, lay_all, section};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

/// Start of the variable that holds a secret's value.
const VALUE: &str = "AI_INFRA_SECRET__";
/// Start of the variable that says since when.
const SINCE: &str = "AI_INFRA_SECRET_SINCE__";

/// Where secrets are looked for besides the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    Home,
    Aws,
}

/// Section `secrets`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretsSection {
    source: Source,
    prefix: String,
    region: Option<String>,
    every_s: u32,
}

/// What is to be asked of AWS Secrets Manager.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What stands before every name there.
    pub prefix: String,
    /// The region; `None` = as the AWS tools find it.
    pub region: Option<String>,
    /// How often it is asked again.
    pub every: Duration,
    /// The names that settings name.
    pub names: BTreeSet<String>,
}

/// What is to be asked, from the layers alone: no secret needs to be known for it. `None` where
/// secrets are kept in the home. A wrong setting is said by whoever loads them all.
///
/// # Errors
/// When the section cannot be read.
pub fn wanted(system: &Path, home: &Home, env: &Env) -> Result<Option<Wanted>, ConfigError> {
    let sources = Sources {
        system,
        home,
        env,
        flags: &[],
    };
    let layers = lay_all(&sources, None, None);
    let section: SecretsSection = section(&layers, "secrets")?;
    Ok((section.source == Source::Aws).then(|| Wanted {
        prefix: section.prefix,
        region: section.region,
        every: Duration::from_secs(u64::from(section.every_s)),
        names: layers.secrets(),
    }))
}

/// The variables that hand a value on, and since when it is known.
pub fn variables(name: &str, value: &str, since: &str) -> [(String, String); 2] {
    [
        (format!("{VALUE}{name}"), value.to_owned()),
        (format!("{SINCE}{name}"), since.to_owned()),
    ]
}

/// Whether a variable hands on a secret, or says since when.
pub fn is_handed(variable: &str) -> bool {
    variable.starts_with(VALUE) || variable.starts_with(SINCE)
}

/// The value that was handed on under a name.
pub(crate) fn handed<'e>(env: &'e Env, name: &str) -> Option<&'e str> {
    env.get(&format!("{VALUE}{name}"))
}

/// Names of all that were handed on, each with since when it is known.
pub fn all_handed(env: &Env) -> Vec<(String, String)> {
    let since = |name: &str| env.get(&format!("{SINCE}{name}")).unwrap_or_default();
    env.starting_with(VALUE)
        .filter_map(|(name, _)| name.strip_prefix(VALUE))
        .map(|name| (name.to_owned(), since(name).to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_asked_stands_in_the_layers() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let nowhere = folder.path().join("none");
        let of = |env: &Env| wanted(&nowhere, &home, env).unwrap();
        assert_eq!(of(&Env::default()), None);
        let asked = of(&Env::from_pairs([("AWS_SECRETS_PREFIX", "shop/")])).unwrap();
        assert_eq!(asked.prefix, "shop/");
        assert!(asked.names.contains("anthropic-api-key"), "{asked:?}");
        let text = "secrets: {source: aws, region: eu-west-1, every_s: 120}\nledger: {password: {secret: shop-db}}\n";
        std::fs::write(home.config().join("ai-infra.yaml"), text).unwrap();
        let asked = of(&Env::default()).unwrap();
        assert_eq!(asked.prefix, "ai-infrastructure/");
        assert_eq!(asked.region.as_deref(), Some("eu-west-1"));
        assert_eq!(asked.every, Duration::from_secs(120));
        assert!(asked.names.contains("shop-db"), "{asked:?}");
    }

    #[test]
    fn what_is_handed_on_is_found_under_its_name() {
        let home = Home::at("/no/such/home");
        let handed = Env::from_pairs(variables("shop-db", "p", "12:00"));
        let found = crate::secret::find(&home, &handed, "shop-db").unwrap();
        assert_eq!(found.unwrap().reveal(), "p");
        let since = [("shop-db".to_owned(), "12:00".to_owned())];
        assert_eq!(all_handed(&handed), since);
    }
}
