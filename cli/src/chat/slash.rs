//! The `/` commands: one table for their help, their completion and their meaning. Most are the
//! commands of the command line in fewer letters, and are carried out by the same code.

use super::attach::Attach;
use protocol::ids::{Role, ShortId, TaskRef};

/// What follows a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// A task; the newest where it is left out.
    Task,
    /// A task or an agent.
    TaskOrAgent,
    /// A path; the rest of the line.
    Path,
    /// Paths, each a word.
    Paths,
    /// A playbook.
    Playbook,
    /// Words of its own.
    Words,
}

/// One command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slash {
    /// Without the slash.
    pub name: &'static str,
    /// What follows, for people.
    pub usage: &'static str,
    /// What follows, for completion.
    pub takes: Takes,
    /// What it does, a line.
    pub about: &'static str,
}

const fn slash(
    name: &'static str,
    usage: &'static str,
    takes: Takes,
    about: &'static str,
) -> Slash {
    Slash {
        name,
        usage,
        takes,
        about,
    }
}

/// Every command, in the order of the help.
pub const ALL: &[Slash] = &[
    slash("help", "[COMMAND]", Takes::Words, "this page"),
    slash(
        "status",
        "",
        Takes::Nothing,
        "how the team is, and what waits for you",
    ),
    slash("tasks", "[HOW-MANY]", Takes::Words, "the newest tasks"),
    slash(
        "show",
        "[TASK]",
        Takes::Task,
        "one task whole: evidence, calls, cost",
    ),
    slash(
        "follow",
        "[TASK]",
        Takes::Task,
        "show here what a task does, until it rests",
    ),
    slash(
        "diff",
        "[TASK]",
        Takes::Task,
        "the change a task made in its clone",
    ),
    slash(
        "apply",
        "[TASK]",
        Takes::Task,
        "take that change into your folder",
    ),
    slash("discard", "[TASK]", Takes::Task, "throw that change away"),
    slash("cancel", "[TASK]", Takes::Task, "stop a task"),
    slash(
        "retry",
        "[TASK]",
        Takes::Task,
        "do an ended task again, as a new one",
    ),
    slash(
        "answer",
        "[TASK] ANSWER",
        Takes::Task,
        "answer the question of a task that waits",
    ),
    slash(
        "budget",
        "[TASK] USD",
        Takes::Task,
        "what a task may cost from now on",
    ),
    slash(
        "rate",
        "[TASK] 1-10",
        Takes::Task,
        "how good a result was; a number alone: the last",
    ),
    slash(
        "approvals",
        "[TICKET]",
        Takes::Words,
        "what waits for your leave, or one of them whole",
    ),
    slash(
        "approve",
        "TICKET FOUR",
        Takes::Nothing,
        "say yes to it: once, and only this; asks your PIN",
    ),
    slash("deny", "TICKET [WHY]", Takes::Nothing, "say no to it"),
    slash("agents", "", Takes::Nothing, "the agents and what they do"),
    slash(
        "pause",
        "TASK|AGENT",
        Takes::TaskOrAgent,
        "let a task wait, or an agent take nothing new",
    ),
    slash("resume", "TASK|AGENT", Takes::TaskOrAgent, "let it go on"),
    slash(
        "freeze",
        "",
        Takes::Nothing,
        "stop every effect of the team at once",
    ),
    slash("thaw", "", Takes::Nothing, "let a frozen team go on"),
    slash(
        "costs",
        "",
        Takes::Nothing,
        "what models cost, and what is left of the month",
    ),
    slash(
        "workspace",
        "[DIR]",
        Takes::Path,
        "the folder that requests are about",
    ),
    slash(
        "attach",
        "[FILE …]",
        Takes::Paths,
        "files for your next request; `none` drops them",
    ),
    slash(
        "playbooks",
        "",
        Takes::Nothing,
        "what works without a model",
    ),
    slash(
        "playbook",
        "NAME",
        Takes::Playbook,
        "the text of one playbook",
    ),
    slash(
        "memory",
        "WORDS",
        Takes::Words,
        "what the team remembers about them",
    ),
    slash(
        "doctor",
        "",
        Takes::Nothing,
        "what is missing on this machine",
    ),
    slash(
        "quit",
        "",
        Takes::Nothing,
        "leave; the team goes on (Ctrl-D does the same)",
    ),
];

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Deed {
    /// The same as this command line.
    Cli(Vec<String>),
    /// The same, and what the task does then is shown here.
    CliAndFollow(Vec<String>, TaskRef),
    /// The help, of one command or of all.
    Help(Option<&'static Slash>),
    /// Show what a task does.
    Follow(TaskRef),
    /// Do a task again, and show it.
    Retry(TaskRef),
    /// Answer a question; the task is the one that asks, where it is left out.
    Answer(Option<TaskRef>, String),
    /// Say or set the folder.
    Workspace(Option<String>),
    /// Say which files go with the next request, take more, or drop them.
    Attach(Attach),
    /// Answer a ticket: only the keyboard can.
    Leave,
    /// Leave.
    Quit,
}

/// Whether a line is meant as a command: a path is not.
pub fn is_slash(line: &str) -> bool {
    let word = line.trim_start().strip_prefix('/');
    let word = word.and_then(|rest| rest.split_whitespace().next());
    word.is_some_and(|word| !word.contains('/') && !word.contains('.'))
}

/// A task as people type it: `t12`, `@t12`, `12`, or its uuid.
pub fn task(word: &str) -> Option<TaskRef> {
    let word = word.trim_start_matches('@');
    match word.parse::<u64>() {
        Ok(number) => Some(TaskRef::Short(ShortId(number))),
        Err(_) => word.parse().ok(),
    }
}

/// What a `/` line asks for. `newest` is the task meant where none is named.
///
/// # Errors
/// A sentence with the next step.
pub fn deed(line: &str, newest: Option<ShortId>) -> Result<Deed, String> {
    let line = line.trim().trim_start_matches('/');
    let (name, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    let name = match name {
        "?" | "h" | "" => "help",
        "exit" | "q" | "bye" => "quit",
        "ws" | "cd" => "workspace",
        name => name,
    };
    let Some(known) = ALL.iter().find(|slash| slash.name == name) else {
        return Err(unknown(name));
    };
    let words = || -> Result<Vec<String>, String> {
        shlex::split(rest).ok_or_else(|| format!("a quote is not closed in: {rest}"))
    };
    let which = |word: &str| task(word).ok_or_else(|| no_task(word, known));
    let one_task = || match rest {
        "" => newest
            .map(TaskRef::Short)
            .ok_or_else(|| format!("there is no task yet: /{} t12", known.name)),
        word => which(word),
    };
    let cli = |words: &[&str]| Ok(Deed::Cli(words.iter().map(|w| (*w).to_owned()).collect()));
    let of_task = |verb: &str| {
        let task = one_task()?;
        cli(&["task", verb, &task.to_string()])
    };
    match known.name {
        "help" => match rest.trim_start_matches('/') {
            "" => Ok(Deed::Help(None)),
            word => match ALL.iter().find(|slash| slash.name == word) {
                Some(slash) => Ok(Deed::Help(Some(slash))),
                None => Err(unknown(word)),
            },
        },
        "status" | "doctor" | "freeze" | "thaw" | "costs" => cli(&[known.name]),
        "tasks" => match rest {
            "" => cli(&["task", "list"]),
            many => cli(&["task", "list", "--limit", many]),
        },
        "show" | "diff" | "apply" | "discard" | "cancel" => of_task(known.name),
        "follow" => one_task().map(Deed::Follow),
        "retry" => one_task().map(Deed::Retry),
        "answer" => answer(rest, known),
        "approve" | "deny" => Ok(Deed::Leave),
        "approvals" if rest.is_empty() => cli(&["approvals", "list"]),
        "approvals" => cli(&["approvals", "show", rest]),
        "budget" => {
            let (first, usd) = rest.split_once(char::is_whitespace).unwrap_or(("", rest));
            let task = match (first, newest) {
                ("", Some(newest)) => newest.to_string(),
                ("", None) => return Err("there is no task yet: /budget t12 3.00".to_owned()),
                (first, _) => which(first)?.to_string(),
            };
            match usd.trim() {
                "" => Err("say how much: /budget 3.00, or /budget t12 3.00".to_owned()),
                usd => cli(&["task", "budget", &task, usd]),
            }
        }
        "rate" => {
            let words = words()?;
            match words.as_slice() {
                [number] if number.parse::<u8>().is_ok() => {
                    let last = newest.ok_or("there is no result to rate yet")?;
                    cli(&["task", "rate", &last.to_string(), number])
                }
                [task, number, remark @ ..] => {
                    let task = which(task)?.to_string();
                    let mut line = vec!["task", "rate", &task, number];
                    let remark = remark.join(" ");
                    if !remark.is_empty() {
                        line.extend(["--text", &remark]);
                    }
                    cli(&line)
                }
                _ => Err("say how good it was, from 1 to 10: /rate 8, or /rate t12 8".to_owned()),
            }
        }
        "agents" => cli(&["agents", "list"]),
        "pause" | "resume" => match (rest, task(rest), rest.parse::<Role>()) {
            ("", _, _) => Err(format!("say what: /{} t12, or /{0} code", known.name)),
            (_, Some(task), _) if known.name == "resume" => {
                let words = ["task", "resume", &task.to_string()].map(str::to_owned);
                Ok(Deed::CliAndFollow(words.to_vec(), task))
            }
            (_, Some(task), _) => cli(&["task", "pause", &task.to_string()]),
            (_, None, Ok(_)) => cli(&["agents", known.name, rest]),
            (_, None, Err(_)) => Err(format!("`{rest}` is neither a task nor an agent")),
        },
        "workspace" => Ok(Deed::Workspace(some(rest))),
        "attach" => Ok(Deed::Attach(match words()?.as_slice() {
            [] => Attach::Say,
            [one] if one == "none" => Attach::Drop,
            all => Attach::Take(all.to_vec()),
        })),
        "playbooks" => cli(&["playbook", "list"]),
        "playbook" if rest.is_empty() => Err("say which: /playbook NAME, or /playbooks".to_owned()),
        "playbook" => cli(&["playbook", "show", rest]),
        "memory" if rest.is_empty() => Err("say what about: /memory WORDS".to_owned()),
        "memory" => cli(&["memory", "search", rest]),
        _ => Ok(Deed::Quit),
    }
}

fn some(rest: &str) -> Option<String> {
    (!rest.is_empty()).then(|| rest.to_owned())
}

fn answer(rest: &str, known: &Slash) -> Result<Deed, String> {
    let (first, words) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let named = match first.trim_start_matches('@').starts_with('t') {
        true => task(first),
        false => None,
    };
    let (task, words) = match named {
        Some(task) => (Some(task), words.trim()),
        None => (None, rest),
    };
    match words {
        "" => Err(format!("say the answer: /{} {}", known.name, known.usage)),
        words => Ok(Deed::Answer(task, words.to_owned())),
    }
}

fn no_task(word: &str, known: &Slash) -> String {
    format!("`{word}` is no task: /{} t12", known.name)
}

fn unknown(name: &str) -> String {
    let near = ALL
        .iter()
        .map(|slash| (strsim::jaro_winkler(slash.name, name), slash.name))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((score, near)) if score > 0.75 => {
            format!("there is no /{name}: did you mean /{near}?")
        }
        _ => format!("there is no /{name}: /help shows what there is"),
    }
}

#[cfg(test)]
mod tests;
