//! Lines of bounded length, from and to a client that may send anything, or nothing, or stop
//! reading.

use protocol::control::Reply;
use protocol::limits::CONTROL_LINE_BYTES;
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Longest wait for a client that does not take what it asked for.
const TAKE: Duration = Duration::from_secs(60);

/// Why there is no line.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// The client went away, in the middle of a line or not.
    #[error("the client went away")]
    Gone,
    /// It sends too much.
    #[error("a line of more than {CONTROL_LINE_BYTES} bytes: send less")]
    TooLong,
    /// The system said no.
    #[error("the connection broke: {0}")]
    Io(#[from] std::io::Error),
    /// It takes nothing.
    #[error("the client stopped reading")]
    Stuck,
}

/// Reads one line, without its end.
pub async fn read<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<Vec<u8>, LineError> {
    let mut line = Vec::new();
    let most = CONTROL_LINE_BYTES as u64 + 1;
    reader.take(most).read_until(b'\n', &mut line).await?;
    if line.pop_if(|last| *last == b'\n').is_some() {
        return Ok(line);
    }
    match line.len() > CONTROL_LINE_BYTES {
        true => Err(LineError::TooLong),
        false => Err(LineError::Gone),
    }
}

/// Writes one reply as a line.
pub async fn write<W: AsyncWrite + Unpin>(writer: &mut W, reply: &Reply) -> Result<(), LineError> {
    let bytes = encode(reply);
    timeout(TAKE, writer.write_all(&bytes))
        .await
        .map_err(|_| LineError::Stuck)??;
    Ok(())
}

/// The bytes of a reply; one that is too long for the other side becomes an error that says so.
fn encode(reply: &Reply) -> Vec<u8> {
    let mut bytes = match serde_json::to_vec(reply) {
        Ok(bytes) if bytes.len() < CONTROL_LINE_BYTES => bytes,
        _ => {
            let error = Reply::Error {
                exit: protocol::exit::FAILED,
                message: "the answer is too long for one line: ask for less".to_owned(),
                hints: Vec::new(),
            };
            serde_json::to_vec(&error).unwrap_or_default()
        }
    };
    bytes.push(b'\n');
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use tokio::io::BufReader;

    #[tokio::test]
    async fn lines_are_bounded() {
        let long = vec![b'x'; CONTROL_LINE_BYTES + 10];
        let check = async |bytes: &[u8]| read(&mut BufReader::new(bytes)).await;
        assert_eq!(check(b"abc\nd").await.unwrap(), b"abc");
        assert_eq!(check(b"\n").await.unwrap(), b"");
        assert!(matches!(check(b"").await, Err(LineError::Gone)));
        assert!(matches!(check(b"cut").await, Err(LineError::Gone)));
        assert!(matches!(check(&long).await, Err(LineError::TooLong)));
    }

    #[test]
    fn an_answer_too_long_says_so() {
        let reply = Reply::Error {
            exit: 0,
            message: "x".repeat(CONTROL_LINE_BYTES),
            hints: Vec::new(),
        };
        let bytes = encode(&reply);
        assert!(bytes.len() < 200 && bytes.ends_with(b"\n"));
    }
}
