//! The client of the control sockets: what the command line uses to talk to the supervisor and to
//! the daemon. One request a connection; see `protocol::control`.

use crate::daemon::mode;
use crate::daemon::start::{self, StartError, Started};
use crate::tmux::session;
use config::env::Env;
use config::home::Home;
use config::invitation::Invitation;
use protocol::attachment::Attachment;
use protocol::control::{Answer, Reply, Request, Verb};
use protocol::limits::CONTROL_LINE_BYTES;
use protocol::proposal::Proposal;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::sleep;

/// How long a living daemon is given to bring its supervisor back.
const RETURN: Duration = Duration::from_secs(5);
/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("the {who} does not answer at {}: is the team up? start it: ai-infra up", .socket.display())]
    Down {
        /// `supervisor` or `daemon`.
        who: &'static str,
        /// Where.
        socket: PathBuf,
    },
    /// The connection ended before the answer came.
    #[error("the {who} went away before it answered ({said}); see: ai-infra status")]
    Lost {
        /// `supervisor` or `daemon`.
        who: &'static str,
        /// What was seen.
        said: String,
    },
    /// It said no.
    #[error("{message}")]
    Refused {
        /// Exit code of the command line.
        exit: u8,
        /// The sentence.
        message: String,
        /// Nearest things that would work.
        hints: Vec<String>,
    },
    /// It asks back; nothing was kept.
    #[error("{message}")]
    Asks {
        /// The question, as a sentence.
        message: String,
        /// What is open.
        proposal: Box<Proposal>,
        /// What else would work.
        hints: Vec<String>,
    },
    /// The answer is of a kind that does not belong to the question.
    #[error(
        "the {who} answered something else than it was asked: versions differ? ai-infra restart"
    )]
    Strange {
        /// `supervisor` or `daemon`.
        who: &'static str,
    },
}

impl ClientError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            ClientError::Refused { exit, .. } => *exit,
            ClientError::Asks { .. } => protocol::exit::WAITS,
            _ => protocol::exit::SERVICE,
        }
    }

    /// Lines to print below the sentence.
    pub fn hints(&self) -> &[String] {
        match self {
            ClientError::Refused { hints, .. } | ClientError::Asks { hints, .. } => hints,
            _ => &[],
        }
    }

    /// Whether asking the same again is right: nobody heard it, or hearing it twice does no harm.
    pub fn may_ask_again(&self, verb: &Verb) -> bool {
        match self {
            ClientError::Down { .. } => true,
            ClientError::Lost { .. } => verb.is_safe_twice(),
            _ => false,
        }
    }

    /// Whether it may be better in a moment: the process is being started again.
    pub fn is_passing(&self) -> bool {
        matches!(self, ClientError::Down { .. } | ClientError::Lost { .. })
    }
}

/// What is asked on a host that works for another host's team.
fn elsewhere(invited: &Invitation) -> ClientError {
    let Invitation {
        team, first, host, ..
    } = invited;
    ClientError::Refused {
        exit: protocol::exit::USAGE,
        message: format!("this host works for team {team} of host {first}: ask there"),
        hints: vec![format!(
            "on {first}: ai-infra run \"…\" --host {host} --workspace /path/on/{host}"
        )],
    }
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    who: &'static str,
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    line: Vec<u8>,
}

impl Client {
    /// To the supervisor of a home.
    pub async fn connect(home: &Home) -> Result<Client, ClientError> {
        if let Ok(Some(invited)) = config::invitation::read(home) {
            return Err(elsewhere(&invited));
        }
        let asked = Instant::now();
        loop {
            match Self::open("supervisor", &home.supervisor_sock()).await {
                // A daemon that lives is about to bring its supervisor back.
                Err(ClientError::Down { .. })
                    if asked.elapsed() < RETURN && has_daemon(home).await =>
                {
                    sleep(LOOK).await;
                }
                opened => return opened,
            }
        }
    }

    /// To the daemon of a home.
    pub async fn connect_daemon(home: &Home) -> Result<Client, ClientError> {
        Self::open("daemon", &home.daemon_sock()).await
    }

