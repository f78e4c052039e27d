//! Reads what agents say: the message itself, and the blob it names where it was too large for one.

use crate::ledger::fold::{Incoming, News};
use bus::blob::BLOB_BYTES;
use bus::outflow::OutMessage;
use protocol::envelope::{Envelope, MessageType};
use protocol::report::TaskReport;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::Path;

/// Largest report read from a blob, in bytes: what comes from other hosts is no larger, and the
/// ledger keeps less of it.
pub(super) const REPORT_BYTES: u64 = BLOB_BYTES as u64;
/// Most values in it. A task of ten thousand calls has seventy thousand.
const PARTS: usize = 500_000;

/// Reads a message of an out stream; pure but for the blobs it names.
pub(super) fn read(message: &OutMessage, blobs: &Path) -> Result<Incoming, String> {
    let envelope = &message.envelope;
    let task = envelope
        .payload
        .task_id
        .ok_or_else(|| "it names no task".to_owned())?;
    let news = match envelope.kind {
        MessageType::Progress => News::Progress(parsed(envelope, blobs)?),
        // A report that cannot be read is the end of its task all the same: its agent has let go.
        MessageType::Result | MessageType::Handoff => match parsed::<TaskReport>(envelope, blobs) {
            Ok(report) if report.task_id != task => {
                News::GivenUp("the agent's report is about another task".to_owned())
            }
            Ok(report) => News::Report(Box::new(report)),
            Err(why) => News::GivenUp(format!("the agent's report cannot be read: {why}")),
        },
        MessageType::Control => News::GivenUp(given_up(envelope)),
        kind => return Err(format!("a {kind:?} is no report")),
    };
    Ok(Incoming {
        task,
        message: envelope.id.to_string(),
        role: message.role.clone(),
        epoch: envelope.epoch,
        at: envelope.timestamp,
        news,
    })
}

fn given_up(envelope: &Envelope) -> String {
    let context = &envelope.payload.context;
    let reason = context.get("reason").and_then(Value::as_str);
    format!("gave up: {}", reason.unwrap_or("no agent could finish it"))
}

/// The name of the blob in whose place a message stands.
pub(super) fn blob_of(envelope: &Envelope) -> Option<&str> {
    let context = &envelope.payload.context;
    let name = context.get("blob").and_then(Value::as_str)?;
    context.get("event").is_none().then_some(name)
}

pub(super) fn parsed<T: DeserializeOwned>(envelope: &Envelope, blobs: &Path) -> Result<T, String> {
    match blob_of(envelope) {
        Some(name) => {
            let bytes = blob(blobs, name)?;
            serde_json::from_slice(&bytes).map_err(|e| format!("blob {name}: {e}"))
        }
        None => serde_json::from_value(envelope.payload.context.clone()).map_err(|e| e.to_string()),
    }
}

/// Whether a name can be that of a blob.
pub(super) fn is_digest(name: &str) -> bool {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    name.len() == 64 && name.bytes().all(hex)
}

/// Reads a blob and checks that it is what its name says, and no more than a report can be.
pub(super) fn blob(blobs: &Path, name: &str) -> Result<Vec<u8>, String> {
    if !is_digest(name) {
        return Err("it names a blob that is no SHA-256".to_owned());
    }
    let path = blobs.join(name);
    let found = std::fs::symlink_metadata(&path).map_err(|e| format!("blob {name}: {e}"))?;
    if !found.is_file() {
        return Err(format!("blob {name} is no file"));
    }
    if found.len() > REPORT_BYTES {
        return Err(format!("blob {name} is larger than {REPORT_BYTES} bytes"));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(&path)
        .and_then(|file| file.take(REPORT_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|e| format!("blob {name}: {e}"))?;
    if bytes.len() as u64 > REPORT_BYTES {
        return Err(format!("blob {name} is larger than {REPORT_BYTES} bytes"));
    }
    let sum: String = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    if sum != name {
        return Err(format!("blob {name} was changed on the disk"));
    }
    if parts(&bytes) > PARTS {
        return Err(format!("blob {name} has more than {PARTS} values"));
    }
    Ok(bytes)
}

/// How many values a JSON text can have at most. Each takes much more room in memory than in the
/// text, so the length alone bounds nothing.
fn parts(text: &[u8]) -> usize {
    let (mut parts, mut quoted, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => parts += 1,
            _ => {}
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_blob_is_what_its_name_says_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let name: String = Sha256::digest(b"{\"a\":1}")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert!(blob(folder.path(), &name).is_err());
        std::fs::write(folder.path().join(&name), "{\"a\":1}").unwrap();
        assert_eq!(blob(folder.path(), &name).unwrap(), b"{\"a\":1}");
        std::fs::write(folder.path().join(&name), "{\"a\":2}").unwrap();
        assert!(blob(folder.path(), &name).is_err());
        std::fs::remove_file(folder.path().join(&name)).unwrap();
        std::fs::create_dir(folder.path().join(&name)).unwrap();
        assert!(blob(folder.path(), &name).unwrap_err().contains("no file"));
        for bad in ["", "../../etc/passwd", &"A".repeat(64), &"g".repeat(64)] {
            assert!(blob(folder.path(), bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn no_more_is_read_than_a_report_can_be() {
        let folder = tempfile::tempdir().unwrap();
        let check = |content: &[u8], expected: &str| {
            let sum = Sha256::digest(content);
            let name: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
            std::fs::write(folder.path().join(&name), content).unwrap();
            let said = blob(folder.path(), &name).map_or_else(|why| why, |_| "read".to_owned());
            assert!(said.contains(expected), "{said}");
        };
        let most = usize::try_from(REPORT_BYTES).unwrap();
        check(&vec![b' '; most], "read");
        check(&vec![b' '; most + 1], "is larger than");
        check(&[b'['; PARTS], "more than");
        check(&[&b"\""[..], &[b'['; PARTS]].concat(), "read");
    }

    #[test]
    fn values_are_counted_outside_of_texts() {
        for (text, expected) in [
            ("1", 1),
            ("[1,2]", 3),
            ("{\"a\":[{},{}]}", 6),
            ("\"[,{\"", 1),
            (r#""\"[,""#, 1),
            (r#"["\\",1]"#, 3),
        ] {
            assert_eq!(parts(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn giving_up_is_a_sentence() {
        let team = "main".parse().unwrap();
        let mut envelope = Envelope::new(&team, MessageType::Control, "bus", "supervisor");
        for (context, expected) in [
            (
                serde_json::json!({"reason": "its holders died 5 times"}),
                "gave up: its holders died 5 times",
            ),
            (Value::Null, "gave up: no agent could finish it"),
        ] {
            envelope.payload.context = context;
            assert_eq!(given_up(&envelope), expected);
        }
    }
}
