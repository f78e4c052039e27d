//! Bash: a command line for a shell, or an argument list for no shell at all.

use super::{PlanError, input, paths, wrong};
use crate::act::Operation;
use serde::Deserialize;
use serde_json::Value;

const COMMAND_BYTES: usize = 64 * 1024;
const MOST_ARGUMENTS: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BashInput {
    command: Option<String>,
    argv: Option<Vec<String>>,
    timeout: Option<u64>,
    cwd: Option<String>,
    /// For people only; engines like to send it.
    #[serde(rename = "description")]
    _description: Option<String>,
}

pub(super) fn bash(value: &Value) -> Result<Operation, PlanError> {
    let given: BashInput = input("Bash", value)?;
    let argv = match (given.command, given.argv) {
        (Some(command), None) => vec!["bash".to_owned(), "-c".to_owned(), command],
        (None, Some(argv)) => argv,
        _ => {
            return Err(wrong(
                "Bash",
                "give one of `command` (a string) and `argv` (a list)",
            ));
        }
    };
    check_argv(&argv)?;
    Ok(Operation::Bash {
        argv,
        cwd: paths::clean_or_root(given.cwd.as_deref())?,
        timeout_ms: given.timeout.map(|ms| ms.max(1)),
    })
}

fn check_argv(argv: &[String]) -> Result<(), PlanError> {
    if argv.first().is_none_or(|program| program.is_empty()) {
        return Err(wrong("Bash", "the program's name is empty"));
    }
    if argv.len() > MOST_ARGUMENTS || argv.iter().map(String::len).sum::<usize>() > COMMAND_BYTES {
        return Err(wrong(
            "Bash",
            "the command is larger than 64 kB: put it in a file",
        ));
    }
    if argv.iter().any(|argument| argument.contains('\0')) {
        return Err(wrong("Bash", "an argument holds a NUL byte"));
    }
    Ok(())
}
