//! What an agent and its launcher talk over: a pair of sockets made before either does anything. Each
//! conversation is a pair of its own, so that a long one holds nobody up, and it ends when either side
//! closes it. A message is JSON, bytes as they are beside it, and open files.

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

/// Longest JSON of a message, in bytes.
const WORDS: u32 = 64 << 20;
/// Most bytes beside it.
const BYTES: u32 = 1 << 30;
/// Most open files in one message.
const FILES: usize = 4;

/// Two connected sockets that no program started later inherits.
pub fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (one, other) = socketpair(
        AddressFamily::Unix,
        SockType::Stream,
        None,
        SockFlag::SOCK_CLOEXEC,
    )?;
    Ok((UnixStream::from(one), UnixStream::from(other)))
}

/// The agent's end: opens conversations.
#[derive(Debug)]
pub struct Channel(pub UnixStream);

impl Channel {
    /// A new conversation.
    ///
    /// # Errors
    /// When the launcher is gone.
    pub fn open(&self) -> io::Result<Line> {
        let (own, theirs) = pair()?;
        send_files(&self.0, b"+", &[theirs.as_raw_fd()])?;
        Ok(Line(own))
    }

    /// Waits for the next conversation; `None` when the agent is gone.
    ///
    /// # Errors
    /// When the channel breaks. What comes without a socket is no conversation, and passed over.
    pub fn accept(&self) -> io::Result<Option<Line>> {
        let mut mark = [0];
        loop {
            let (read, mut files) = receive_files(&self.0, &mut mark)?;
            match (read, files.pop()) {
                (0, _) => return Ok(None),
                (_, Some(file)) => return Ok(Some(Line(UnixStream::from(file)))),
                // No conversation. It ends no launcher: what that holds for its sandboxes would be let go before they are gone.
                (_, None) => {}
            }
        }
    }
}

/// One conversation.
#[derive(Debug)]
pub struct Line(UnixStream);

/// What is said to a wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer<T> {
    /// Done.
    Done(T),
    /// Not done.
    Failed {
        /// Why, for people.
        why: String,
        /// The system's number of the error, where it is one of the system's.
        code: Option<i32>,
        /// It may not be done: [`io::ErrorKind::PermissionDenied`], in words.
        #[serde(default)]
        refused: bool,
    },
}

impl<T> Answer<T> {
    /// An error as it travels.
    pub fn failed(error: &io::Error) -> Self {
        let code = error.raw_os_error();
        Answer::Failed {
            why: error.to_string(),
            code,
            refused: code.is_none() && error.kind() == io::ErrorKind::PermissionDenied,
        }
    }

    /// What came of it.
    ///
    /// # Errors
    /// As the other side had it.
    pub fn done(self) -> io::Result<T> {
        match self {
            Answer::Done(done) => Ok(done),
            Answer::Failed {
                code: Some(code), ..
            } => Err(io::Error::from_raw_os_error(code)),
            Answer::Failed { why, refused, .. } => Err(match refused {
                true => io::Error::new(io::ErrorKind::PermissionDenied, why),
                false => io::Error::other(why),
            }),
        }
    }
}

/// One message.
#[derive(Debug, Default)]
pub struct Message {
    /// JSON.
    pub words: Vec<u8>,
    /// Bytes beside it.
    pub bytes: Vec<u8>,
    /// Open files.
    pub files: Vec<OwnedFd>,
}

impl Message {
    /// The words as what they should be.
    ///
    /// # Errors
    /// When they are something else.
    pub fn said<T: DeserializeOwned>(&self) -> io::Result<T> {
        serde_json::from_slice(&self.words).map_err(io::Error::other)
    }
}

impl Line {
    /// A conversation over a socket that both sides have already.
    pub fn over(socket: UnixStream) -> Line {
        Line(socket)
    }

    /// Sends a message.
    ///
    /// # Errors
    /// When it is too large, or the other side is gone.
    pub fn send(&self, words: &impl Serialize, bytes: &[u8], files: &[RawFd]) -> io::Result<()> {
        let words = serde_json::to_vec(words).map_err(io::Error::other)?;
        let lengths = [
            length(words.len(), WORDS)?.to_be_bytes(),
            length(bytes.len(), BYTES)?.to_be_bytes(),
        ];
        send_files(&self.0, lengths.as_flattened(), files)?;
        let mut to = &self.0;
        to.write_all(&words)?;
        to.write_all(bytes)
    }

    /// The next message; `None` when the other side has closed it.
    ///
    /// # Errors
    /// When it is cut off or larger than any should be.
    pub fn receive(&self) -> io::Result<Option<Message>> {
        let mut lengths = [0; 8];
        let (read, files) = receive_files(&self.0, &mut lengths)?;
        if read == 0 {
            return Ok(None);
        }
        let mut from = &self.0;
        from.read_exact(lengths.get_mut(read..).unwrap_or_default())?;
        let [a, b, c, d, e, f, g, h] = lengths;
        let words = length(u32::from_be_bytes([a, b, c, d]) as usize, WORDS)?;
        let bytes = length(u32::from_be_bytes([e, f, g, h]) as usize, BYTES)?;
        Ok(Some(Message {
            words: exactly(from, words)?,
            bytes: exactly(from, bytes)?,
            files,
        }))
    }

