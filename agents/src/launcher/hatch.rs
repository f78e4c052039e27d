//! The agent's side: the one way out of its walls. Small wishes share a conversation and are answered in a
//! moment; each large one has its own and is waited for on a thread.

use super::wish::{Arrival, Wish};
use guard::launcher::channel::{Answer, Channel, Line, Message};
use protocol::ids::ShortId;
use serde::de::DeserializeOwned;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncReadExt;

/// Cheap to clone; every clone asks the same launcher.
#[derive(Debug, Clone)]
pub struct Hatch {
    channel: Arc<Channel>,
    quick: Arc<Mutex<Option<Line>>>,
}

impl Hatch {
    /// To the launcher at the other end.
    pub fn new(channel: Channel) -> Self {
        Self {
            channel: Arc::new(channel),
            quick: Arc::default(),
        }
    }

    /// Asks for something that takes a moment; blocks for it. What lies beside the answer comes too.
    ///
    /// # Errors
    /// When the launcher could not do it, or is gone.
    pub fn ask<T: DeserializeOwned>(&self, wish: &Wish, bytes: &[u8]) -> io::Result<(T, Message)> {
        let mut quick = self.quick.lock().unwrap_or_else(PoisonError::into_inner);
        // Taken, so that one that broke is not used again.
        let line = match quick.take() {
            Some(line) => line,
            None => self.channel.open()?,
        };
        let message = said(&line, wish, bytes)?;
        *quick = Some(line);
        drop(quick);
        Ok((understood(&message)?, message))
    }

    /// Asks in a conversation of its own, which is answered beside; blocks for it.
    ///
    /// # Errors
    /// As [`Hatch::ask`].
    pub fn apart(&self, wish: &Wish) -> io::Result<(Message, Line)> {
        let line = self.channel.open()?;
        let message = said(&line, wish, b"")?;
        Ok((message, line))
    }

    /// Asks for something that may take long, on a thread of its own. Dropped, it goes on there.
    ///
    /// # Errors
    /// As [`Hatch::ask`].
    pub async fn slowly<T: DeserializeOwned + Send + 'static>(&self, wish: Wish) -> io::Result<T> {
        let hatch = self.clone();
        let asked = move || {
            hatch
                .apart(&wish)
                .and_then(|(message, _)| understood(&message))
        };
        tokio::task::spawn_blocking(asked)
            .await
            .map_err(io::Error::other)?
    }

    /// What the agent needs to enter the bus.
    ///
    /// # Errors
    /// As [`Hatch::ask`].
    pub fn arrive(&self) -> io::Result<Arrival> {
        self.ask(&Wish::Arrive, b"").map(|(arrival, _)| arrival)
    }

    /// A connection to the bus, where it is a socket of this host; blocks for it.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn redis(&self) -> io::Result<UnixStream> {
        let (message, _) = self.apart(&Wish::Redis)?;
        understood::<()>(&message)?;
        file(message).map(UnixStream::from)
    }

    /// A connection to the warden of this home, to speak of a task.
    ///
    /// # Errors
    /// When there is none.
    pub fn warden(&self, task: ShortId) -> io::Result<UnixStream> {
        let (message, _) = self.apart(&Wish::Warden { task })?;
        understood::<()>(&message)?;
        file(message).map(UnixStream::from)
    }

    /// A conversation that takes lines of the log.
    ///
    /// # Errors
    /// When the launcher is gone.
    pub fn log(&self) -> io::Result<Line> {
        let line = self.channel.open()?;
        line.send(&Wish::Log, b"", &[])?;
        Ok(line)
    }

    /// Waits until the launcher is gone: nothing can be done without it.
    pub async fn gone(&self) {
        // A conversation in which nothing is ever said.
        let line = self.channel.open().and_then(Line::silent);
        if let Ok(mut line) = line {
            let _closed = line.read(&mut [0]).await;
        }
    }
}

fn said(line: &Line, wish: &Wish, bytes: &[u8]) -> io::Result<Message> {
    line.send(wish, bytes, &[])?;
    line.receive()?.ok_or_else(|| {
        io::Error::other("the launcher of this agent has ended: it is started again with the agent")
    })
}

fn understood<T: DeserializeOwned>(message: &Message) -> io::Result<T> {
    message.said::<Answer<T>>()?.done()
}

/// The one open file beside an answer.
pub(crate) fn file(message: Message) -> io::Result<OwnedFd> {
    let file = message.files.into_iter().next();
    file.ok_or_else(|| io::Error::other("the launcher sent no open file"))
}
