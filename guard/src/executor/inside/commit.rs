//! A commit in the clone, once for its key: the key is a trailer of the message, and a commit that
//! carries it is looked for first.

use super::git::QUIET;
use super::locks;
use super::place;
use super::program::{Leash, Program};
use super::serve::Done;
use serde_json::json;

/// The trailer's name.
const TRAILER: &str = "Ai-Infra-Key";
/// Who commits.
const NAME: &str = "ai-infra";
const MAIL: &str = "ai-infra@localhost";

pub(super) fn commit(
    message: &str,
    paths: &[String],
    key: &str,
    leash: Leash<'_>,
) -> Result<Done, String> {
    let trailer = format!("{TRAILER}: {key}");
    let grep = format!("--grep=^{trailer}$");
    let found = git(&["log", "-n", "1", "--format=%H", "--all", &grep], leash);
    // A repository without a commit has none with the key either.
    if let Ok(hash) = found
        && !hash.trim().is_empty()
    {
        return Ok(told(hash.trim(), true));
    }
    // What was left by a call that was cut off.
    locks::clear(&place::root().join(".git"))
        .map_err(|e| format!("a lock of git's is in the way: {e}"))?;
    let mut add = vec!["add", "--all", "--"];
    match paths {
        [] => add.push("."),
        some => add.extend(some.iter().map(String::as_str)),
    }
    git(&add, leash)?;
    let whole = format!("{message}\n\n{trailer}\n");
    git(
        &[
            "commit",
            "--quiet",
            "--no-verify",
            "--no-gpg-sign",
            "-m",
            &whole,
        ],
        leash,
    )?;
    let hash = git(&["rev-parse", "HEAD"], leash)?;
    Ok(told(hash.trim(), false))
}

fn told(hash: &str, before: bool) -> Done {
    let text = match before {
        true => format!("commit {hash}, made before the interruption"),
        false => format!("commit {hash}"),
    };
    Done::good(text, json!({"commit": hash, "before": before}))
}

fn git(command: &[&str], leash: Leash<'_>) -> Result<String, String> {
    let mut argv = vec!["git"];
    argv.extend(QUIET);
    argv.extend(command);
    let mut program = Program::new(&argv);
    program.env = [
        ("GIT_CEILING_DIRECTORIES", "/"),
        ("GIT_AUTHOR_NAME", NAME),
        ("GIT_AUTHOR_EMAIL", MAIL),
        ("GIT_COMMITTER_NAME", NAME),
        ("GIT_COMMITTER_EMAIL", MAIL),
    ]
    .map(|(name, value)| (name.into(), value.into()))
    .into();
    let ended = program
        .run(leash)
        .map_err(|e| format!("git cannot be started: {e}"))?;
    match ended.exit {
        Some(0) => Ok(ended.stdout),
        _ => {
            let said = format!("{}{}", ended.stderr, ended.stdout);
            Err(format!("git does not commit: {}", said.trim()))
        }
    }
}