    /// Asks the other side to end it. What it says still arrives.
    pub fn end(&self) {
        let _gone_already = (&self.0).write_all(b".");
        let _gone_already = self.0.shutdown(Shutdown::Write);
    }

    /// Ends the conversation for both.
    pub fn close(&self) {
        let _gone_already = self.0.shutdown(Shutdown::Both);
    }

    /// Waits until the other side has ended it, or is gone; whether it asked for that.
    pub fn ended(&self) -> bool {
        let mut mark = [0; 16];
        let mut asked = false;
        loop {
            match (&self.0).read(&mut mark) {
                Ok(1..) => asked = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => return asked,
            }
        }
    }

    /// For who only waits for its end. Needs a tokio runtime with IO.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn silent(self) -> io::Result<tokio::net::UnixStream> {
        self.0.set_nonblocking(true)?;
        tokio::net::UnixStream::from_std(self.0)
    }

    /// The same conversation once more.
    ///
    /// # Errors
    /// When no more files can be open.
    pub fn again(&self) -> io::Result<Line> {
        self.0.try_clone().map(Line)
    }
}

fn length(length: usize, most: u32) -> io::Result<u32> {
    let fits = u32::try_from(length).ok().filter(|length| *length <= most);
    fits.ok_or_else(|| io::Error::other(format!("a message has at most {most} bytes")))
}

/// Read as it comes: a length that is a lie takes no memory.
fn exactly(from: &UnixStream, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(u64::from(length)).read_to_end(&mut bytes)?;
    match bytes.len() == length as usize {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn send_files(to: &UnixStream, bytes: &[u8], files: &[RawFd]) -> io::Result<()> {
    let rights = [ControlMessage::ScmRights(files)];
    let with = if files.is_empty() { &[][..] } else { &rights };
    let parts = [IoSlice::new(bytes)];
    let sent = loop {
        match sendmsg::<()>(to.as_raw_fd(), &parts, with, MsgFlags::MSG_NOSIGNAL, None) {
            Err(nix::Error::EINTR) => {}
            other => break other?,
        }
    };
    let mut to = to;
    to.write_all(bytes.get(sent..).unwrap_or_default())
}

#[allow(unsafe_code)] // numbers of files that the kernel has just opened become files
fn receive_files(from: &UnixStream, bytes: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = nix::cmsg_space!([RawFd; FILES]);
    let mut parts = [IoSliceMut::new(bytes)];
    let flags = MsgFlags::MSG_CMSG_CLOEXEC;
    let came = loop {
        match recvmsg::<()>(from.as_raw_fd(), &mut parts, Some(&mut space), flags) {
            Err(nix::Error::EINTR) => {}
            other => break other?,
        }
    };
    let mut files = Vec::new();
    for message in came.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = message {
            // SAFETY: the kernel has just opened these for this process, and nobody else here knows them.
            files.extend(
                numbers
                    .iter()
                    .map(|number| unsafe { OwnedFd::from_raw_fd(*number) }),
            );
        }
    }
    Ok((came.bytes, files))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::fs::File;
    use std::io::Seek;

    #[test]
    fn words_bytes_and_files_arrive_as_they_were_sent() {
        let (agent, launcher) = pair().unwrap();
        let (agent, launcher) = (Channel(agent), Channel(launcher));
        let own = agent.open().unwrap();
        let theirs = launcher.accept().unwrap().unwrap();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"kept").unwrap();
        let large = vec![7; 300_000];
        let sender = std::thread::spawn(move || {
            own.send(&("a", 1), &large, &[file.as_raw_fd()]).unwrap();
            own.send(&"b", b"", &[]).unwrap();
            own
        });
        let first = theirs.receive().unwrap().unwrap();
        assert_eq!(first.said::<(String, u8)>().unwrap(), ("a".to_owned(), 1));
        assert_eq!(first.bytes, vec![7; 300_000]);
        let mut text = String::new();
        let mut file = File::from(first.files.into_iter().next().unwrap());
        file.rewind().unwrap();
        file.read_to_string(&mut text).unwrap();
        assert_eq!(text, "kept");
        let second = theirs.receive().unwrap().unwrap();
        assert_eq!(second.said::<String>().unwrap(), "b");
        assert!(second.files.is_empty() && second.bytes.is_empty());
        drop(sender.join().unwrap());
        assert!(theirs.receive().unwrap().is_none());
        drop(agent);
        assert!(launcher.accept().unwrap().is_none());
    }

    #[test]
    fn what_is_cut_off_or_too_large_is_no_message() {
        for sent in [
            &b"\0\0"[..],
            b"\0\0\0\x05\0\0\0\0abc",
            b"\xff\xff\xff\xff\0\0\0\0",
            b"\0\0\0\0\xff\xff\xff\xff",
        ] {
            let (mut own, theirs) = pair().unwrap();
            own.write_all(sent).unwrap();
            drop(own);
            assert!(Line(theirs).receive().is_err(), "{sent:?}");
        }
    }
}
