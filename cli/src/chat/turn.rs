//! One turn: what a line asks for is found out, shown, asked for where something is open, handed in
//! and followed. What a line means is decided in `meaning`; this carries it out.

use super::complete::Completions;
use super::listen::{self, Heard, Own};
use super::meaning::{Meaning, meaning};
use super::standing::{Dialog, Standing};
use super::voice::Voice;
use crate::commands::{self, run};
use crate::context::Context;
use crate::failure::Failure;
use crate::render::result::worked;
use crate::render::{proposal, text, turn};
use protocol::control::{Answer, Submit, Verb};
use protocol::document::{QuestionDocument, RunDocument};
use protocol::ids::{RequestId, ShortId, TaskRef};
use protocol::proposal::Proposal;
use protocol::question::Said;
use protocol::task_state::TaskState;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use supervisor::client::{self, ClientError};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Instant, sleep};

/// How long a supervisor that is away is waited for, before a line is given back.
const AWAY: Duration = Duration::from_secs(30);

/// How words are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// As they read: a plain question is answered.
    AsSaid,
    /// As a request, though they ask something.
    Request,
}

/// The conversation.
pub struct Chat {
    pub(super) context: Context,
    pub(super) voice: Voice,
    pub(super) standing: Standing,
    pub(super) own: Own,
    pub(super) heard: UnboundedSender<Heard>,
    pub(super) completions: Completions,
    /// The folder that requests are about.
    pub(super) workspace: Option<PathBuf>,
    /// Where relative paths begin.
    pub(super) from: PathBuf,
    /// Names of the agents.
    pub(super) agents: Vec<protocol::ids::Role>,
    /// The exit code, where the chat reads a pipe.
    pub(super) exit: u8,
    /// Somebody asked to leave.
    pub(super) left: bool,
    /// What plain questions and their answers belong to.
    pub(super) conversation: RequestId,
    /// An answer is being said.
    pub(super) answering: Arc<AtomicBool>,
}

impl Chat {
    /// Takes a line in and does what it asks for.
    pub async fn take(&mut self, line: &str) {
        let agents = self.agents.clone();
        let meant = meaning(line, &self.standing, |role| agents.contains(role));
        let done = match meant {
            Meaning::Nothing => Ok(()),
            Meaning::Slash(line) => self.slash(&line).await,
            Meaning::Misfit(why) => {
                self.sup(&why);
                Ok(())
            }
            Meaning::NeverMind | Meaning::Sure(false) => {
                self.standing.dialog = None;
                self.sup("left as it is");
                Ok(())
            }
            Meaning::Answer(said) => self.answer(None, said).await,
            Meaning::Rate(task, number) => {
                let words = ["task", "rate", &task.to_string(), &number.to_string()];
                self.cli(&words.map(str::to_owned)).await
            }
            Meaning::Tell(task, text) => self.tell(task, text).await,
            Meaning::Chosen(at) => self.chosen(at).await,
            Meaning::Value(value) => self.value(value).await,
            Meaning::Sure(true) => match self.standing.dialog.take() {
                Some(Dialog::Sure { asked }) => self.hand_in(asked).await,
                Some(Dialog::Suggested { asked }) => self.consider(asked, Form::Request).await,
                Some(Dialog::Attach { picked }) => self.keep(picked).await,
                _ => Ok(()),
            },
            Meaning::Ask(words, agent) => {
                self.standing.dialog = None;
                self.standing.just_asked = None;
                let asked = Submit {
                    agent,
                    workspace: self.workspace.clone(),
                    attachments: self.standing.attached.clone(),
                    ..Submit::words(&words)
                };
                self.consider(asked, Form::AsSaid).await
            }
        };
        if let Err(failure) = done {
            self.failed(&failure);
        }
    }

    pub(super) fn sup(&self, words: &str) {
        let (width, paint) = (self.voice.width(), self.voice.paint);
        self.voice.say(&proposal::sup(words, width, paint));
    }

    pub(super) fn failed(&mut self, failure: &Failure) {
        self.exit = failure.exit;
        let told = text::failure(failure);
        let told = told.strip_prefix("error: ").unwrap_or(&told);
        let (first, rest) = told.split_once('\n').unwrap_or((told, ""));
        self.sup(first);
        let rest: String = rest.lines().map(|line| format!("    {line}\n")).collect();
        if !rest.is_empty() {
            self.voice.say(&rest);
        }
    }

