//! Answers on `run/daemon.sock`. The loop in `run` owns everything; this only carries questions to
//! it. Served are the home's owner and root, proven by the kernel.

use super::error::DaemonError;
use config::home::Home;
use nix::unistd::Uid;
use protocol::control::{Answer, CONTROL_VERSION, Reply, Request, Verb};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Longest request line, in bytes: the daemon's verbs carry nothing.
const LINE_BYTES: u64 = 4096;
/// Longest wait for the request line.
const PATIENCE: Duration = Duration::from_secs(5);

/// What somebody wants, and where the answer goes.
#[derive(Debug)]
pub struct Question {
    /// What.
    pub verb: Verb,
    /// The one line to answer with.
    pub answer: oneshot::Sender<Reply>,
}

/// Listens in place of a daemon that died; the caller holds the lock.
pub fn listen(home: &Home) -> Result<UnixListener, DaemonError> {
    let path = home.daemon_sock();
    let _was_not_there = std::fs::remove_file(&path);
    UnixListener::bind(&path).map_err(DaemonError::io("listen on", &path))
}

/// Takes connections until the loop is gone. Each is served by a task that ends after one answer
/// or when its patience does.
pub async fn serve(listener: UnixListener, questions: mpsc::Sender<Question>) {
    while !questions.is_closed() {
        match listener.accept().await {
            Ok((stream, _)) => {
                tokio::spawn(one(stream, questions.clone()));
            }
            // Out of descriptors: others will be closed.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn one(stream: UnixStream, questions: mpsc::Sender<Question>) {
    let (reader, mut writer) = stream.into_split();
    let allowed = match reader.as_ref().peer_cred() {
        Ok(peer) => peer.uid() == 0 || peer.uid() == Uid::effective().as_raw(),
        Err(_) => false,
    };
    let reply = if allowed {
        let mut line = String::new();
        let mut reader = BufReader::new(reader.take(LINE_BYTES));
        match timeout(PATIENCE, reader.read_line(&mut line)).await {
            Ok(Ok(_)) => answer(&line, &questions).await,
            _ => refuse("no request came"),
        }
    } else {
        refuse("only the owner of this home may talk to its daemon")
    };
    if let Ok(mut bytes) = serde_json::to_vec(&reply) {
        bytes.push(b'\n');
        // Whoever asked may be gone.
        let _gone = writer.write_all(&bytes).await;
    }
}

async fn answer(line: &str, questions: &mpsc::Sender<Question>) -> Reply {
    let request: Request = match serde_json::from_str(line) {
        Ok(request) => request,
        Err(_) => return refuse("that is no request the daemon understands"),
    };
    if request.v > CONTROL_VERSION {
        return refuse("the running team is older than this program: ai-infra restart");
    }
    let (sender, receiver) = oneshot::channel();
    let question = Question {
        verb: request.verb,
        answer: sender,
    };
    if questions.send(question).await.is_err() {
        return refuse("the daemon is ending");
    }
    receiver
        .await
        .unwrap_or_else(|_| refuse("the daemon ended before it could answer"))
}

/// An error line with the usage exit code.
pub fn refuse(message: &str) -> Reply {
    Reply::Error {
        exit: protocol::exit::USAGE,
        message: message.to_owned(),
        hints: Vec::new(),
    }
}

/// The last line of an answer.
pub(super) fn done(answer: Answer) -> Reply {
    Reply::Done {
        answer: Box::new(answer),
    }
}
