//! A question of a person and the stream of its answer. A client that goes away ends the call.

use super::line::{self, LineError};
use super::verbs::Refusal;
use crate::desk::Desk;
use crate::talk::{self, Prepared, TalkError};
use protocol::control::{Answer, Reply};
use protocol::talk::Question;
use protocol::task::Principal;
use tokio::io::AsyncWrite;
use tokio::sync::mpsc::unbounded_channel;

/// Answers a question. `gone` ends when the client has gone away.
pub(super) async fn answer(
    desk: &Desk,
    who: &Principal,
    question: &Question,
    writer: &mut (impl AsyncWrite + Unpin),
    gone: impl Future<Output = ()>,
) -> Result<(), LineError> {
    let prepared = match talk::prepare(desk, who, question).await {
        Ok(prepared) => prepared,
        Err(error) => return line::write(writer, &refusal(desk, &error)).await,
    };
    let id = prepared.id;
    let said = stream(desk, prepared, writer, gone).await;
    if said.is_err() {
        talk::lost(desk, Some(id)).await;
    }
    line::write(writer, &said?).await
}

/// Passes the pieces on as they come; gives the last line.
async fn stream(
    desk: &Desk,
    prepared: Prepared,
    writer: &mut (impl AsyncWrite + Unpin),
    gone: impl Future<Output = ()>,
) -> Result<Reply, LineError> {
    // Bounded by what a model says in one answer.
    let (pieces, mut heard) = unbounded_channel();
    let answer = talk::say(desk, prepared, pieces);
    tokio::pin!(answer, gone);
    let ended = loop {
        tokio::select! {
            biased;
            Some(text) = heard.recv() => line::write(writer, &Reply::Piece { text }).await?,
            ended = &mut answer => break ended,
            () = &mut gone => return Err(LineError::Gone),
        }
    };
    while let Ok(text) = heard.try_recv() {
        line::write(writer, &Reply::Piece { text }).await?;
    }
    Ok(match ended {
        Ok(reply) => Reply::Done {
            answer: Box::new(Answer::Talk {
                reply: Box::new(reply),
            }),
        },
        Err(error) => refusal(desk, &error),
    })
}

fn refusal(desk: &Desk, error: &TalkError) -> Reply {
    if let TalkError::Ledger(error) = error {
        desk.note(error);
    }
    Refusal::new(error.exit_code(), error.to_string()).reply()
}
