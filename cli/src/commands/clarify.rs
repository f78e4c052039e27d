//! A request that leaves something open: asked on a terminal, and where nobody can type said with the
//! commands that answer it, exit code 3. Nothing was kept, so the answer is simply a better request.

use crate::args::RunArgs;
use crate::failure::Failure;
use crate::render::clarify as text;
use crate::render::text::safe;
use crate::terminal;
use protocol::document::DOCUMENT_VERSION;
use protocol::proposal::{Proposal, Wanted};
use serde_json::{Map, Value, json};
use std::io::{self, BufRead, IsTerminal, Read};
use supervisor::tmux::session::shell_word;

/// Longest answer read, in bytes.
const MOST: u64 = 8 * 1024;

/// The playbook and parameters that a person chose.
pub type Chosen = (String, Map<String, Value>);

/// Asks on the terminal. `None` where the person wants none of it.
///
/// # Errors
/// The question with the commands that answer it, where nobody can be asked.
pub fn answered(
    args: &RunArgs,
    message: &str,
    proposal: &Proposal,
    hints: &[String],
) -> Result<Option<Chosen>, Failure> {
    let tail = tail(args);
    if args.json {
        super::json(&json!({
            "version": DOCUMENT_VERSION, "state": "asks", "message": message, "asks": proposal,
            "commands": text::commands(proposal, &tail),
        }))?;
        return Err(open(message, Vec::new()));
    }
    if !can_ask() {
        let mut lines = text::commands(proposal, &tail);
        lines.extend(hints.iter().cloned());
        return Err(open(message, lines));
    }
    terminal::complain(&format!("{}\n", safe(message)));
    Ok(match proposal {
        Proposal::Several { candidates } => {
            terminal::complain(&text::candidates(candidates));
            let said = ask("its number, or Enter for none: ")?;
            let chosen = said.parse::<usize>().ok().and_then(|n| n.checked_sub(1));
            let named = |name: &str| candidates.iter().position(|c| c.playbook == name);
            chosen
                .or_else(|| named(&said))
                .and_then(|at| candidates.get(at))
                .map(|choice| (choice.playbook.clone(), choice.params.clone()))
        }
        Proposal::Missing {
            playbook,
            params,
            wanted,
            ..
        } => typed(wanted, params.clone())?.map(|params| (playbook.clone(), params)),
        Proposal::Ready(_) | Proposal::Talk(_) | Proposal::NoWay { .. } => None,
    })
}

/// Each missing parameter as typed; `None` as soon as one is left empty.
fn typed(
    missing: &[Wanted],
    mut params: Map<String, Value>,
) -> Result<Option<Map<String, Value>>, Failure> {
    for wanted in missing {
        let said = ask(&text::prompt(wanted))?;
        if said.is_empty() {
            return Ok(None);
        }
        params.insert(wanted.name.clone(), Value::String(said));
    }
    Ok(Some(params))
}

/// Whether somebody sits there who can be asked.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks on the terminal; the answer without blanks around it.
///
/// # Errors
/// When nothing can be read.
pub fn ask(prompt: &str) -> Result<String, Failure> {
    terminal::complain(prompt);
    let mut said = String::new();
    let read = io::stdin().lock().take(MOST).read_line(&mut said);
    match read {
        Ok(0) => terminal::complain("\n"),
        Ok(_) => {}
        Err(error) => return Err(Failure::usage(format!("no answer was read: {error}"))),
    }
    Ok(said.trim().to_owned())
}

fn open(message: &str, hints: Vec<String>) -> Failure {
    Failure {
        exit: protocol::exit::WAITS,
        message: message.to_owned(),
        hints,
    }
}

/// The flags of the first try that the answer needs again.
fn tail(args: &RunArgs) -> String {
    let folder = args.workspace.as_ref();
    let folder = folder.map(|dir| format!("--workspace {}", shell_word(&dir.to_string_lossy())));
    let host = (args.host.as_ref()).map(|host| format!("--host {}", shell_word(host)));
    let files = args.attach.iter();
    let files = files.map(|file| format!("--attach {}", shell_word(&file.to_string_lossy())));
    let secrets = args.even_secrets.then(|| "--even-secrets".to_owned());
    (folder.into_iter().chain(host))
        .chain(files)
        .chain(secrets)
        .collect::<Vec<_>>()
        .join(" ")
}
