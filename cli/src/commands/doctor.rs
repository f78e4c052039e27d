//! `doctor`: what the team needs on this machine and in its home, and what to do where it is missing.
//! `tools`, `machine`, `home`, `redis`, `engine`, `shell`, `members` and `operations` look, each at its own; what they see
//! is judged in functions without IO.

mod backups;
mod engine;
mod home;
pub(super) mod leave;
mod machine;
mod members;
mod operations;
mod redis;
mod shell;
mod tools;

use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{count, one_line, safe};
use crate::terminal;
use protocol::document::DOCUMENT_VERSION;
use serde::Serialize;
use std::time::Duration;

/// Longest wait for anything that is asked.
const PATIENCE: Duration = Duration::from_secs(2);

/// How one thing is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum How {
    Good,
    /// The team works without it, or with less.
    Odd,
    Bad,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    what: &'static str,
    how: How,
    seen: String,
    /// What to do, where there is something to do: a command, or a sentence where none can be given.
    next: Option<String>,
}

fn finding(what: &'static str, how: How, seen: impl Into<String>, next: &str) -> Finding {
    Finding {
        what,
        how,
        seen: seen.into(),
        next: (!next.is_empty()).then(|| next.to_owned()),
    }
}

/// Looks at everything; exit code 1 when something is bad.
pub async fn run(context: &Context, json: bool) -> Result<u8, Failure> {
    let findings = all(context).await;
    let bad = findings.iter().any(|finding| finding.how == How::Bad);
    if json {
        super::json(&serde_json::json!({
            "version": DOCUMENT_VERSION, "good": !bad, "findings": findings,
        }))?;
    } else {
        terminal::print(&text(&findings));
    }
    Ok(if bad {
        protocol::exit::FAILED
    } else {
        protocol::exit::DONE
    })
}

async fn all(context: &Context) -> Vec<Finding> {
    let mut findings = home::place(&context.home);
    let (context, differs) = shell::look(context).await;
    let context = &context;
    let settings = match context.settings() {
        Ok(settings) => {
            findings.push(finding("settings", How::Good, "right", ""));
            Some(settings)
        }
        // A home that cannot be used was said already.
        Err(_) if context.home.inspect().is_err() => None,
        Err(failure) => {
            let mut seen = vec![failure.message];
            seen.extend(failure.hints);
            let next = "ai-infra config check";
            findings.push(finding("settings", How::Bad, seen.join("; "), next));
            None
        }
    };
    let settings = settings.as_ref();
    let (redis, tools, ledger, engine, members) = tokio::join!(
        redis::look(settings, &context.home),
        tools::look(),
        home::ledger(&context.home, settings),
        engine::look(settings),
        members::look(context),
    );
    findings.extend(home::contents(&context.home, settings));
    findings.push(ledger);
    findings.extend(redis);
    findings.extend(tools);
    findings.extend(machine::look(&context.env, settings, &members));
    findings.extend(engine);
    findings.extend(backups::look(settings, &context.home, members.backups));
    findings.extend(members.findings);
    findings.extend(differs);
    findings.extend(leave::look(settings, context).await);
    findings.extend(operations::look(settings, &context.home));
    findings
}

/// Why no task could run anything on this machine, with what to do; `None` when all is well.
pub async fn no_sandbox() -> Option<String> {
    (tools::look().await.into_iter())
        .filter(|finding| ["bwrap", "sandbox"].contains(&finding.what))
        .find(|finding| finding.how == How::Bad)
        .map(|finding| match finding.next {
            Some(next) => format!("{}: {next}", finding.seen),
            None => finding.seen,
        })
}

/// Good things a line each; below what is not, what to do about it, alone on its line to be copied.
fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|f| f.what.chars().count()).max();
    let width = width.unwrap_or(0);
    let mut text = String::new();
    for finding in findings {
        let mark = match finding.how {
            How::Good => "✓",
            How::Odd => "!",
            How::Bad => "✗",
        };
        let seen = one_line(&finding.seen, 300);
        text.push_str(&format!("{mark} {:width$}  {seen}\n", finding.what));
        if let Some(next) = &finding.next {
            text.push_str(&format!("  {:width$}  → {}\n", "", safe(next)));
        }
    }
    text.push_str(&summary(findings));
    text
}

fn summary(findings: &[Finding]) -> String {
    let many = |how: How| findings.iter().filter(|f| f.how == how).count() as u64;
    match (many(How::Bad), many(How::Odd)) {
        (0, 0) => "all is well\n".to_owned(),
        (0, odd) => format!(
            "the team can work; {} to know\n",
            count(odd, "thing", "things")
        ),
        (bad, _) => format!("{} must be mended\n", count(bad, "thing", "things")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_say_what_to_do() {
        let good = finding("git", How::Good, "git version 2", "");
        let bad = finding(
            "bwrap",
            How::Bad,
            "not\x1b found",
            "apt-get install bubblewrap",
        );
        assert_eq!(
            text(&[good.clone(), bad]),
            "✓ git    git version 2\n✗ bwrap  not\\u{1b} found\n         → apt-get install bubblewrap\n1 thing must be mended\n"
        );
        assert!(text(&[good]).ends_with("all is well\n"));
    }
}