    async fn open(who: &'static str, socket: &Path) -> Result<Client, ClientError> {
        let stream = UnixStream::connect(socket)
            .await
            .map_err(|error| match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::Down {
                    who,
                    socket: socket.to_owned(),
                },
                _ => ClientError::Lost {
                    who,
                    said: error.to_string(),
                },
            })?;
        let (reader, writer) = stream.into_split();
        Ok(Client {
            who,
            reader: BufReader::new(reader),
            writer,
            line: Vec::new(),
        })
    }

    fn lost(&self, said: impl ToString) -> ClientError {
        ClientError::Lost {
            who: self.who,
            said: said.to_string(),
        }
    }

    /// Says what is wanted; the lines of the answer are read with [`Client::next`].
    pub async fn send(&mut self, verb: Verb) -> Result<(), ClientError> {
        let mut bytes =
            serde_json::to_vec(&Request::new(verb)).map_err(|error| self.lost(error))?;
        bytes.push(b'\n');
        self.writer
            .write_all(&bytes)
            .await
            .map_err(|error| self.lost(error))
    }

    /// The next line. Cancel-safe: what was read of a line is kept. An `Error` line is an `Err`.
    pub async fn next(&mut self) -> Result<Reply, ClientError> {
        let room = (CONTROL_LINE_BYTES + 1).saturating_sub(self.line.len()) as u64;
        let read = (&mut self.reader)
            .take(room)
            .read_until(b'\n', &mut self.line)
            .await;
        let read = read.map_err(|error| self.lost(error))?;
        if self.line.last() != Some(&b'\n') {
            let said = match read {
                0 => "the connection ended",
                _ if self.line.len() > CONTROL_LINE_BYTES => "its answer is too long",
                _ => "its answer is cut off",
            };
            return Err(self.lost(said));
        }
        let line = std::mem::take(&mut self.line);
        match serde_json::from_slice(&line) {
            Ok(Reply::Error {
                exit,
                message,
                hints,
            }) => Err(ClientError::Refused {
                exit,
                message,
                hints,
            }),
            Ok(Reply::Ask {
                message,
                proposal,
                hints,
            }) => Err(ClientError::Asks {
                message,
                proposal,
                hints,
            }),
            Ok(reply) => Ok(reply),
            Err(_) => Err(ClientError::Strange { who: self.who }),
        }
    }

    /// Asks and waits for the answer, passing over everything before it.
    pub async fn ask(mut self, verb: Verb) -> Result<Answer, ClientError> {
        self.send(verb).await?;
        loop {
            if let Reply::Done { answer } = self.next().await? {
                return Ok(*answer);
            }
        }
    }

    /// The error for an answer of the wrong kind.
    pub fn strange(&self) -> ClientError {
        ClientError::Strange { who: self.who }
    }
}

/// Asks the supervisor one thing. What may be said twice is asked again where the supervisor went away over it and
/// is being brought back; of anything else nobody knows whether it was carried out, so that is said.
pub async fn ask(home: &Home, verb: Verb) -> Result<Answer, ClientError> {
    let asked = Instant::now();
    loop {
        match Client::connect(home).await?.ask(verb.clone()).await {
            // Where nobody listens, it was waited for as long as it is worth while.
            Err(error @ ClientError::Lost { .. })
                if error.may_ask_again(&verb)
                    && asked.elapsed() < RETURN
                    && has_daemon(home).await =>
            {
                sleep(LOOK).await;
            }
            answered => return answered,
        }
    }
}

/// Whether a daemon lives that brings its supervisor back.
async fn has_daemon(home: &Home) -> bool {
    UnixStream::connect(home.daemon_sock()).await.is_ok()
}

/// Hands a file to the supervisor, which keeps it for a request that is going to name it.
///
/// # Errors
/// When it is refused, or the supervisor goes away.
pub async fn keep(home: &Home, name: &str, content: &[u8]) -> Result<Attachment, ClientError> {
    let mut client = Client::connect(home).await?;
    let (name, bytes) = (name.to_owned(), content.len() as u64);
    client.send(Verb::Keep { name, bytes }).await?;
    // Where it does not take all of it, it says why.
    let written = client.writer.write_all(content).await;
    loop {
        match (client.next().await, &written) {
            (Ok(Reply::Done { answer }), _) => match *answer {
                Answer::Kept { attachment } => return Ok(attachment),
                _ => return Err(client.strange()),
            },
            (Ok(_), _) => {}
            (Err(ClientError::Lost { .. }), Err(error)) => return Err(client.lost(error)),
            (Err(error), _) => return Err(error),
        }
    }
}

