//! Whether this shell's environment says other settings than the team runs with. What is judged by the rest of
//! `doctor` is what the team has.

use super::{Finding, How, PATIENCE, finding};
use crate::context::Context;
use crate::render::text::{one_line, safe};
use config::resolved::{Resolved, ResolvedKey};
use protocol::postgres::without_password;
use std::collections::{BTreeMap, BTreeSet};
use supervisor::daemon::environment::{self, Variables};

/// Most differences that are listed.
const LISTED: usize = 5;
/// Words in names of variables whose values are never shown.
const SECRET: [&str; 4] = ["KEY", "TOKEN", "PASSWORD", "SECRET"];

/// What the team works with, where it is up, and how this shell differs from it.
pub async fn look(context: &Context) -> (Context, Vec<Finding>) {
    match context.handed(PATIENCE).await {
        Ok(None) => (context.clone(), Vec::new()),
        Ok(Some(variables)) => {
            let team = Context {
                home: context.home.clone(),
                env: environment::of_team(&context.env, &variables),
            };
            let findings = differences(context, &team, &variables);
            (team, findings)
        }
        Err(failure) => {
            let seen = finding("team", How::Bad, failure.message, "ai-infra restart");
            (context.clone(), vec![seen])
        }
    }
}

fn differences(shell: &Context, team: &Context, handed: &Variables) -> Vec<Finding> {
    let own = environment::settings_of(&shell.env);
    if own == *handed {
        return Vec::new();
    }
    let resolved = |context: &Context| context.settings().map(|settings| Resolved::of(&settings));
    match (resolved(shell), resolved(team)) {
        (Ok(shell), Ok(team)) => judged(sentences(&shell.keys, &team.keys, &own, handed)),
        (Err(failure), Ok(_)) => {
            let mut said = vec![failure.message];
            said.extend(failure.hints);
            let seen = format!(
                "this shell says settings that cannot be used ({}), the team runs with others; judged is what the team has",
                one_line(&said.join("; "), 200)
            );
            vec![finding("shell", How::Odd, seen, "unset them, see: env")]
        }
        // That the team's own cannot be used is said elsewhere.
        (_, Err(_)) => Vec::new(),
    }
}

/// A sentence for each setting that differs. Pure.
fn sentences(
    shell: &BTreeMap<String, ResolvedKey>,
    team: &BTreeMap<String, ResolvedKey>,
    own: &Variables,
    handed: &Variables,
) -> Vec<String> {
    let value = |keys: &BTreeMap<String, ResolvedKey>, key: &str| {
        let value = keys.get(key).map_or("nothing", |key| key.value.as_str());
        let value = match value.contains("://") {
            true => without_password(value),
            false => value.to_owned(),
        };
        let origin = keys.get(key).map_or("default", |key| key.origin.as_str());
        let shown = one_line(if value == "-" { "nothing" } else { &value }, 80);
        format!("{shown} ({})", one_line(origin, 60))
    };
    let names: BTreeSet<&String> = shell.keys().chain(team.keys()).collect();
    let differs = names.into_iter().filter(|key| {
        shell.get(*key).map(|key| &key.value) != team.get(*key).map(|key| &key.value)
    });
    let settings = differs.map(|key| {
        format!(
            "{}: your shell says {}, the team runs with {}",
            safe(key),
            value(shell, key),
            value(team, key)
        )
    });
    // Values of secrets look alike everywhere.
    let names: BTreeSet<&String> = own.keys().chain(handed.keys()).collect();
    let secrets = names.into_iter().filter(|name| {
        SECRET.iter().any(|word| name.contains(word)) && own.get(*name) != handed.get(*name)
    });
    let secrets = secrets.map(|name| {
        let how = match (own.contains_key(name), handed.contains_key(name)) {
            (true, false) => "is set in your shell, and the team runs without it",
            (false, _) => "is not set in your shell, and the team runs with one",
            (true, true) => "is another one in your shell than the one the team runs with",
        };
        format!("{} {how}", safe(name))
    });
    settings.chain(secrets).collect()
}

fn judged(mut sentences: Vec<String>) -> Vec<Finding> {
    let more = sentences.len().saturating_sub(LISTED);
    sentences.truncate(LISTED);
    let mut findings: Vec<Finding> = (sentences.iter())
        .map(|said| finding("shell", How::Odd, said, ""))
        .collect();
    if more > 0 {
        let said = format!("and {more} more settings differ");
        findings.push(finding("shell", How::Odd, said, ""));
    }
    if let Some(last) = findings.last_mut() {
        let next = "judged is what the team has; to have it take this shell's: ai-infra restart";
        last.next = Some(next.to_owned());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(pairs: &[(&str, &str, &str)]) -> BTreeMap<String, ResolvedKey> {
        let key = |value: &str, origin: &str| ResolvedKey {
            value: value.to_owned(),
            origin: origin.to_owned(),
        };
        let one =
            |(name, value, origin): &(&str, &str, &str)| ((*name).to_owned(), key(value, origin));
        pairs.iter().map(one).collect()
    }

    fn variables(pairs: &[(&str, &str)]) -> Variables {
        let one = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        pairs.iter().map(one).collect()
    }

    #[test]
    fn each_difference_is_told_from_both_sides_and_no_secret_is() {
        let shell = keys(&[
            ("redis.url", "redis://ada:hunter2@other:6379", "REDIS_URL"),
            ("team.name", "main", "default"),
        ]);
        let team = keys(&[
            ("redis.url", "-", "default"),
            ("team.name", "main", "default"),
        ]);
        let own = variables(&[("ANTHROPIC_API_KEY", "one"), ("REDIS_URL", "x")]);
        let handed = variables(&[("ANTHROPIC_API_KEY", "two"), ("AWS_SECRET_ACCESS_KEY", "s")]);
        let said = sentences(&shell, &team, &own, &handed);
        assert_eq!(
            said,
            [
                "redis.url: your shell says redis://ada@other:6379 (REDIS_URL), the team runs with nothing (default)",
                "ANTHROPIC_API_KEY is another one in your shell than the one the team runs with",
                "AWS_SECRET_ACCESS_KEY is not set in your shell, and the team runs with one",
            ]
        );
        assert!(sentences(&team, &team, &handed, &handed).is_empty());
    }

    #[test]
    fn many_differences_are_counted() {
        let many: Vec<String> = (0..8).map(|n| format!("d{n}")).collect();
        let findings = judged(many);
        assert_eq!(findings.len(), 6);
        assert_eq!(findings[5].seen, "and 3 more settings differ");
        assert!(findings[5].next.is_some() && findings[4].next.is_none());
        assert!(judged(Vec::new()).is_empty());
    }
}
