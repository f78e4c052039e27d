//! A plain question, answered by the team's model while it is said. Nothing is begun by it: what it
//! suggests is asked about, and goes the way of any request.

use super::standing::Dialog;
use super::turn::Chat;
use crate::commands;
use crate::failure::Failure;
use crate::render::answer::{Rest, Stream};
use crate::render::text::{money, one_line};
use protocol::control::{Answer, Reply, Submit, Verb};
use protocol::talk::{self, Question};
use std::sync::atomic::Ordering;
use supervisor::client::Client;

/// What is said when somebody stops an answer.
pub(super) const STOPPED: &str =
    "stopped; it stays charged at what was reserved for it, at most a few cents";

impl Chat {
    /// Asks, shows the answer as it comes, and what it cost.
    pub(super) async fn talk(&mut self, asked: Submit) -> Result<(), Failure> {
        self.answering.store(true, Ordering::Relaxed);
        let answered = self.answered(&asked).await;
        self.answering.store(false, Ordering::Relaxed);
        let reply = answered?;
        self.voice.tell("answer", &reply);
        self.exit = protocol::exit::DONE;
        if !self.voice.is_json() {
            self.voice.say(&self.voice.paint.dim(&below(&reply)));
        }
        if let Some(request) = reply.suggests {
            self.sup(&format!(
                "shall the team do this: \"{}\"? yes or no",
                one_line(&request, 1_000)
            ));
            let asked = Submit {
                workspace: self.workspace.clone(),
                ..Submit::words(&request)
            };
            self.standing.dialog = Some(Dialog::Suggested { asked });
        }
        Ok(())
    }

    async fn answered(&self, asked: &Submit) -> Result<talk::Reply, Failure> {
        let mut client = Client::connect(&self.context.home).await?;
        let question = Question {
            conversation: self.conversation.clone(),
            words: asked.request.clone(),
            workspace: self.workspace.clone(),
        };
        client.send(Verb::Talk(Box::new(question))).await?;
        let mut stream = Stream::default();
        loop {
            match client.next().await? {
                Reply::Piece { text } => {
                    if let Some(block) = stream.take(&text) {
                        self.show(&mut stream, &block);
                    }
                }
                Reply::Done { answer } => {
                    let Answer::Talk { reply } = *answer else {
                        return Err(commands::strange());
                    };
                    match stream.rest(&reply.text) {
                        Rest::More(text) => self.show(&mut stream, &text),
                        Rest::Anew(text) => {
                            self.show(&mut stream, &format!("*(the answer began anew)*\n\n{text}"));
                        }
                    }
                    return Ok(*reply);
                }
                _ => {}
            }
        }
    }

    fn show(&self, stream: &mut Stream, markdown: &str) {
        if self.voice.is_json() || markdown.trim().is_empty() {
            return;
        }
        let shown = stream.lay_out(markdown, self.voice.width(), self.voice.paint);
        self.voice.say(&shown);
    }
}

/// What it cost, below an answer.
fn below(reply: &talk::Reply) -> String {
    let usage = &reply.usage;
    let cut = match reply.cut {
        true => " · cut off at its longest: say \"go on\"",
        false => "",
    };
    format!(
        "      {} · {} tokens in, {} out · {}{cut}",
        money(usage.cost.dollars()),
        usage.input_tokens + usage.cache_read_tokens,
        usage.output_tokens,
        one_line(&reply.model, 60)
    )
}
