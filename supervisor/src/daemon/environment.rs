//! Settings and keys that stand in the environment of `ai-infra up`: kept in the daemon's memory
//! and handed over its socket, so that they are in no command line, file or tmux environment.

use config::env::Env;
use std::collections::BTreeMap;
use std::sync::OnceLock;

/// Starts of names that `config` reads, besides single names.
const PREFIXES: [&str; 11] = [
    "AI_INFRA__",
    "REDIS_",
    "DATABASE_",
    "POSTGRES_",
    "PGPASSFILE",
    "QDRANT_",
    "ANTHROPIC_",
    "OPENAI_",
    "AWS_",
    "CLOUDFLARE_",
    "GITHUB_",
];

/// Variables of one environment, by name.
pub type Variables = BTreeMap<String, String>;

static ADOPTED: OnceLock<Variables> = OnceLock::new();

/// Those variables that settings are made of.
pub fn settings_of(env: &Env) -> Variables {
    env.iter()
        .filter(|(name, _)| is_setting(name))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

/// Remembers what the daemon handed over, for a daemon that this process may have to start.
pub fn adopt(variables: Variables) {
    // A second call comes with the same variables of the same daemon.
    let _kept = ADOPTED.set(variables);
}

/// What [`adopt`] remembered.
pub fn adopted() -> Variables {
    ADOPTED.get().cloned().unwrap_or_default()
}

/// An environment as the team has it: with what was handed over, and of its own no other settings.
pub fn of_team(env: &Env, variables: &Variables) -> Env {
    let own = env.iter().map(|(n, v)| (n.to_owned(), v.to_owned()));
    let own = own.filter(|(name, _)| !is_setting(name));
    let handed = variables.iter().map(|(n, v)| (n.clone(), v.clone()));
    Env::from_pairs(own.chain(handed))
}

fn is_setting(name: &str) -> bool {
    PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// An environment with the handed-over variables laid over it.
pub fn merged(env: &Env, variables: &Variables) -> Env {
    let own = env.iter().map(|(n, v)| (n.to_owned(), v.to_owned()));
    let handed = variables.iter().map(|(n, v)| (n.clone(), v.clone()));
    Env::from_pairs(own.chain(handed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_settings_are_handed_over() {
        let env = Env::from_pairs([
            ("AI_INFRA__TEAM__NAME", "x"),
            ("AI_INFRA_HOME", "/h"),
            ("ANTHROPIC_API_KEY", "sk"),
            ("PATH", "/bin"),
        ]);
        let names: Vec<String> = settings_of(&env).into_keys().collect();
        assert_eq!(names, ["AI_INFRA__TEAM__NAME", "ANTHROPIC_API_KEY"]);
    }

    #[test]
    fn what_is_handed_over_wins() {
        let env = Env::from_pairs([("A", "1"), ("B", "1")]);
        let merged = merged(&env, &Variables::from([("B".to_owned(), "2".to_owned())]));
        assert_eq!((merged.get("A"), merged.get("B")), (Some("1"), Some("2")));
    }

    #[test]
    fn a_process_of_the_team_has_no_settings_of_its_own() {
        let env = Env::from_pairs([("PATH", "/bin"), ("REDIS_URL", "a"), ("DATABASE_URL", "b")]);
        let handed = Variables::from([("REDIS_URL".to_owned(), "c".to_owned())]);
        let env = of_team(&env, &handed);
        let all = ["PATH", "REDIS_URL", "DATABASE_URL"].map(|name| env.get(name));
        assert_eq!(all, [Some("/bin"), Some("c"), None]);
    }
}