    /// Asks the supervisor; one that is being started again is waited for.
    pub(super) async fn ask(&self, verb: Verb) -> Result<Answer, ClientError> {
        let began = Instant::now();
        loop {
            match client::ask(&self.context.home, verb.clone()).await {
                Err(error) if error.may_ask_again(&verb) && began.elapsed() < AWAY => {
                    sleep(Duration::from_millis(100)).await;
                }
                answered => return answered,
            }
        }
    }

    /// Finds out what would be done; does it where nothing is open.
    async fn consider(&mut self, asked: Submit, form: Form) -> Result<(), Failure> {
        let answer = self.ask(Verb::Propose(Box::new(asked.clone()))).await?;
        let Answer::Proposed { proposal } = answer else {
            return Err(commands::strange());
        };
        self.voice.tell("proposal", &proposal);
        let (width, paint) = (self.voice.width(), self.voice.paint);
        match *proposal {
            Proposal::Talk(_) if form == Form::AsSaid => return self.talk(asked).await,
            Proposal::Ready(ready) | Proposal::Talk(ready) => {
                self.say_text(&proposal::ready(&ready, width, paint));
                if let Some(why) = &ready.confirm {
                    self.sup(&format!("{why}: do it? yes or no"));
                    self.standing.dialog = Some(Dialog::Sure { asked });
                } else {
                    return self.hand_in(asked).await;
                }
            }
            Proposal::Missing {
                playbook,
                params,
                wanted,
                ..
            } => {
                if let Some(first) = wanted.first() {
                    self.say_text(&proposal::wanted(&playbook, first, width, paint));
                }
                self.standing.dialog = Some(Dialog::Value {
                    asked,
                    playbook,
                    params,
                    wanted,
                });
            }
            Proposal::Several { candidates } => {
                self.sup(match candidates.len() {
                    1 => "did you mean this? say 1, or never mind",
                    _ => "this fits more than one playbook: which? (say the number)",
                });
                self.say_text(&proposal::candidates(&candidates, width, paint));
                self.standing.dialog = Some(Dialog::Which { asked, candidates });
            }
            Proposal::NoWay { nearest, model } => {
                self.sup(&format!(
                    "no playbook covers this, and there is no model to think about it. {model}"
                ));
                self.exit = protocol::exit::USAGE;
                if !nearest.is_empty() {
                    self.say_text(
                        "      the nearest of what works without one (say the number):\n",
                    );
                    self.say_text(&proposal::candidates(&nearest, width, paint));
                    let candidates = nearest;
                    self.standing.dialog = Some(Dialog::Which { asked, candidates });
                }
            }
        }
        Ok(())
    }

    /// Text that JSON lines tell in another way.
    fn say_text(&self, text: &str) {
        if !self.voice.is_json() {
            self.voice.say(text);
        }
    }

