//! `doctor`: what the team needs on this machine, and what to do where it is missing.

mod redis;

use super::team;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{columns, one_line, safe, size};
use crate::terminal;
use config::home::Home;
use config::settings::{EngineName, Settings};
use nix::sys::statvfs::statvfs;
use protocol::document::DOCUMENT_VERSION;
use serde::Serialize;
use std::io::ErrorKind;
use std::process::{Command, Stdio};
use supervisor::tmux::session;

/// Below this much free space the disk is a problem, in bytes.
const LOW_DISK: u64 = 1_000_000_000;

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
    /// What to do, where there is something to do.
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
    let mut findings = vec![home(&context.home)];
    let settings = match context.settings() {
        Ok(settings) => {
            findings.push(finding("settings", How::Good, "right", ""));
            Some(settings)
        }
        Err(failure) => {
            let next = "ai-infra config check";
            findings.push(finding("settings", How::Bad, failure.message, next));
            None
        }
    };
    findings.extend(redis::look(settings.as_ref(), &context.home).await);
    findings.push(tmux());
    findings.extend([git(), bwrap()]);
    findings.extend([sandbox(), disk(&context.home)]);
    findings.extend(settings.as_ref().map(engine));
    findings.push(team_up(context).await);
    let bad = findings.iter().any(|finding| finding.how == How::Bad);
    if json {
        super::json(&serde_json::json!({"version": DOCUMENT_VERSION, "findings": findings}))?;
    } else {
        terminal::print(&text(&findings));
    }
    Ok(if bad {
        protocol::exit::FAILED
    } else {
        protocol::exit::DONE
    })
}

fn text(findings: &[Finding]) -> String {
    let rows: Vec<Vec<String>> = findings
        .iter()
        .map(|finding| {
            let mark = match finding.how {
                How::Good => "✓",
                How::Odd => "!",
                How::Bad => "✗",
            };
            let next = finding.next.as_ref();
            let next = next.map_or(String::new(), |next| format!("→ {}", safe(next)));
            vec![
                format!("{mark} {}", finding.what),
                one_line(&finding.seen, 160),
                next,
            ]
        })
        .collect();
    columns(&rows)
}

fn home(home: &Home) -> Finding {
    let place = home.root.display();
    match home.inspect() {
        Ok(()) if home.root.exists() => finding("home", How::Good, place.to_string(), ""),
        Ok(()) => {
            let seen = format!("{place} does not exist yet");
            finding("home", How::Good, seen, "ai-infra up makes it")
        }
        Err(error) => finding("home", How::Bad, error.to_string(), ""),
    }
}

fn tmux() -> Finding {
    match session::installed() {
        Ok(version) => finding("tmux", How::Good, format!("tmux {version}"), ""),
        Err(error) => finding("tmux", How::Odd, error.to_string(), ""),
    }
}

/// First line of what a program prints, when it ends well.
fn printed(argv: &[&str]) -> Result<String, String> {
    let (program, arguments) = argv.split_first().ok_or("no program")?;
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound => format!("{program} is not installed"),
            _ => format!("{program} cannot be run: {error}"),
        })?;
    let said = match output.status.success() {
        true => &output.stdout,
        false => &output.stderr,
    };
    let said = String::from_utf8_lossy(said)
        .lines()
        .next()
        .unwrap_or("")
        .to_owned();
    if output.status.success() {
        Ok(said)
    } else {
        Err(said)
    }
}

fn git() -> Finding {
    match printed(&["git", "--version"]) {
        Ok(version) => finding("git", How::Good, version, ""),
        Err(error) => finding("git", How::Bad, error, "apt-get install git"),
    }
}

fn bwrap() -> Finding {
    match printed(&["bwrap", "--version"]) {
        Ok(version) => finding("bwrap", How::Good, version, ""),
        Err(error) => finding("bwrap", How::Bad, error, "apt-get install bubblewrap"),
    }
}

/// Why no task could run anything on this machine, with what to do; `None` when all is well.
pub fn no_sandbox() -> Option<String> {
    [bwrap(), sandbox()]
        .into_iter()
        .find(|finding| finding.how == How::Bad)
        .map(|finding| match finding.next {
            Some(next) => format!("{}: {next}", finding.seen),
            None => finding.seen,
        })
}

/// Whether the kernel lets a sandbox be made at all.
fn sandbox() -> Finding {
    let argv = [
        "bwrap",
        "--unshare-all",
        "--die-with-parent",
        "--ro-bind",
        "/",
        "/",
        "/bin/true",
    ];
    match printed(&argv) {
        Ok(_) => finding(
            "sandbox",
            How::Good,
            "the kernel allows user namespaces",
            "",
        ),
        Err(error) if error.ends_with("not installed") => {
            finding("sandbox", How::Bad, "none can be made without bwrap", "")
        }
        Err(error) => finding(
            "sandbox",
            How::Bad,
            format!("none can be made: {error}"),
            "allow user namespaces: sysctl kernel.unprivileged_userns_clone=1 kernel.apparmor_restrict_unprivileged_userns=0 user.max_user_namespaces=15000",
        ),
    }
}

fn disk(home: &Home) -> Finding {
    // The home may not be there yet: the disk it will be on is its nearest existing folder's.
    let place = home.root.ancestors().find(|folder| folder.exists());
    let Some(about) = place.and_then(|place| statvfs(place).ok()) else {
        return finding("disk", How::Odd, "cannot be looked at", "");
    };
    let free = about
        .blocks_available()
        .saturating_mul(about.fragment_size());
    let seen = format!("{} free", size(free));
    match free < LOW_DISK {
        true => finding(
            "disk",
            How::Bad,
            seen,
            "free at least 1 GB where the home is",
        ),
        false => finding("disk", How::Good, seen, ""),
    }
}

fn engine(settings: &Settings) -> Finding {
    match settings.engine.name {
        EngineName::Anthropic => {
            let seen = format!("Claude ({})", settings.engine.model);
            finding("engine", How::Good, seen, "")
        }
        EngineName::Playbook => finding(
            "engine",
            How::Good,
            "playbooks only, no model",
            "with a key the team thinks with Claude: ai-infra secret set anthropic-api-key",
        ),
        other => finding("engine", How::Odd, other.as_str(), ""),
    }
}

async fn team_up(context: &Context) -> Finding {
    let status = team::status(context).await;
    match status.state.as_str() {
        "up" => finding("team", How::Good, "up", ""),
        "down" => finding("team", How::Good, "down", "ai-infra up"),
        state => {
            let mut problems = status.problems.clone();
            let lines = status.processes.iter().filter(|line| line.state != "up");
            problems.extend(lines.map(|line| format!("{} ({})", line.name, line.state)));
            let problems = problems.join("; ");
            finding(
                "team",
                How::Bad,
                format!("{state}: {problems}"),
                "ai-infra status",
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_say_what_to_do() {
        let findings = [
            finding("git", How::Good, "git version 2", ""),
            finding(
                "bwrap",
                How::Bad,
                "not\x1b found",
                "apt-get install bubblewrap",
            ),
        ];
        assert_eq!(
            text(&findings),
            "✓ git    git version 2\n✗ bwrap  not\\u{1b} found  → apt-get install bubblewrap\n"
        );
    }
}
