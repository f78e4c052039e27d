//! How a carried connection begins: the greeting is held against the host, and where the server wants to be greeted again,
//! so is the second greeting. What a program says before the server has answered waits until that is known.

use super::Connection;
use super::greeting::{Answer, GREETING_BYTES, Greeting, answered, read, read_again};
use super::serve::{DOWN_BYTES, IDLE, PATIENCE, Shared, UP_BYTES, spend};
use protocol::fault::Faults;
use protocol::walls::Wall;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

/// Most that is kept of what a program says before the server has answered.
const EARLY_BYTES: usize = 64 * 1024;

/// What a program said first.
#[derive(Debug, Default)]
pub(super) struct First {
    /// The record that holds the greeting.
    greeting: Vec<u8>,
    /// What came with it.
    early: Vec<u8>,
}

/// Reads the greeting and holds its name against the host.
pub(super) async fn first(
    stream: &mut (impl AsyncRead + Unpin),
    host: &str,
    faults: Faults,
) -> Result<First, String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        if count == 0 {
            return Err("it was closed before anything was said".to_owned());
        }
        bytes.extend(&buffer[..count]);
        if !faults.stands(Wall::Proxy) {
            return Ok(First {
                greeting: bytes,
                early: Vec::new(),
            });
        }
        if verdict(read(&bytes), host)? {
            let record = match bytes.first_chunk::<5>() {
                Some(&[_, _, _, high, low]) => 5 + usize::from(u16::from_be_bytes([high, low])),
                None => bytes.len(),
            };
            let early = bytes.split_off(record.min(bytes.len()));
            return Ok(First {
                greeting: bytes,
                early,
            });
        }
        if bytes.len() > GREETING_BYTES {
            return Err("its TLS greeting does not end".to_owned());
        }
    }
}

/// Whether a greeting is whole; it must be for this host.
fn verdict(greeting: Greeting, host: &str) -> Result<bool, String> {
    match greeting {
        Greeting::For(name) if name.eq_ignore_ascii_case(host) => Ok(true),
        Greeting::For(_) => Err("its TLS greeting is for another server".to_owned()),
        Greeting::Other(why) => Err(format!("it {why}")),
        Greeting::More => Ok(false),
    }
}

/// Sends the greeting, hands the beginning of the answer on, and sends what the program says to it, where that is for the
/// same host. From then on everything is encrypted.
pub(super) async fn greet(
    (from_inside, to_inside): (
        &mut (impl AsyncRead + Unpin),
        &mut (impl AsyncWrite + Unpin),
    ),
    (from_outside, to_outside): (
        &mut (impl AsyncRead + Unpin),
        &mut (impl AsyncWrite + Unpin),
    ),
    (first, host): (First, &str),
    shared: &Shared,
    told: &mut Connection,
) -> Result<(), String> {
    let gone = |e: std::io::Error| format!("the host is gone: {e}");
    spend(&shared.up, first.greeting.len() as u64, UP_BYTES)?;
    told.up += first.greeting.len() as u64;
    to_outside.write_all(&first.greeting).await.map_err(gone)?;
    if !shared.faults.stands(Wall::Proxy) {
        return Ok(());
    }
    let mut early = first.early;
    let (answer, again) = listened(from_inside, from_outside, &mut early, shared).await?;
    spend(&shared.down, answer.len() as u64, DOWN_BYTES)?;
    told.down += answer.len() as u64;
    shared.frost.thawed().await;
    let left = |e: std::io::Error| format!("the program is gone: {e}");
    to_inside.write_all(&answer).await.map_err(left)?;
    if again {
        let second = second(from_inside, host, &mut early);
        let late = |_| "no second TLS greeting came".to_owned();
        timeout(PATIENCE, second).await.map_err(late)??;
    }
    spend(&shared.up, early.len() as u64, UP_BYTES)?;
    told.up += early.len() as u64;
    shared.frost.thawed().await;
    to_outside.write_all(&early).await.map_err(gone)
}

/// Listens to the server until it is known whether it wants another greeting; what the program says meanwhile is kept.
async fn listened(
    from_inside: &mut (impl AsyncRead + Unpin),
    from_outside: &mut (impl AsyncRead + Unpin),
    early: &mut Vec<u8>,
    shared: &Shared,
) -> Result<(Vec<u8>, bool), String> {
    let mut answer = Vec::new();
    let (mut said, mut heard) = ([0; 4096], [0; 4096]);
    let mut speaks = true;
    loop {
        match answered(&answer) {
            Answer::On => return Ok((answer, false)),
            Answer::Again => return Ok((answer, true)),
            Answer::More => {}
        }
        let mut watched = shared.frost.watched().await;
        let next = async {
            tokio::select! {
                count = from_outside.read(&mut heard) => (count.unwrap_or(0), true),
                count = from_inside.read(&mut said), if speaks && early.len() < EARLY_BYTES => (count.unwrap_or(0), false),
            }
        };
        match timeout(IDLE, next).await {
            // What was frozen meanwhile was not silent.
            Err(_) if watched.melted() => {}
            Err(_) => return Err("nothing was said for two minutes".to_owned()),
            // It ended, whatever it said.
            Ok((0, true)) => return Ok((answer, false)),
            Ok((count, true)) => answer.extend(&heard[..count]),
            Ok((0, false)) => speaks = false,
            Ok((count, false)) => early.extend(&said[..count]),
        }
    }
}

