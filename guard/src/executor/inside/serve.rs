//! Which part answers which question.

use super::super::wire::{Ask, Hello, Reply};
use super::lifeline::Lifeline;
use super::program::Leash;
use super::{
    analyse, changes, commit, data, files, git, linters, outside, program, quick, repositories,
    search, snapshot, suites,
};
use crate::act::Operation;
use protocol::task::Ceiling;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longest run of an operation whose holder gave no bound.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Longest run of the executor's own git calls.
const UPKEEP: Duration = Duration::from_secs(580);

/// How an operation ended.
pub(super) struct Done {
    pub(super) is_error: bool,
    pub(super) text: String,
    pub(super) data: Value,
}

impl Done {
    /// It worked.
    pub(super) fn good(text: String, data: Value) -> Done {
        Done {
            is_error: false,
            text,
            data,
        }
    }

    /// It worked, and its data says everything; the text is the data, readable.
    pub(super) fn report(found: &impl Serialize) -> Result<Done, String> {
        let data = serde_json::to_value(found).map_err(|e| e.to_string())?;
        let text = serde_json::to_string_pretty(&data).map_err(|e| e.to_string())?;
        Ok(Done::good(text, data))
    }
}

/// Answers one question.
pub(super) fn answer(hello: &Hello, lifeline: &Lifeline, id: u64, ask: Ask) -> Reply {
    let leash = |most: Duration| Leash {
        lifeline,
        question: id,
        until: lifeline.frost.now() + most,
    };
    if let Some(why) = above(&ask, hello.most) {
        return Reply::Failed { why };
    }
    if hello.host && !matches!(&ask, Ask::Run { operation, .. } if operation.of_host()) {
        return Reply::Failed {
            why: "this sandbox looks at the host and does nothing else".to_owned(),
        };
    }
    if let Some(reach) = &hello.reach {
        return match ask {
            Ask::Run {
                operation,
                timeout_ms,
            } => {
                let most = Duration::from_millis(timeout_ms).min(LONGEST);
                ran(|| outside::run(&operation, reach, leash(most)))
            }
            _ => Reply::Failed {
                why: "this sandbox reaches outside and does nothing else".to_owned(),
            },
        };
    }
    match ask {
        Ask::Run {
            operation,
            timeout_ms,
        } => {
            let most = Duration::from_millis(timeout_ms).min(LONGEST);
            ran(|| operate(&operation, hello, leash(most)))
        }
        Ask::Before { operation } => Reply::Value {
            value: changes::before(&operation),
        },
        Ask::Probe { operation, before } => Reply::Probed {
            answer: changes::probe(&operation, &before),
        },
        Ask::Holds { path } => Reply::Text {
            text: changes::holds(&path),
        },
        Ask::Snapshot => text(snapshot::take(&hello.mounts, leash(UPKEEP))),
        Ask::Reset { tree } => {
            text(snapshot::reset(&tree, &hello.mounts, leash(UPKEEP)).map(|()| String::new()))
        }
        Ask::Patch { from, to } => text(snapshot::patch(&from, &to, leash(UPKEEP))),
        Ask::Apply { patch } => text(git::apply(&patch, leash(UPKEEP)).map(|()| String::new())),
    }
}

/// Why something is not done that is above what the task may do; `None` where it is not. Pure.
fn above(ask: &Ask, most: Ceiling) -> Option<String> {
    let Ask::Run { operation, .. } = ask else {
        return None;
    };
    let needed = operation.level().of_agent();
    if most.level < needed {
        let tool = operation.tool();
        return Some(format!(
            "{tool} needs level {needed} and this task has level {}",
            most.level
        ));
    }
    (operation.of_host() && !most.host_read)
        .then(|| "this task may not look at the host (`host.read`)".to_owned())
}

fn text(result: Result<String, String>) -> Reply {
    match result {
        Ok(text) => Reply::Text { text },
        Err(why) => Reply::Failed { why },
    }
}

fn ran(work: impl FnOnce() -> Result<Done, String>) -> Reply {
    let started = Instant::now();
    let done = work().unwrap_or_else(|why| Done {
        is_error: true,
        data: json!({ "error": why }),
        text: why,
    });
    Reply::Ran {
        is_error: done.is_error,
        text: done.text,
        data: done.data,
        took_ms: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
    }
}

