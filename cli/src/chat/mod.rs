//! Talking with the supervisor: `ai-infra chat`, window 0, or a pipe. A client like any other, over
//! the control socket: it may die or be left at any time, and the team goes on.
//!
//! A line is read (`editor`, on a thread of its own), understood (`meaning`, pure, given what
//! `standing` says is open), carried out (`turn`; `/` commands in `obey`, by the table in `slash` and the
//! command line's own code; leave for an act in `leave`; files for a request in `attach`, plain questions in `talk`), and everything that is said comes out of one mouth (`voice`), above the
//! line that is being typed. `listen` hears what the team does meanwhile.

mod attach;
mod complete;
mod editor;
mod help;
mod hidden;
mod leave;
mod listen;
mod meaning;
mod obey;
mod place;
mod slash;
mod standing;
mod talk;
mod turn;
mod voice;

use crate::args::ChatArgs;
use crate::commands::team;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::paint::Paint;
use crate::render::text::one_line;
use complete::Completions;
use editor::{Line, Setup, Typed};
use listen::{Heard, Own};
use protocol::control::{Answer, Verb};
use protocol::ids::RequestId;
use standing::{Dialog, Standing};
use std::collections::VecDeque;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use supervisor::client;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use turn::Chat;
use voice::Voice;

/// Where a chat runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// In a shell; it may be left.
    Shell,
    /// In window 0; it stays.
    Window,
}

/// Talks until the person leaves. The exit code tells of the last result where it reads a pipe.
///
/// # Errors
/// When the team cannot be started, or the terminal cannot be driven.
pub async fn run(context: Context, args: ChatArgs, place: Where) -> Result<u8, Failure> {
    let terminal = std::io::stdin().is_terminal() && crate::terminal::is_terminal() && !args.json;
    if place == Where::Shell {
        team::ensure(&context).await?;
        team::warn_of_differences(&context);
    }
    let colour = terminal && context.env.colour();
    let line = Arc::new(Line::default());
    let completions = Completions::default();
    let (typed, keyboard) = unbounded_channel();
    let (voice, mouth) = match terminal {
        true => {
            let history = place::folder(&context.home).map(|folder| folder.join("history"));
            let setup = Setup {
                history,
                colour,
                completions: completions.clone(),
            };
            let printer = editor::start(setup, line.clone(), typed).map_err(|error| {
                Failure::usage(format!("this terminal cannot be driven: {error}"))
            })?;
            Voice::above(printer, line, Paint(colour))
        }
        false => {
            tokio::spawn(read_pipe(typed));
            Voice::plain(Paint(false), args.json)
        }
    };
    // Whatever a command prints from here on is said above the line that is being typed.
    let said = voice.clone();
    crate::terminal::redirect(Some(Box::new(move |text| said.say(&obey::shortened(text)))));
    let (heard, ears) = unbounded_channel();
    let talked = match make(context, args, place, voice, heard, completions) {
        Ok(chat) => Ok(talk(chat, keyboard, ears, (place, terminal)).await),
        Err(failure) => Err(failure),
    };
    crate::terminal::redirect(None);
    if !terminal {
        mouth.finish();
    }
    talked
}

