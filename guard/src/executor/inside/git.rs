//! Git on the clone: read with hooks, monitors and filters off. Also applying a patch.

use super::program::{Ended, Leash, Program};
use super::serve::Done;
use inspect::git::{DIFF, LOG, STATUS, parse_diff, parse_log, parse_status};
use std::io::Write;

/// Nothing that a repository's own configuration could start.
pub(super) const QUIET: [&str; 10] = [
    "-c",
    "core.hooksPath=/dev/null",
    "-c",
    "core.fsmonitor=false",
    "-c",
    "core.pager=cat",
    "-c",
    "core.quotePath=false",
    "-c",
    "gc.auto=0",
];

/// Bytes of git's output that are read.
const KEEP: usize = 4 * 1024 * 1024;

/// One of git's reading commands, as it is run in the workspace.
pub(super) fn program(command: &[&str]) -> Result<Program, String> {
    let (git, rest) = command.split_first().ok_or("no git command")?;
    let mut argv = vec![*git];
    argv.extend(QUIET);
    argv.extend(rest);
    let mut program = Program::new(&argv);
    program.keep = KEEP;
    program.env = vec![
        ("GIT_OPTIONAL_LOCKS".into(), "0".into()),
        ("GIT_CEILING_DIRECTORIES".into(), "/".into()),
    ];
    Ok(program)
}

/// Runs one of git's reading commands in the workspace, writing nothing.
fn ask(command: &[&str], leash: Leash<'_>) -> Result<Ended, String> {
    program(command)?
        .run(leash)
        .map_err(|e| format!("git cannot be started: {e}"))
}

pub(super) fn status(leash: Leash<'_>) -> Result<Done, String> {
    let ended = ask(STATUS, leash)?;
    Done::report(&parse_status(ended.exit, &ended.stdout))
}

pub(super) fn diff(leash: Leash<'_>) -> Result<Done, String> {
    let ended = ask(DIFF, leash)?;
    if ended.exit != Some(0) {
        return Err(format!(
            "git cannot compare with the last commit: {}",
            ended.stderr.trim()
        ));
    }
    let found = parse_diff(&ended.stdout);
    let text = match found.patch.is_empty() {
        true => "nothing differs from the last commit".to_owned(),
        false => found.patch.clone(),
    };
    let data = serde_json::to_value(&found).map_err(|e| e.to_string())?;
    Ok(Done::good(text, data))
}

/// The newest commit, where plain files do not tell.
pub(super) fn newest(leash: Leash<'_>) -> Option<inspect::git::Commit> {
    let ended = ask(LOG, leash).ok()?;
    (ended.exit == Some(0)).then(|| parse_log(&ended.stdout))?
}

/// Applies a patch to the workspace: git checks all of it before it writes anything.
pub(super) fn apply(patch: &str, leash: Leash<'_>) -> Result<(), String> {
    let mut file = tempfile::NamedTempFile::new().map_err(|e| e.to_string())?;
    file.write_all(patch.as_bytes())
        .map_err(|e| e.to_string())?;
    let path = file.path().to_string_lossy().into_owned();
    let ended = ask(&["git", "apply", "--whitespace=nowarn", &path], leash)?;
    match ended.exit {
        Some(0) => Ok(()),
        _ => Err(ended.stderr.trim().replace("error: ", "")),
    }
}
