//! What the shell offers at Tab: commands and flags from the grammar, and names from what is there:
//! tasks, workspaces and hosts from the running team, agents, playbooks, schedules, jobs, secrets, memories and snapshots
//! from the home's files. A shell waits while this runs: whatever does not answer at once offers nothing.

mod kept;

use crate::args::{Args, ShellName};
use crate::commands::playbook::name_of;
use crate::context::Context;
use crate::render::text::{one_line, safe};
use clap::{Arg, Command, CommandFactory};
use clap_complete::CompleteEnv;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::Shells;
use pai::playbook::Playbook;
use protocol::control::{Answer, Verb};
use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;
use supervisor::client;
use tokio::time::timeout;

/// The variable by which a shell's script asks.
const VARIABLE: &str = "AI_INFRA_COMPLETE";
/// Longest wait for the team.
const PATIENCE: Duration = Duration::from_millis(400);
/// Most tasks offered, newest first.
const TASKS: usize = 50;
/// Longest help beside a name, in characters.
const LONGEST: usize = 60;

/// The folder of `--home` in the line that is being completed.
static HOME: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Kinds of names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Names {
    Tasks,
    Agents,
    Playbooks,
    Workspaces,
    Schedules,
    Jobs,
    Secrets,
    Hosts,
    DeadLetters,
    Memories,
    Snapshots,
}

/// Which names an argument takes: by its command (`*`: any) and its id.
const TAKES: [(&str, &str, Names); 24] = [
    ("*", "task", Names::Tasks),
    ("*", "agent", Names::Agents),
    ("*", "agents", Names::Agents),
    ("agents show", "name", Names::Agents),
    ("agents pause", "name", Names::Agents),
    ("agents resume", "name", Names::Agents),
    ("agents restart", "name", Names::Agents),
    ("*", "playbook", Names::Playbooks),
    ("playbook show", "name", Names::Playbooks),
    ("workspace forget", "name", Names::Workspaces),
    ("schedule show", "name", Names::Schedules),
    ("schedule run", "name", Names::Schedules),
    ("schedule pause", "name", Names::Schedules),
    ("schedule resume", "name", Names::Schedules),
    ("backup run", "name", Names::Jobs),
    ("backup list", "name", Names::Jobs),
    ("backup verify", "name", Names::Jobs),
    ("backup restore", "name", Names::Jobs),
    ("backup restore", "at", Names::Snapshots),
    ("memory show", "id", Names::Memories),
    ("memory forget", "id", Names::Memories),
    ("secret set", "name", Names::Secrets),
    ("host remove", "name", Names::Hosts),
    ("dead", "id", Names::DeadLetters),
];

/// Answers the shell, where it is one that asks.
pub fn answered() -> bool {
    let words = || std::env::args_os();
    let env = CompleteEnv::with_factory(|| {
        let _ = HOME.set(home_of(words()));
        furnished(Args::command(), "")
    });
    let folder = std::env::current_dir().ok();
    let answered = env.var(VARIABLE).try_complete(words(), folder.as_deref());
    // A shell has no place for a sentence.
    answered.unwrap_or(true)
}

/// The script of a shell. It calls the program by its name, as the person does.
pub fn script(shell: ShellName) -> std::io::Result<String> {
    let (name, end) = match shell {
        ShellName::Bash => ("bash", ""),
        // Found in `fpath` it is the function itself, the first time.
        ShellName::Zsh => (
            "zsh",
            "[[ ${funcstack[1]} = _ai-infra ]] && _clap_dynamic_completer_ai_infra \"$@\"\n",
        ),
        ShellName::Fish => ("fish", ""),
    };
    let shells = Shells::builtins();
    let Some(writer) = shells.completer(name) else {
        return Err(std::io::Error::other(format!("{name} is not served")));
    };
    let mut script = Vec::new();
    writer.write_registration(VARIABLE, "ai-infra", "ai-infra", "ai-infra", &mut script)?;
    Ok(String::from_utf8_lossy(&script).into_owned() + end)
}

/// The value of `--home` among the words that follow `--`.
fn home_of(words: impl Iterator<Item = OsString>) -> Option<PathBuf> {
    let mut words = words.skip_while(|word| word != "--").skip(1);
    while let Some(word) = words.next() {
        if word == "--home" {
            return words.next().map(PathBuf::from);
        }
        if let Some(folder) = word.to_str().and_then(|word| word.strip_prefix("--home=")) {
            return Some(PathBuf::from(folder));
        }
    }
    None
}

/// The grammar with names where names are taken.
fn furnished(command: Command, path: &str) -> Command {
    let inner: Vec<String> = command
        .get_subcommands()
        .map(|inner| inner.get_name().to_owned())
        .collect();
    let mut command = command.mut_args(|argument| match takes(path, argument.get_id().as_str()) {
        Some(names) => offering(argument, names),
        None => argument,
    });
    for name in inner {
        let path = format!("{path} {name}").trim().to_owned();
        command = command.mut_subcommand(&name, |inner| furnished(inner, &path));
    }
    command
}