/// Reads the second greeting to what came early, and holds its name against the host.
async fn second(
    from_inside: &mut (impl AsyncRead + Unpin),
    host: &str,
    early: &mut Vec<u8>,
) -> Result<(), String> {
    let mut buffer = [0; 4096];
    while !verdict(read_again(early), host)? {
        if early.len() > EARLY_BYTES + GREETING_BYTES {
            return Err("its second TLS greeting does not end".to_owned());
        }
        let count = from_inside.read(&mut buffer).await.unwrap_or(0);
        if count == 0 {
            return Err("it was closed before its second TLS greeting".to_owned());
        }
        early.extend(&buffer[..count]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::fetch::Fetch;
    use super::super::greeting::tests::{again, answer, greeting};
    use super::super::told::{Frost, Held, Record};
    use super::super::words::Pace;
    use super::*;
    use crate::deadline::Deadline;
    use std::time::Duration;
    use tokio::io::duplex;

    /// A task that carried so many bytes already.
    fn shared(up: u64) -> Shared {
        let until = Deadline::after(Duration::from_secs(600));
        let frozen = false;
        let held = Held {
            pace: Some(Pace { frozen, until }),
            frosts: 0,
        };
        Shared {
            allowed: Default::default(),
            fetch: Fetch::from(Default::default()),
            faults: Faults::default(),
            frost: Frost(tokio::sync::watch::channel(held).1),
            record: Record(tokio::sync::mpsc::channel(1).0),
            up: up.into(),
            down: 0.into(),
        }
    }

    /// Carries what a program says at once, and what it says to the server's answer; answers what came of it and what
    /// the server heard.
    async fn carried(
        up: u64,
        said: Vec<u8>,
        answer: Vec<u8>,
        then: Vec<u8>,
    ) -> (Result<(), String>, Vec<u8>, Connection) {
        const ROOM: usize = 1 << 18;
        let ((mut program, inside), (outside, mut server)) = (duplex(ROOM), duplex(ROOM));
        let shared = shared(up);
        let mut told = Connection::default();
        let proxy = async {
            let (mut from_inside, mut to_inside) = tokio::io::split(inside);
            let (mut from_outside, mut to_outside) = tokio::io::split(outside);
            let first = first(&mut from_inside, "pypi.org", shared.faults).await?;
            greet(
                (&mut from_inside, &mut to_inside),
                (&mut from_outside, &mut to_outside),
                (first, "pypi.org"),
                &shared,
                &mut told,
            )
            .await
        };
        let talk = async {
            program.write_all(&said).await.unwrap();
            let mut heard = vec![0; greeting("pypi.org").len()];
            if server.read_exact(&mut heard).await.is_err() {
                return Vec::new();
            }
            server.write_all(&answer).await.unwrap();
            let mut answered = vec![0; answer.len()];
            program.read_exact(&mut answered).await.unwrap();
            assert_eq!(answered, answer);
            program.write_all(&then).await.unwrap();
            program.shutdown().await.unwrap();
            server.read_to_end(&mut heard).await.unwrap();
            heard
        };
        let (ended, heard) = tokio::join!(proxy, talk);
        (ended, heard, told)
    }

    const CHANGE: [u8; 6] = [20, 3, 3, 0, 1, 1];

    #[tokio::test]
    async fn a_second_greeting_is_for_the_same_host_or_is_not_carried() {
        let (own, other) = (greeting("pypi.org"), greeting("evil.example"));
        let length = own.len();
        let second = |name: &[u8]| [&CHANGE[..], name].concat();
        for (early, then, refused) in [
            (Vec::new(), second(&own), None),
            (Vec::new(), own.clone(), None),
            (Vec::new(), second(&other), Some("for another server")),
            (Vec::new(), other.clone(), Some("for another server")),
            // Said before the server asked for it.
            (second(&other), Vec::new(), Some("for another server")),
            (second(&own), Vec::new(), None),
            (
                Vec::new(),
                b"no greeting".to_vec(),
                Some("does not begin with a TLS greeting"),
            ),
            (Vec::new(), Vec::new(), Some("closed before its second")),
        ] {
            let said = [&own[..], &early].concat();
            let (ended, heard, told) = carried(0, said.clone(), again(), then.clone()).await;
            match refused {
                Some(why) => {
                    assert!(ended.unwrap_err().contains(why), "{why}");
                    assert_eq!(heard.len(), length, "more than the greeting was carried");
                }
                None => {
                    ended.unwrap();
                    assert_eq!(heard, [said, then].concat());
                    assert_eq!(told.up, heard.len() as u64);
                }
            }
        }
    }

    #[tokio::test]
    async fn what_follows_a_greeting_that_was_taken_is_carried_as_it_is() {
        let early = [23, 3, 3, 0, 3, 9, 9, 9];
        let said = [&greeting("pypi.org")[..], &early].concat();
        for answer in [answer([7; 32]), vec![21, 3, 3, 0, 2, 2, 40]] {
            let (ended, heard, told) = carried(0, said.clone(), answer.clone(), Vec::new()).await;
            ended.unwrap();
            assert_eq!(heard, said);
            let counted = (told.up, told.down);
            assert_eq!(counted, (said.len() as u64, answer.len() as u64));
        }
    }

    #[tokio::test]
    async fn a_greeting_above_the_bound_of_its_task_is_not_sent() {
        let said = greeting("pypi.org");
        let (ended, heard, _) = carried(UP_BYTES, said, Vec::new(), Vec::new()).await;
        assert!(ended.unwrap_err().contains("more than 64 MB"));
        assert!(heard.is_empty());
    }
}