/// Asks the daemon one thing.
pub async fn ask_daemon(home: &Home, verb: Verb) -> Result<Answer, ClientError> {
    Client::connect_daemon(home).await?.ask(verb).await
}

/// Starts the team when it is not up, the way it ran last. Without tmux on this machine it runs
/// without windows.
///
/// # Errors
/// As [`start::up`].
pub async fn ensure_up(home: &Home, env: &Env, patience: Duration) -> Result<Started, StartError> {
    let no_tmux =
        mode::read(home).is_some_and(|mode| mode.no_tmux) || session::installed().is_err();
    start::up(home, env, no_tmux, patience).await
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use tokio::net::UnixListener;

    /// What a client makes of these bytes, sent after its request was read.
    async fn check(sent: &'static [u8]) -> Result<Answer, ClientError> {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let listener = UnixListener::bind(home.supervisor_sock()).unwrap();
        let server = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = BufReader::new(stream);
            let mut request = String::new();
            stream.read_line(&mut request).await.unwrap();
            assert!(request.contains(r#""verb":"status""#));
            stream.write_all(sent).await.unwrap();
        });
        let answer = ask(&home, Verb::Status).await;
        server.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn answers_are_read_and_everything_else_is_an_error() {
        let good = b"{\"line\":\"state\",\"state\":\"queued\"}\n{\"line\":\"done\",\"answer\":{\"answer\":\"ok\",\"message\":\"m\"}}\n";
        assert!(matches!(check(good).await, Ok(Answer::Ok { .. })));
        let refused = b"{\"line\":\"error\",\"exit\":4,\"message\":\"no\",\"hints\":[\"h\"]}\n";
        let error = check(refused).await.unwrap_err();
        assert_eq!((error.exit_code(), error.hints().len()), (4, 1));
        for bad in [&b""[..], b"{\"line\":\"done\"", b"nonsense\n"] {
            let error = check(bad).await.unwrap_err();
            assert_eq!(error.exit_code(), protocol::exit::SERVICE, "{bad:?}");
        }
    }

    /// What comes of this where the supervisor hears it and dies without an answer; the next one would answer.
    async fn where_one_dies_over_it(verb: Verb) -> Result<Answer, ClientError> {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let _daemon = UnixListener::bind(home.daemon_sock()).unwrap();
        let listener = UnixListener::bind(home.supervisor_sock()).unwrap();
        let server = tokio::spawn(async move {
            for said in [
                &b""[..],
                b"{\"line\":\"done\",\"answer\":{\"answer\":\"ok\",\"message\":\"m\"}}\n",
            ] {
                let mut stream = BufReader::new(listener.accept().await.unwrap().0);
                stream.read_line(&mut String::new()).await.unwrap();
                stream.write_all(said).await.unwrap();
            }
        });
        let answer = ask(&home, verb).await;
        server.abort();
        answer
    }

    #[tokio::test]
    async fn only_what_may_be_said_twice_is_asked_again() {
        for verb in [Verb::Status, Verb::Freeze] {
            let again = where_one_dies_over_it(verb).await;
            assert!(matches!(again, Ok(Answer::Ok { .. })), "{again:?}");
        }
        let said = where_one_dies_over_it(Verb::Thaw).await;
        assert!(matches!(said, Err(ClientError::Lost { .. })), "{said:?}");
    }

    #[tokio::test]
    async fn a_team_that_is_down_is_said_with_the_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let error = ask(&Home::at(folder.path()), Verb::Status)
            .await
            .unwrap_err();
        assert!(
            error.to_string().ends_with("start it: ai-infra up"),
            "{error}"
        );
        assert!(error.is_passing());
        assert_eq!(error.exit_code(), 5);
    }
}
