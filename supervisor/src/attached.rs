//! Files that are handed in with a request: kept under their digest before the task is accepted, so
//! that whoever works on it sees what was handed in, whatever becomes of the file.

use crate::desk::Desk;
use crate::intake::IntakeError;
use crate::pinned;
use bus::blob::BLOB_BYTES;
use config::disk::is_low;
use config::error::ConfigError;
use protocol::attachment::{self, Attachment, AttachmentError};
use protocol::exit;
use std::io::Read;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

/// Longest time for the bytes of one file.
const PATIENCE: Duration = Duration::from_secs(120);
/// Most bytes of a refused file that are passed over, so that its sender reads the refusal.
const PASSED: u64 = 1 << 30;
/// How much of a file is looked at to say what it is, in bytes.
const HEAD: u64 = 8 * 1024;

/// Why a file is not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeepError {
    /// Its name.
    #[error(transparent)]
    Name(#[from] AttachmentError),
    /// Its size.
    #[error(
        "`{name}` has {bytes} bytes, at most {limit} MiB are attached (team.attach_mb): put it into the folder the request is about, or raise that"
    )]
    TooLarge {
        /// Its name.
        name: String,
        /// Its size.
        bytes: u64,
        /// The bound.
        limit: u64,
    },
    /// No room.
    #[error("the disk of the home is nearly full (team.min_free_mb): free some space first")]
    Disk,
    /// The connection ended, or nothing came for long.
    #[error("only {0} of the bytes of the file came: attach it again")]
    Short(usize),
    /// It could not be written.
    #[error(transparent)]
    File(#[from] ConfigError),
}

impl KeepError {
    /// Exit code of the command line.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            KeepError::File(error) => error.exit_code(),
            KeepError::Disk => exit::REFUSED,
            _ => exit::USAGE,
        }
    }
}

/// Takes the content of a file that follows on a connection.
///
/// # Errors
/// [`KeepError`]; nothing is kept then.
pub(crate) async fn keep(
    desk: &Desk,
    reader: &mut (impl AsyncRead + Unpin),
    name: &str,
    bytes: u64,
) -> Result<Attachment, KeepError> {
    if let Err(error) = may_come(desk, name, bytes) {
        let mut passed = reader.take(bytes.min(PASSED));
        let mut nowhere = tokio::io::sink();
        let passing = tokio::io::copy(&mut passed, &mut nowhere);
        let _sender_may_be_gone = timeout(PATIENCE, passing).await;
        return Err(error);
    }
    let mut content = Vec::new();
    let mut whole = reader.take(bytes);
    let read = timeout(PATIENCE, whole.read_to_end(&mut content)).await;
    if !matches!(read, Ok(Ok(_))) || content.len() as u64 != bytes {
        return Err(KeepError::Short(content.len()));
    }
    let kind = attachment::kind_of(name, &content).to_owned();
    let sha256 = pinned::keep(&desk.home.blobs(), &content)?;
    Ok(Attachment {
        name: name.to_owned(),
        sha256,
        bytes,
        kind,
    })
}

fn may_come(desk: &Desk, name: &str, bytes: u64) -> Result<(), KeepError> {
    attachment::check_name(name)?;
    let limit = desk.settings.team.attach_mb;
    if bytes > limit << 20 {
        let name = name.to_owned();
        return Err(KeepError::TooLarge { name, bytes, limit });
    }
    match is_low(&desk.home, desk.settings.team.min_free_mb) {
        true => Err(KeepError::Disk),
        false => Ok(()),
    }
}

/// The files of a request as they are kept here; what the request says of size and kind does not
/// count.
///
/// # Errors
/// The first that cannot go with it.
pub(crate) fn checked(
    desk: &Desk,
    files: &[Attachment],
    there: Option<&str>,
) -> Result<Vec<Attachment>, IntakeError> {
    attachment::check(files)?;
    let files: Vec<Attachment> = files
        .iter()
        .map(|file| {
            kept(desk, file).ok_or_else(|| IntakeError::NotKept {
                name: file.name.clone(),
            })
        })
        .collect::<Result<_, _>>()?;
    let sum: u64 = files.iter().map(|file| file.bytes).sum();
    match there {
        Some(host) if sum > BLOB_BYTES as u64 => Err(IntakeError::TooFar {
            host: host.to_owned(),
            bytes: sum,
        }),
        _ => Ok(files),
    }
}

/// A file as it lies among the blobs.
fn kept(desk: &Desk, file: &Attachment) -> Option<Attachment> {
    let opened = std::fs::File::open(desk.home.blobs().join(&file.sha256)).ok()?;
    let bytes = opened.metadata().ok().filter(|meta| meta.is_file())?.len();
    let mut head = Vec::new();
    opened.take(HEAD).read_to_end(&mut head).ok()?;
    Some(Attachment {
        bytes,
        kind: attachment::kind_of(&file.name, &head).to_owned(),
        ..file.clone()
    })
}
