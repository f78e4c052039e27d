//! `backup key`: the recovery key, for the copy that a person keeps where this machine is not.

use super::key_file;
use crate::context::Context;
use crate::failure::Failure;
use crate::terminal;
use backup::history::History;
use backup::key::RecoveryKey;

/// Shows it.
pub fn show(context: &Context) -> Result<u8, Failure> {
    let settings = context.settings()?;
    let file = key_file(context, &settings)?;
    let Some(key) = RecoveryKey::read(&file)? else {
        return Err(
            Failure::usage(format!("there is no recovery key at {}", file.display()))
                .hint("the first backup makes it: ai-infra backup run"),
        );
    };
    terminal::complain(&format!(
        "the recovery key, from {}: keep a copy where this machine is not. Whoever has it and the backups\nhas everything back, without it nobody can read them\n",
        file.display()
    ));
    terminal::line(&key.reveal());
    let folder = context.home.backup();
    if History::load(&folder).key_unseen {
        History::change(&folder, |history| history.key_unseen = false)?;
    }
    Ok(protocol::exit::DONE)
}
