//! A person's word signed by a key: with ssh-keygen, here, or a signature that was made elsewhere. The key stays where it is.

use crate::args::Proof;
use crate::failure::Failure;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use warden::tickets::signed::NAMESPACE;

/// Longest signature, in bytes.
const LONGEST: u64 = 16 * 1024;

/// The signature of a text, where one was asked for.
pub fn signature(proof: &Proof, text: &str) -> Result<Option<String>, Failure> {
    match (&proof.sign, &proof.signature) {
        (Some(key), _) => sign(key, text).map(Some),
        (None, Some(file)) => read(file).map(Some),
        (None, None) => Ok(None),
    }
}

fn sign(key: &Path, text: &str) -> Result<String, Failure> {
    let shown = key.display();
    let failed = |why: String| {
        Failure::usage(format!("nothing was signed with {shown}: {why}"))
            .hint("ssh-keygen -Y sign must work with this key; a .pub file stands for the key in your ssh-agent")
    };
    // Asks for a passphrase on the terminal, and talks to the user's own agent.
    let mut child = Command::new("ssh-keygen")
        .args(["-q", "-Y", "sign", "-n", NAMESPACE, "-f"])
        .arg(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("ssh-keygen cannot be started: {error}")))?;
    if let Some(mut input) = child.stdin.take() {
        // One that ended already says why on the terminal.
        let _ended = input.write_all(text.as_bytes());
    }
    let out = child
        .wait_with_output()
        .map_err(|error| failed(error.to_string()))?;
    let signature = String::from_utf8_lossy(&out.stdout).into_owned();
    match out.status.success() && signature.contains("SSH SIGNATURE") {
        true => Ok(signature),
        false => Err(failed("ssh-keygen refused".to_owned())),
    }
}

fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().take(LONGEST).read_to_string(&mut text),
        false => {
            std::fs::File::open(file).and_then(|file| file.take(LONGEST).read_to_string(&mut text))
        }
    };
    let shown = file.display();
    read.map_err(|error| Failure::usage(format!("no signature was read from {shown}: {error}")))?;
    match text.contains("SSH SIGNATURE") {
        true => Ok(text),
        false => Err(Failure::usage(format!("{shown} holds no signature of ssh-keygen"))
            .hint("sign what --to-sign prints: … --to-sign | ssh-keygen -Y sign -n ai-infra-approval -f KEY")),
    }
}
