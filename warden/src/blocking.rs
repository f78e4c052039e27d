//! The warden asked by whoever may wait: a launcher, whose threads each do one thing.

use crate::client::WardenError;
use crate::wire::{Ask, LINE_BYTES, OfTask, Reply, Request, WIRE_VERSION};
use config::home::Home;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// Longest wait for one answer: a disk may take its time to make a line safe.
const ANSWER: Duration = Duration::from_secs(10);
/// Between two tries to reach a warden that is being started again.
const PAUSE: Duration = Duration::from_millis(20);

/// A connection on which an agent of this role speaks, of its task alone, to be handed to it.
///
/// # Errors
/// When the warden is away or does not take it so.
pub fn connect_for(home: &Home, role: &str, task: Option<OfTask>) -> io::Result<UnixStream> {
    let stream = UnixStream::connect(home.warden_sock())?;
    stream.set_read_timeout(Some(ANSWER))?;
    let role = role.to_owned();
    let answer = said(&stream, Ask::For { role, task })?;
    stream.set_read_timeout(None)?;
    match answer {
        Reply::Done => Ok(stream),
        Reply::Refused { why } => Err(io::Error::other(why)),
        _ => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// Asks one thing as the owner of the home; one that is away is waited for so long. What was asked of a warden that died
/// may have been heard.
///
/// # Errors
/// When the warden is away, or says no.
pub fn ask(home: &Home, ask: Ask, patience: Duration) -> Result<Reply, WardenError> {
    let began = Instant::now();
    loop {
        let socket = home.warden_sock();
        let answered = UnixStream::connect(&socket).and_then(|stream| {
            stream.set_read_timeout(Some(ANSWER))?;
            said(&stream, ask.clone())
        });
        match answered {
            Ok(Reply::Refused { why }) => return Err(WardenError::Refused(why)),
            Ok(reply) => return Ok(reply),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(WardenError::Strange);
            }
            Err(error) if began.elapsed() >= patience => {
                let said = error.to_string();
                return Err(WardenError::Away { socket, said });
            }
            Err(_) => std::thread::sleep(PAUSE),
        }
    }
}

fn said(stream: &UnixStream, ask: Ask) -> io::Result<Reply> {
    let v = WIRE_VERSION;
    let mut line = serde_json::to_vec(&Request { v, ask })?;
    line.push(b'\n');
    let mut to = stream;
    to.write_all(&line)?;
    let mut answer = Vec::new();
    // Nothing more comes before the next question.
    let read = BufReader::new(stream.take(LINE_BYTES as u64)).read_until(b'\n', &mut answer)?;
    match read {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        _ => serde_json::from_slice(&answer)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error)),
    }
}