fn takes(path: &str, argument: &str) -> Option<Names> {
    // Who writes a log is not only an agent, and whoever runs one is not asked for.
    if matches!(path, "agent" | "logs") && argument != "task" {
        return None;
    }
    let fits = |of: &str| {
        of == "*" || of == path || path.strip_prefix(of).is_some_and(|p| p.starts_with(' '))
    };
    let found = TAKES.iter().find(|(of, id, _)| *id == argument && fits(of));
    found.map(|(_, _, names)| *names)
}

fn offering(argument: Arg, names: Names) -> Arg {
    argument.add(ArgValueCandidates::new(move || {
        let found = found(names).unwrap_or_default();
        let candidate = |(at, (name, help)): (usize, (String, String))| {
            let help = one_line(&help, LONGEST);
            CompletionCandidate::new(safe(&name))
                .help((!help.is_empty()).then(|| help.into()))
                .display_order(Some(at))
        };
        found.into_iter().enumerate().map(candidate).collect()
    }))
}

/// Names with what each is; nothing where it cannot be known.
fn found(names: Names) -> Option<Vec<(String, String)>> {
    let context = Context::new(HOME.get().cloned().flatten().as_deref()).ok()?;
    let home = &context.home;
    let plain = |name: String| (name, String::new());
    Some(match names {
        Names::Tasks => match ask(&context, Verb::TaskList { limit: TASKS })? {
            Answer::Tasks { tasks } => tasks
                .into_iter()
                .map(|task| {
                    let help = format!("{}: {}", task.state, task.request);
                    (task.short_id.to_string(), help)
                })
                .collect(),
            _ => return None,
        },
        Names::Workspaces => match ask(&context, Verb::WorkspaceList)? {
            Answer::Workspaces { workspaces } => {
                workspaces.into_iter().map(|w| (w.name, w.path)).collect()
            }
            _ => return None,
        },
        Names::Hosts => match ask(&context, Verb::Status)? {
            Answer::Status { status } => {
                let hosts = status.hosts.into_iter();
                hosts.map(|host| (host.name, host.state)).collect()
            }
            _ => return None,
        },
        Names::DeadLetters => match ask(&context, Verb::DeadList { limit: TASKS })? {
            Answer::DeadLetters { letters } => {
                letters.into_iter().map(|l| (l.id, l.reason)).collect()
            }
            _ => return None,
        },
        Names::Agents => config::agents::texts(home, None, &mut Vec::new())
            .into_iter()
            .map(|text| (text.settings.name.to_string(), text.settings.description))
            .collect(),
        Names::Playbooks => {
            let all = config::playbooks::all(home).ok()?;
            all.iter()
                .map(|(origin, text)| {
                    let about = Playbook::parse(text).map(|book| book.description);
                    (name_of(origin).to_owned(), about.unwrap_or_default())
                })
                .collect()
        }
        Names::Schedules => kept::schedules(home),
        Names::Memories => kept::memories(home),
        Names::Snapshots => kept::snapshots(home),
        Names::Jobs => {
            let jobs = context.settings().ok()?.backup.jobs;
            let what = |(name, job): (String, config::backup::BackupJob)| {
                (name, job.what.as_str().to_owned())
            };
            jobs.into_iter().map(what).collect()
        }
        Names::Secrets => {
            let mut all: Vec<String> = config::secret::names().map(str::to_owned).collect();
            all.extend(config::secret::list(home).ok()?);
            all.sort();
            all.dedup();
            all.into_iter().map(plain).collect()
        }
    })
}

fn ask(context: &Context, verb: Verb) -> Option<Answer> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(async {
        let asked = timeout(PATIENCE, client::ask(&context.home, verb)).await;
        asked.ok()?.ok()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    /// Positions that take a name and offer none, and why.
    const NOT_OFFERED: [&str; 8] = [
        "run host",
        "host invite name",
        "schedule add name",
        "workspace add name",
        "workspace add host",
        "agent name",
        "try-as-agent name",
        "supervisor name",
    ];

    fn bare(command: &Command, path: &str, found: &mut Vec<String>) {
        for argument in command.get_arguments() {
            let id = argument.get_id().as_str();
            let names = matches!(
                id,
                "name" | "task" | "agent" | "agents" | "id" | "playbook" | "host"
            );
            let told = format!("{path} {id}");
            let offers = argument.get::<ArgValueCandidates>().is_some();
            if names && !offers && path != "logs" && !NOT_OFFERED.contains(&told.as_str()) {
                found.push(told);
            }
        }
        for inner in command.get_subcommands() {
            bare(inner, format!("{path} {}", inner.get_name()).trim(), found);
        }
    }

    #[test]
    fn whatever_takes_a_name_offers_names() {
        let mut found = Vec::new();
        bare(&furnished(Args::command(), ""), "", &mut found);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn the_home_is_that_of_the_line() {
        for (line, home) in [
            ("x -- ai-infra --home /a task show", Some("/a")),
            ("x -- ai-infra task --home=/b show", Some("/b")),
            ("x --home /c -- ai-infra task", None),
            ("x -- ai-infra task --home", None),
        ] {
            let words = line.split(' ').map(OsString::from);
            assert_eq!(home_of(words), home.map(PathBuf::from), "{line}");
        }
    }
}
