//! Whether a signature is that of somebody whom the owner of this host named: ssh-keygen says so, by the owner's file of
//! allowed signers, at this moment. The signature is a stranger's text until then, so it is looked at here and not by
//! the warden.

use crate::Refused;
use crate::program::{Program, run_on};
use protocol::duty::order::{End, Outcome, Signed};
use serde_json::json;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

/// Longest run of ssh-keygen.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest signature, in bytes: the largest keys make some 1,500.
const SIGNATURE: usize = 16 * 1024;

/// Says whose signature it is; [`End::Not`] where it is nobody's who counts.
pub async fn verified(asked: &Signed) -> Outcome {
    match look(asked).await {
        Ok((principal, key)) => {
            let data = json!({"principal": principal, "key": key});
            Outcome::of(End::Done, format!("signed by {principal}"), data)
        }
        Err(Refused(why)) => Outcome::not(why),
    }
}

async fn look(asked: &Signed) -> Result<(String, String), Refused> {
    if asked.signature.len() > SIGNATURE {
        return Err("that is no signature: it is too long".into());
    }
    let signers = owned(&asked.signers)?;
    let revoked = asked.revoked.as_deref().map(owned).transpose()?;
    let folder = tempfile::tempdir().map_err(no_room)?;
    let (signature, text) = (folder.path().join("sig"), folder.path().join("text"));
    fs::write(&signature, &asked.signature).map_err(no_room)?;
    fs::write(&text, &asked.text).map_err(no_room)?;
    let (signers, signature) = (
        signers.display().to_string(),
        signature.display().to_string(),
    );
    let find = ["-Y", "find-principals", "-s", &signature, "-f", &signers];
    let found = run_on(Program::SshKeygen, &find, &[], PATIENCE, Stdio::null()).await?;
    let principal = found.out.trim();
    if !found.good || principal.is_empty() {
        return Err(format!(
            "that is the signature of nobody whom {signers} names now: {}",
            found.why()
        )
        .into());
    }
    if principal.contains(['*', '?', '!', ',', '\n']) {
        return Err(format!(
            "{signers} names several with one key ({}): a line of its own for each",
            protocol::text::one_line(principal, 100)
        )
        .into());
    }
    let mut verify = vec!["-Y", "verify", "-f", &signers, "-I", principal];
    verify.extend(["-n", &asked.namespace, "-s", &signature]);
    let revoked = revoked.map(|path| path.display().to_string());
    if let Some(revoked) = &revoked {
        verify.extend(["-r", revoked]);
    }
    let text = Stdio::from(File::open(&text).map_err(no_room)?);
    let said = run_on(Program::SshKeygen, &verify, &[], PATIENCE, text).await?;
    if !said.good {
        return Err(format!("the signature does not hold for this: {}", said.why()).into());
    }
    let key = said.out.split_once(" with ").map_or("", |(_, key)| key);
    Ok((
        protocol::text::one_line(principal, 100),
        protocol::text::one_line(key, 120),
    ))
}

/// A file that nobody but root and the owner of this home can have written.
fn owned(path: &str) -> Result<PathBuf, Refused> {
    let path = Path::new(path);
    let shown = path.display();
    let seen = fs::metadata(path).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    let me = nix::unistd::geteuid().as_raw();
    let folder = path.parent().and_then(|folder| fs::metadata(folder).ok());
    let open = |meta: &fs::Metadata| {
        ![0, me].contains(&meta.uid()) || meta.mode() & 0o022 != 0 && meta.mode() & 0o1000 == 0
    };
    if !path.is_absolute()
        || !seen.is_file()
        || open(&seen)
        || folder.is_none_or(|meta| open(&meta))
    {
        return Err(format!(
            "{shown} is not taken: it must be an absolute path to a file that only root and the owner of this home can write, in such a folder"
        )
        .into());
    }
    Ok(path.to_owned())
}

fn no_room(error: std::io::Error) -> Refused {
    format!("the signature cannot be looked at: {error}").into()
}