fn make(
    context: Context,
    args: ChatArgs,
    place: Where,
    voice: Voice,
    heard: UnboundedSender<Heard>,
    completions: Completions,
) -> Result<Chat, Failure> {
    let here = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
    let user_home = context.env.get("HOME").map(PathBuf::from);
    let workspace = match (&args.workspace, place) {
        (Some(named), _) => Some(place::resolve(
            &named.to_string_lossy(),
            &here,
            context.env.get("HOME"),
        )?),
        // Whoever stands in their home may ask about the host all the same.
        (None, Where::Shell) => match guard::clone::check_workspace(&here, &context.home.root) {
            Ok(_) => Some(here.clone()),
            Err(why) => {
                let why = one_line(&why.to_string(), 300);
                voice.say(&format!("note: requests have no folder: {why}\n"));
                None
            }
        },
        (None, Where::Window) => place::read(&context.home),
    };
    let from = match place {
        Where::Shell => workspace.clone().unwrap_or(here),
        Where::Window => workspace.clone().or(user_home.clone()).unwrap_or(here),
    };
    let agents: Vec<_> = match context.settings() {
        Ok(settings) => settings
            .agents
            .iter()
            .map(|agent| agent.name.clone())
            .collect(),
        Err(_) => Vec::new(),
    };
    let playbooks = config::playbooks::all(&context.home).unwrap_or_default();
    completions.learn(|names| {
        names.agents = agents.iter().map(ToString::to_string).collect();
        names.folder.clone_from(&from);
        names.user_home = user_home;
        let named = playbooks
            .iter()
            .map(|(origin, _)| crate::commands::playbook::name_of(origin));
        names.playbooks = named.map(str::to_owned).collect();
    });
    Ok(Chat {
        context,
        voice,
        standing: Standing::default(),
        own: Own::default(),
        heard,
        completions,
        workspace,
        from,
        agents,
        exit: protocol::exit::DONE,
        left: false,
        conversation: RequestId::new(),
        answering: Arc::default(),
    })
}

/// Lines of a pipe, one a request. Bounded by what the supervisor takes.
async fn read_pipe(typed: UnboundedSender<Typed>) {
    let mut input = BufReader::new(tokio::io::stdin());
    loop {
        let mut bytes = Vec::new();
        let most = protocol::limits::REQUEST_BYTES as u64 + 1;
        let read = (&mut input).take(most).read_until(b'\n', &mut bytes).await;
        let line = match read {
            Ok(0) | Err(_) => Typed::End,
            Ok(_) => Typed::Line(String::from_utf8_lossy(&bytes).into_owned()),
        };
        let last = matches!(line, Typed::End);
        if typed.send(line).is_err() || last {
            return;
        }
    }
}

async fn talk(
    mut chat: Chat,
    mut keyboard: UnboundedReceiver<Typed>,
    mut ears: UnboundedReceiver<Heard>,
    (place, terminal): (Where, bool),
) -> u8 {
    if terminal {
        chat.greet(place).await;
        let (context, voice) = (chat.context.clone(), chat.voice.clone());
        let watch = listen::watch(context, voice, chat.own.clone(), chat.heard.clone());
        tokio::spawn(watch);
    }
    let mut typed: VecDeque<Typed> = VecDeque::new();
    loop {
        // On a pipe one request ends before the next begins.
        let free = terminal || chat.standing.running.is_empty();
        if let Some(next) = typed.pop_front_if(|_| free) {
            match next {
                Typed::Line(line) => take(&mut chat, &line, &mut keyboard, &mut typed).await,
                Typed::Leave(typed) => chat.gives_leave(typed).await,
                Typed::Interrupt { cleared } => chat.interrupted(cleared),
                Typed::End if place == Where::Window => chat.stays(),
                Typed::End => chat.left = true,
            }
            if chat.left && place == Where::Window {
                chat.left = false;
                chat.stays();
            }
            if chat.left {
                break;
            }
            continue;
        }
        tokio::select! {
            next = keyboard.recv() => typed.push_back(next.unwrap_or(Typed::End)),
            Some(heard) = ears.recv() => chat.hears(heard),
        }
    }
    // A suggestion that nobody took up is no open question.
    let open = (chat.standing.dialog).is_some_and(|d| !matches!(d, Dialog::Suggested { .. }));
    match (terminal, open) {
        (true, _) => protocol::exit::DONE,
        (false, true) => protocol::exit::WAITS,
        (false, false) => chat.exit,
    }
}