fn operate(operation: &Operation, hello: &Hello, leash: Leash<'_>) -> Result<Done, String> {
    match operation {
        Operation::Read {
            path,
            offset,
            limit,
        } => files::read(path, *offset, *limit),
        Operation::Write { path, content } => changes::write(path, content),
        Operation::Edit {
            path,
            old,
            new,
            all,
        } => changes::edit(path, old, new, *all),
        Operation::Bash {
            argv,
            cwd,
            timeout_ms,
        } => {
            let leash = timeout_ms.map_or(leash, |ms| leash.shorter(Duration::from_millis(ms)));
            bash(argv, cwd, leash)
        }
        Operation::Glob { pattern, path } => search::glob(pattern, path, leash),
        Operation::Grep {
            pattern,
            path,
            glob,
            limit,
        } => search::grep(pattern, path, glob.as_deref(), *limit, leash),
        Operation::GitStatus => git::status(leash),
        Operation::GitDiff => git::diff(leash),
        Operation::Tests {
            suite,
            dir,
            only,
            timeout_s,
        } => suites::run(suite.as_deref(), dir.as_deref(), only, *timeout_s, leash),
        Operation::QuickChecks => quick::run(leash),
        Operation::Overview => analyse::overview(leash),
        Operation::AgentFiles => analyse::agent_files(),
        Operation::Secrets => analyse::secrets(),
        Operation::Marks => analyse::marks(),
        Operation::Dependencies => analyse::dependencies(),
        Operation::Unpushed => repositories::unpushed(leash),
        Operation::Branches { days } => repositories::branches(*days, leash),
        Operation::LargeFiles { least } => repositories::large(*least, leash),
        Operation::Changes { since } => repositories::changes(since.as_deref(), leash),
        Operation::Inventory => repositories::inventory(),
        Operation::Links => analyse::links(),
        Operation::Linters => linters::run(leash),
        Operation::Profile { path } => analyse::profile(path),
        Operation::HostFacts => analyse::host_facts(),
        Operation::DataScan { scan } => data::scan(scan, &BTreeMap::new(), leash),
        Operation::HostScan { scan } => analyse::host_scan(scan, hello),
        Operation::GitCommit {
            message,
            paths,
            key,
        } => commit::commit(message, paths, key, leash),
        Operation::GitPush { .. }
        | Operation::Forge { .. }
        | Operation::HttpRequest { .. }
        | Operation::SqlQuery { .. }
        | Operation::SqlExecute { .. }
        | Operation::BackupDatabase { .. }
        | Operation::TryBackup { .. }
        | Operation::CheckPage { .. }
        | Operation::HostCertificates { .. }
        | Operation::Duty { .. } => Err("this sandbox reaches nothing outside".to_owned()),
    }
}

fn bash(argv: &[String], cwd: &str, leash: Leash<'_>) -> Result<Done, String> {
    let program = program::Program {
        argv: argv.to_vec(),
        cwd: super::place::existing(cwd)?,
        env: Vec::new(),
        keep: protocol::limits::OUTPUT_BYTES,
    };
    let name = argv.first().map_or("", String::as_str);
    let ended = program.run(leash).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => {
            format!("there is no program `{name}` in the sandbox: install it on the host, or use another")
        }
        _ => format!("`{name}` cannot be started: {e}"),
    })?;
    let mut text = ended.stdout.clone();
    for part in [ended.stderr.trim_end(), &ending(&ended)] {
        if !part.is_empty() {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(part);
        }
    }
    Ok(Done {
        is_error: ended.exit != Some(0),
        text,
        data: json!({
            "exit": ended.exit,
            "stdout": ended.stdout,
            "stderr": ended.stderr,
            "timed_out": ended.timed_out,
            "truncated": ended.truncated,
        }),
    })
}

/// What to say about how a program ended; nothing when it ended well.
fn ending(ended: &program::Ended) -> String {
    match (ended.exit, ended.signal) {
        _ if ended.timed_out => {
            format!(
                "timed out after {:.1} s and was killed",
                ended.took.as_secs_f64()
            )
        }
        _ if ended.cancelled => "cancelled and killed".to_owned(),
        (Some(0), _) => String::new(),
        (Some(code), _) => format!("exit {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}
