//! The first words between a holder and the inside of a sandbox: what it is for and within which
//! bounds, and whether its walls stand.

use super::holder::ExecutorError;
use super::link::{Link, read_frame};
use super::wire::{self, FromInside, Hello, ToInside, WIRE_VERSION};
use crate::deadline::Deadline;
use crate::sandbox::rules::Rules;
use crate::sandbox::spawn::SpawnError;
use crate::sandbox::spec::{Kind, SandboxSpec, WORKSPACE};
use crate::sandbox::surroundings::Surroundings;
use std::os::unix::fs::MetadataExt;
use std::process::{ChildStderr as StdStderr, ChildStdin as StdStdin, ChildStdout as StdStdout};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

/// Most that is kept of what the inside complains of, in bytes.
const STDERR_BYTES: u64 = 8 * 1024;

/// What the inside is told first.
pub(super) fn hello(spec: &SandboxSpec, around: &Surroundings) -> Hello {
    let mounts = match &spec.kind {
        Kind::Workspace { read_only, .. } => read_only
            .iter()
            .filter_map(|(_, inside)| inside.strip_prefix(WORKSPACE).ok())
            .map(|path| path.to_string_lossy().into_owned())
            .collect(),
        Kind::Host | Kind::Scan(_) | Kind::Outside(_) => Vec::new(),
    };
    Hello {
        v: WIRE_VERSION,
        owner: spec.owner,
        drop: around.root,
        limits: spec.limits.clone(),
        running: if around.root {
            running(spec.owner.uid)
        } else {
            0
        },
        host: matches!(spec.kind, Kind::Host | Kind::Scan(_)),
        keep: match &spec.kind {
            Kind::Scan(view) if around.root => view.rights.clone(),
            _ => Vec::new(),
        },
        reach: match &spec.kind {
            Kind::Outside(reach) => Some(reach.clone()),
            _ => None,
        },
        mounts,
        landlock: Rules::default(),
        online: spec.proxy.is_some(),
        cargo: spec
            .proxy
            .as_ref()
            .map_or_else(String::new, |way| way.clients.cargo.clone()),
        most: spec.most,
        only: spec.only.clone(),
    }
}

/// Threads a user has now. Without a user namespace they count against the same bound.
fn running(uid: u32) -> u64 {
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.metadata().is_ok_and(|m| m.uid() == uid))
        .filter_map(|entry| std::fs::metadata(entry.path().join("task")).ok())
        .map(|tasks| tasks.nlink().saturating_sub(2))
        .sum()
}

/// Tells it until when it may live, and waits until the inside says that its walls stand.
pub(super) async fn greet(
    stdin: StdStdin,
    stdout: StdStdout,
    stderr: StdStderr,
    until: Deadline,
) -> Result<Link, ExecutorError> {
    let io = |e: std::io::Error| ExecutorError::Spawn(SpawnError::Io(e));
    let mut stdin = ChildStdin::from_std(stdin).map_err(io)?;
    let mut stdout = ChildStdout::from_std(stdout).map_err(io)?;
    let stderr = ChildStderr::from_std(stderr).map_err(io)?;
    let said = tokio::spawn(collect(stderr));
    let until = wire::encode(&ToInside::Extend { until }).map_err(io)?;
    let sent = stdin.write_all(&until).await;
    match read_frame(&mut stdout).await {
        Ok(FromInside::Ready) => Ok(Link::new(stdin, stdout)),
        Ok(FromInside::Refused { why }) => Err(ExecutorError::NotReady(why)),
        Ok(_) => Err(ExecutorError::NotReady("it spoke out of turn".to_owned())),
        Err(e) => {
            drop(stdin);
            let said = said.await.unwrap_or_default();
            let why = match (said.trim(), sent) {
                ("", Err(sent)) => sent.to_string(),
                ("", Ok(())) => e.to_string(),
                (text, _) => text.to_owned(),
            };
            Err(ExecutorError::NotReady(why))
        }
    }
}

/// Reads what bwrap and the inside complain of: the first 8 kB are kept, the rest is drained.
async fn collect(stderr: ChildStderr) -> String {
    let mut first = Vec::new();
    let mut stderr = stderr.take(STDERR_BYTES);
    let _ = stderr.read_to_end(&mut first).await;
    let _ = tokio::io::copy(&mut stderr.into_inner(), &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&first).into_owned()
}
