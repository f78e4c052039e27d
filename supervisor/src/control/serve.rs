//! Takes connections and serves each in a task of its own, so that a slow or hung client costs
//! nobody else anything. A task ends with its client, or when the client's patience is over.

use super::line::{self, LineError};
use super::talk;
use super::verbs::{self, Refusal, VerbError};
use crate::again;
use crate::attached;
use crate::dead;
use crate::desk::{Desk, SharedDesk};
use crate::follow::{Follower, told};
use crate::intake::{self, Accepted};
use crate::principal;
use crate::schedules;
use crate::schedules::desk::Begun;
use nix::unistd::Uid;
use protocol::control::{Answer, CONTROL_VERSION, Reply, Request, Verb};
use protocol::exit;
use protocol::ids::TaskRef;
use protocol::report::Progress;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::{sleep, timeout};

/// Most clients at a time; the next waits.
const CLIENTS: usize = 256;
/// Longest silence before a request.
const SILENCE: Duration = Duration::from_secs(120);

type Reader = BufReader<OwnedReadHalf>;

/// Serves clients for ever.
pub async fn serve(desk: SharedDesk, listener: UnixListener) {
    let places = Arc::new(Semaphore::new(CLIENTS));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let desk = desk.clone();
                tokio::spawn(async move {
                    if let Err(error) = client(&desk, stream).await {
                        tracing::debug!(%error, "a client");
                    }
                    drop(place);
                });
            }
            // Out of descriptors: others will be closed.
            Err(error) => {
                tracing::warn!(%error, "a connection could not be taken");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn client(desk: &Desk, stream: UnixStream) -> Result<(), LineError> {
    let peer = stream.peer_cred()?.uid();
    let (reader, mut writer) = stream.into_split();
    let mut reader = BufReader::new(reader);
    let who = match principal::admit(peer, Uid::effective().as_raw()) {
        Ok(who) => who,
        Err(stranger) => {
            tracing::warn!(peer, "a stranger at the control socket");
            let refusal = Refusal::new(exit::REFUSED, stranger.to_string());
            return line::write(&mut writer, &refusal.reply()).await;
        }
    };
    loop {
        let line = match timeout(SILENCE, line::read(&mut reader)).await {
            Ok(Ok(line)) => line,
            Ok(Err(LineError::Gone)) | Err(_) => return Ok(()),
            Ok(Err(error @ LineError::TooLong)) => {
                let refusal = Refusal::new(exit::USAGE, error.to_string());
                return line::write(&mut writer, &refusal.reply()).await;
            }
            Ok(Err(error)) => return Err(error),
        };
        match request(&line) {
            Ok(Verb::Follow { task }) => follow(desk, &mut reader, &mut writer, task).await?,
            Ok(Verb::MemoryReindex) => reindex(desk, &mut writer).await?,
            Ok(Verb::Watch) => return watch(desk, &mut reader, &mut writer).await,
            Ok(Verb::Submit(asked)) => {
                let accepted = intake::submit(desk, who.clone(), *asked).await;
                accept(desk, &mut writer, accepted.map_err(VerbError::from)).await?;
            }
            Ok(Verb::Talk(question)) => {
                let gone = gone(&mut reader);
                talk::answer(desk, &who, &question, &mut writer, gone).await?;
            }
            Ok(Verb::Keep { name, bytes }) => {
                let reply = match attached::keep(desk, &mut reader, &name, bytes).await {
                    Ok(attachment) => done(Answer::Kept { attachment }),
                    Err(error) => Refusal::new(error.exit_code(), error.to_string()).reply(),
                };
                line::write(&mut writer, &reply).await?;
            }
            Ok(Verb::TaskRetry { task, request_id }) => {
                let accepted = again::retry(desk, who.clone(), task, request_id).await;
                accept(desk, &mut writer, accepted.map_err(VerbError::from)).await?;
            }
            Ok(Verb::ScheduleRun { name, request_id }) => {
                match schedules::desk::run(desk, &who, &name, request_id).await {
                    Ok(Begun::Said(message)) => {
                        line::write(&mut writer, &done(Answer::Ok { message })).await?;
                    }
                    Ok(Begun::Task(accepted)) => accept(desk, &mut writer, Ok(*accepted)).await?,
                    Err(error) => accept(desk, &mut writer, Err(error.into())).await?,
                }
            }
            Ok(Verb::DeadReplay { id }) => {
                let accepted = dead::replay(desk, who.clone(), &id).await;
                accept(desk, &mut writer, accepted.map_err(VerbError::from)).await?;
            }
            Ok(verb) => {
                let reply = match verbs::answer(desk, &who, verb).await {
                    Ok(answer) => done(answer),
                    Err(refusal) => refusal.reply(),
                };
                line::write(&mut writer, &reply).await?;
            }
            Err(refusal) => line::write(&mut writer, &refusal.reply()).await?,
        }
    }
}

/// Reads a request. The version is looked at first, so that a newer client is told so whatever
/// else it says.
fn request(line: &[u8]) -> Result<Verb, Refusal> {
    #[derive(serde::Deserialize)]
    struct Version {
        v: u32,
    }
    let strange = |e: serde_json::Error| {
        Refusal::new(
            exit::USAGE,
            format!("that is no request this supervisor understands: {e}"),
        )
    };
    let Version { v } = serde_json::from_slice(line).map_err(strange)?;
    if v > CONTROL_VERSION {
        return Err(Refusal::new(
            exit::USAGE,
            "the running team is older than this program: ai-infra restart".to_owned(),
        ));
    }
    let request: Request = serde_json::from_slice(line).map_err(strange)?;
    Ok(request.verb)
}

fn done(answer: Answer) -> Reply {
    Reply::Done {
        answer: Box::new(answer),
    }
}

/// Answers a request that makes a task.
async fn accept(
    desk: &Desk,
    writer: &mut OwnedWriteHalf,
    accepted: Result<Accepted, VerbError>,
) -> Result<(), LineError> {
    match accepted {
        Ok(accepted) => {
            if let Some(text) = accepted.notice {
                let progress = Box::new(Progress::Note { text });
                line::write(writer, &Reply::Event { progress }).await?;
            }
            let task = Box::new(accepted.line);
            let again = accepted.again;
            line::write(writer, &Reply::Accepted { task, again }).await
        }
        Err(error) => {
            let refusal = Refusal::of(desk, error);
            line::write(writer, &refusal.reply()).await
        }
    }
}

async fn follow(
    desk: &Desk,
    reader: &mut Reader,
    writer: &mut OwnedWriteHalf,
    task: TaskRef,
) -> Result<(), LineError> {
    let refuse = |error: crate::ledger::store::LedgerError| Refusal::of(desk, error.into()).reply();
    let id = match desk.ledger.find(task).await {
        Ok(open) => open.task.id,
        Err(error) => return line::write(writer, &refuse(error)).await,
    };
    let mut follower = Follower::new(desk, id);
    loop {
        let next = tokio::select! {
            next = follower.next(desk) => next,
            () = gone(reader) => return Err(LineError::Gone),
        };
        match next {
            Ok(Some(lines)) => {
                for reply in &lines {
                    line::write(writer, reply).await?;
                }
            }
            Ok(None) => break,
            Err(error) => return line::write(writer, &refuse(error)).await,
        }
    }
    let reply = match desk.ledger.document(TaskRef::Id(id)).await {
        Ok(document) => done(Answer::Run {
            document: Box::new(document),
        }),
        Err(error) => refuse(error),
    };
    line::write(writer, &reply).await
}

/// Makes the memory's index anew and tells how far it is.
async fn reindex(desk: &Desk, writer: &mut OwnedWriteHalf) -> Result<(), LineError> {
    let (tell, mut told) = unbounded_channel();
    let work = desk.memory.reindex(tell);
    tokio::pin!(work);
    let done = loop {
        tokio::select! {
            done = &mut work => break done,
            Some(text) = told.recv() => {
                let progress = Box::new(Progress::Note { text });
                line::write(writer, &Reply::Event { progress }).await?;
            }
        }
    };
    let reply = match done {
        Ok(records) => done_reindexing(records),
        Err(error) => Refusal::of(desk, error.into()).reply(),
    };
    line::write(writer, &reply).await
}

fn done_reindexing(records: usize) -> Reply {
    let message = format!("the index holds {records} records, made from their files");
    done(Answer::Ok { message })
}

/// Tells what happens to every task and to the team, until the client goes away.
async fn watch(
    desk: &Desk,
    reader: &mut Reader,
    writer: &mut OwnedWriteHalf,
) -> Result<(), LineError> {
    let (mut happenings, mut words) = (desk.hub.listen(), desk.hub.listen_to_words());
    loop {
        let reply = tokio::select! {
            happening = happenings.recv() => match happening {
                Ok(happening) => Reply::Happened {
                    task: happening.short_id,
                    agent: happening.agent.clone(),
                    told: Box::new(told(happening.event.clone())),
                },
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return Ok(()),
            },
            said = words.recv() => match said {
                Ok(text) => Reply::Event { progress: Box::new(Progress::Note { text }) },
                Err(RecvError::Lagged(_)) => continue,
                Err(RecvError::Closed) => return Ok(()),
            },
            () = gone(reader) => return Err(LineError::Gone),
        };
        line::write(writer, &reply).await?;
    }
}

/// Waits until the client has closed its side. What it says meanwhile is passed over.
async fn gone(reader: &mut Reader) {
    let mut passed = [0u8; 256];
    while matches!(reader.read(&mut passed).await, Ok(n) if n > 0) {}
}