/// Does what a line asks for, while the keyboard is still read: Ctrl-C lets go of it.
async fn take(
    chat: &mut Chat,
    line: &str,
    keyboard: &mut UnboundedReceiver<Typed>,
    typed: &mut VecDeque<Typed>,
) {
    let voice = chat.voice.clone();
    let answering = chat.answering.clone();
    let doing = chat.take(line);
    tokio::pin!(doing);
    loop {
        tokio::select! {
            () = &mut doing => return,
            next = keyboard.recv() => match next {
                Some(Typed::Interrupt { cleared: false }) => {
                    voice.say(match answering.swap(false, Ordering::Relaxed) {
                        true => talk::STOPPED,
                        false => "let go of; whether it was handed in: /tasks",
                    });
                    return;
                }
                // The keyboard would wait for it, and Ctrl-C with it.
                Some(Typed::Leave(_)) => voice.say(leave::LATER),
                Some(next) => typed.push_back(next),
                None => return doing.await,
            }
        }
    }
}

impl Chat {
    /// The first words: what waits for the person comes first.
    async fn greet(&mut self, place: Where) {
        let settings = self.context.settings().ok();
        let engine = match &settings {
            Some(settings) if settings.engine.api_key.is_some() => "thinks with Claude".to_owned(),
            Some(settings) => format!("engine: {}, no model", settings.engine.name.as_str()),
            None => String::new(),
        };
        let folder = match &self.workspace {
            Some(folder) => folder.display().to_string(),
            None => "none, /workspace DIR sets one".to_owned(),
        };
        let leave = match place {
            Where::Window => "Ctrl-b d leaves it working",
            Where::Shell => "Ctrl-D leaves, the team goes on",
        };
        let head = format!(
            "ai-infra {} · {engine} · {leave}",
            env!("CARGO_PKG_VERSION")
        );
        let paint = self.voice.paint;
        self.voice.say(&format!(
            "{}\n{}",
            paint.bold(&head),
            paint.dim(&format!(
                "folder: {folder} · say what should be true, or /help"
            ))
        ));
        let Ok(Answer::Status { status }) = client::ask(&self.context.home, Verb::Status).await
        else {
            return;
        };
        let backups = status.backups.iter();
        for said in backups.flat_map(|backups| backups.alarms.iter().chain(&backups.notes)) {
            self.voice.say(
                &self
                    .voice
                    .paint
                    .waits(&crate::render::text::one_line(said, 300)),
            );
        }
        let running = status.running + status.queued;
        if running > 0 {
            let tasks = crate::render::text::count(running, "task is", "tasks are");
            self.sup(&format!("{tasks} being worked on: /tasks"));
        }
        let kept = backup::sync::Report::last(&self.context.home);
        if let Some(waits) = kept.and_then(|report| report.problem()) {
            self.sup(&crate::render::text::safe(&waits));
        }
        for asked in status.questions {
            self.asks(asked);
        }
        self.standing.just_asked = None;
    }

    fn hears(&mut self, heard: Heard) {
        match heard {
            Heard::Rests(document) => self.rests(&document),
            Heard::Asks(asked) => self.asks(*asked),
            Heard::Lost(task, why) => {
                self.standing.running.remove(&task);
                self.sup(&format!("{task} is not shown any more: {why}"));
            }
        }
    }

    fn interrupted(&mut self, cleared: bool) {
        if cleared {
            return;
        }
        if self.standing.dialog.take().is_some() {
            return self.sup("left as it is");
        }
        let running: Vec<String> = self
            .standing
            .running
            .iter()
            .map(|t| format!("/cancel {t}"))
            .collect();
        match running.as_slice() {
            [] => self.sup("nothing runs for you here; Ctrl-D leaves"),
            all => self.sup(&format!(
                "to stop what runs: {}; Ctrl-D leaves, and it goes on",
                all.join(", ")
            )),
        }
    }

    fn stays(&self) {
        self.sup("this window stays: Ctrl-b d leaves it working, ai-infra down stops the team");
    }
}