    async fn chosen(&mut self, at: usize) -> Result<(), Failure> {
        match self.standing.dialog.take() {
            Some(Dialog::Which { asked, candidates }) => match candidates.into_iter().nth(at) {
                Some(chosen) => {
                    let playbook = Some((chosen.playbook, chosen.params));
                    self.exit = protocol::exit::DONE;
                    self.consider(Submit { playbook, ..asked }, Form::Request)
                        .await
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }

    /// A value that was asked for: the supervisor says whether it fits, and what is asked next.
    async fn value(&mut self, value: String) -> Result<(), Failure> {
        let Some(Dialog::Value {
            asked,
            playbook,
            params,
            wanted,
        }) = self.standing.dialog.take()
        else {
            return Ok(());
        };
        let Some(name) = wanted.first().map(|wanted| wanted.name.clone()) else {
            return Ok(());
        };
        let mut given = params.clone();
        given.insert(name, Value::String(value));
        let with = Submit {
            playbook: Some((playbook.clone(), given)),
            ..asked.clone()
        };
        let considered = self.consider(with, Form::Request).await;
        if let Err(failure) = &considered
            && failure.exit == protocol::exit::USAGE
        {
            // It did not fit: the same is asked again.
            self.standing.dialog = Some(Dialog::Value {
                asked,
                playbook,
                params,
                wanted,
            });
        }
        considered
    }

    /// Hands a request in and follows it.
    async fn hand_in(&mut self, asked: Submit) -> Result<(), Failure> {
        self.accepted(Verb::Submit(Box::new(asked))).await?;
        self.standing.attached.clear();
        Ok(())
    }

    pub(super) async fn accepted(&mut self, verb: Verb) -> Result<(), Failure> {
        let (line, again) = run::hand_in(&self.context, verb).await?;
        self.own.add(line.short_id);
        self.voice.tell("accepted", &line);
        let (id, paint) = (line.short_id, self.voice.paint);
        let again = if again { " (handed in before)" } else { "" };
        let due = line.due.map_or(String::new(), |due| {
            format!(" · begins {}", text::until(due, jiff::Timestamp::now()))
        });
        self.say_text(&format!(
            "{}\n",
            paint.dim(&format!(
                "      it is {id}{again}{due} · /cancel {id} stops it"
            ))
        ));
        self.follow(id, line.agent);
        Ok(())
    }

    /// Shows what a task does, until it rests.
    pub(super) fn follow(&mut self, task: ShortId, agent: protocol::ids::Role) {
        self.own.add(task);
        self.standing.newest = Some(task);
        self.completions.learn(|names| names.task(task));
        if !self.standing.running.insert(task) {
            return;
        }
        let (context, voice) = (self.context.clone(), self.voice.clone());
        tokio::spawn(listen::follow(
            context,
            voice,
            (task, agent),
            self.heard.clone(),
        ));
    }

    /// A followed task rests.
    pub(super) fn rests(&mut self, document: &RunDocument) {
        let task = document.short_id;
        self.standing.running.remove(&task);
        self.standing.answered(task);
        self.voice.tell("result", document);
        self.exit = document.state.exit_code();
        let took = worked(&document.phases);
        let (width, paint) = (self.voice.width(), self.voice.paint);
        self.say_text(&turn::result(document, took, width, paint));
        if document.state.is_final() {
            self.standing.last = Some(task);
        }
        let waits = matches!(document.state, TaskState::Waiting { .. });
        let open = document
            .questions
            .iter()
            .rfind(|asked| asked.answer.is_none());
        if let Some(asked) = open.filter(|_| waits) {
            self.asks(asked.clone());
        }
    }

    /// A task asks a person.
    pub(super) fn asks(&mut self, asked: QuestionDocument) {
        let (width, paint) = (self.voice.width(), self.voice.paint);
        self.say_text(&turn::question(&asked, width, paint));
        self.standing.newest = Some(asked.task);
        self.standing.asks(asked);
    }

    /// Answers the question of a task, the one shown last where none is named.
    pub(super) async fn answer(
        &mut self,
        task: Option<TaskRef>,
        said: Said,
    ) -> Result<(), Failure> {
        let asked = match task {
            None => self.standing.questions.last(),
            Some(TaskRef::Short(id)) => self.standing.questions.iter().rfind(|q| q.task == id),
            Some(TaskRef::Id(_)) => None,
        };
        let Some(task) = task.or(asked.map(|asked| TaskRef::Short(asked.task))) else {
            self.sup("no task asks anything: /status says what waits for you");
            return Ok(());
        };
        let question = asked.map(|asked| asked.number);
        let verb = Verb::TaskAnswer {
            task,
            question,
            said,
        };
        match self.ask(verb).await? {
            Answer::Ok { message } | Answer::Text { text: message } => self.sup(&message),
            _ => return Err(commands::strange()),
        }
        self.follow_again(task).await;
        Ok(())
    }

    /// Follows a task that goes on.
    pub(super) async fn follow_again(&mut self, task: TaskRef) {
        if let Ok(Answer::Task { page }) = self.ask(Verb::TaskShow { task }).await {
            self.standing.answered(page.task.short_id);
            self.follow(page.task.short_id, page.document.agent.clone());
        }
    }

    /// Words to a task, and what becomes of them.
    async fn tell(&mut self, task: ShortId, text: String) -> Result<(), Failure> {
        let task = TaskRef::Short(task);
        match self.ask(Verb::TaskTell { task, text }).await? {
            Answer::Ok { message } | Answer::Text { text: message } => self.sup(&message),
            _ => return Err(commands::strange()),
        }
        self.follow_again(task).await;
        Ok(())
    }
}
