//! Which role a request is for, from its words alone. The role with most of its words in the
//! request; `code` when no word speaks for another.

use config::settings::AgentSettings;
use pai::playbook::words::stem;
use protocol::ids::Role;

/// Words that speak for a role. Earlier roles win a draw.
const WORDS: [(&str, &[&str]); 4] = [
    (
        "qa",
        &[
            "test",
            "review",
            "verify",
            "coverage",
            "flaky",
            "regression",
            "lint",
            "quality",
            "qa",
        ],
    ),
    (
        "infra",
        &[
            "server",
            "host",
            "nginx",
            "disk",
            "memory",
            "cpu",
            "deploy",
            "docker",
            "container",
            "systemd",
            "service",
            "domain",
            "certificate",
            "ssl",
            "tls",
            "dns",
            "firewall",
            "cron",
            "uptime",
            "log",
            "backup",
            "port",
            "package",
            "update",
            "install",
            "restart",
            "reboot",
            "timer",
            "ip",
            "ssh",
            "infra",
        ],
    ),
    (
        "data",
        &[
            "csv",
            "sql",
            "sqlite",
            "postgres",
            "database",
            "query",
            "table",
            "column",
            "row",
            "dataset",
            "parquet",
            "spreadsheet",
            "statistics",
            "data",
        ],
    ),
    (
        "research",
        &[
            "research",
            "compare",
            "summarise",
            "summarize",
            "summary",
            "explain",
            "alternatives",
            "survey",
            "overview",
            "article",
            "paper",
            "learn",
            "why",
        ],
    ),
];

/// The role for a request among those there are, and why.
pub fn by_words(request: &str, agents: &[AgentSettings]) -> (Role, String) {
    let words: Vec<String> = request
        .split(|c: char| !c.is_alphanumeric() && c != '-')
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect();
    let stems: Vec<String> = words.iter().map(|word| stem(word)).collect();
    let there = |name: &str| agents.iter().find(|agent| agent.name.as_str() == name);
    // An agent that a person added is chosen by its name.
    let shipped = |name: &str| name == "code" || WORDS.iter().any(|(role, _)| *role == name);
    if let Some(agent) = agents.iter().find(|agent| {
        !shipped(agent.name.as_str()) && words.iter().any(|word| word == agent.name.as_str())
    }) {
        let why = format!("the request names {}", agent.name);
        return (agent.name.clone(), why);
    }
    let mut best: Option<(Role, Vec<&str>)> = None;
    for (name, known) in WORDS {
        let Some(agent) = there(name) else { continue };
        let found: Vec<&str> = known
            .iter()
            .copied()
            .filter(|known| stems.contains(&stem(known)))
            .collect();
        if found.len() > best.as_ref().map_or(0, |(_, found)| found.len()) {
            best = Some((agent.name.clone(), found));
        }
    }
    match best {
        Some((role, found)) => {
            let why = format!("`{}` speaks for {role}", found.join("`, `"));
            (role, why)
        }
        None => default_role(agents),
    }
}

fn default_role(agents: &[AgentSettings]) -> (Role, String) {
    let code = agents.iter().find(|agent| agent.name.as_str() == "code");
    let role = code
        .or_else(|| agents.first())
        .map_or_else(Role::supervisor, |agent| agent.name.clone());
    let why = format!("{role} takes what speaks for nobody else");
    (role, why)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use protocol::level::Level;

    fn agents(names: &[&str]) -> Vec<AgentSettings> {
        names
            .iter()
            .map(|name| AgentSettings::bare(name.parse().unwrap(), Level::Standard))
            .collect()
    }

    #[test]
    fn words_choose_the_role() {
        let five = agents(&["code", "data", "infra", "research", "qa", "poet"]);
        for (request, expected) in [
            ("Fix the parser", "code"),
            ("review the tests of the parser", "qa"),
            ("Is the disk of this server full?", "infra"),
            ("which rows of sales.csv are odd", "data"),
            ("compare alternatives to redis", "research"),
            ("ask the poet for a haiku", "poet"),
            ("", "code"),
            ("TESTS!!!", "qa"),
        ] {
            assert_eq!(by_words(request, &five).0.as_str(), expected, "{request}");
        }
        let two = agents(&["infra", "data"]);
        assert_eq!(by_words("run the tests", &two).0.as_str(), "infra");
    }
}
