//! Questions to the person at the keys: whether it is meant so, and what the answer to a task's question
//! is. Pure.

use protocol::control::Verb;
use protocol::document::QuestionDocument;
use protocol::ids::{ShortId, TaskRef};
use protocol::question::{ANSWER_BYTES, Choice, Said, misfit};
use ratatui::crossterm::event::KeyCode;

/// A question, and what was typed so far.
#[derive(Debug, Clone, PartialEq)]
pub enum Prompt {
    /// Is it meant so?
    Sure {
        /// The question.
        question: String,
        /// What is done on `y`.
        verb: Box<Verb>,
    },
    /// What is the answer?
    Answer {
        /// The task's question.
        asked: Box<QuestionDocument>,
        /// Words typed so far, where words are wanted.
        typed: String,
    },
}

/// What a key did to a prompt.
#[derive(Debug, Clone, PartialEq)]
pub enum Typed {
    /// It stays.
    More,
    /// It is left without an effect.
    Left,
    /// This is to be done.
    Do(Verb),
}

impl Prompt {
    /// Before a task is stopped for good.
    pub fn cancel(task: ShortId) -> Self {
        Self::Sure {
            question: format!("stop {task} for good?"),
            verb: Box::new(Verb::TaskCancel {
                task: TaskRef::Short(task),
            }),
        }
    }

    /// Before the whole team stands still, or goes on.
    pub fn freeze(thaw: bool) -> Self {
        match thaw {
            false => Self::Sure {
                question: "freeze the team: stop every effect in place?".to_owned(),
                verb: Box::new(Verb::Freeze),
            },
            true => Self::Sure {
                question: "thaw the team: let every effect go on?".to_owned(),
                verb: Box::new(Verb::Thaw),
            },
        }
    }

    /// The answer to a task's question.
    pub fn answer(asked: &QuestionDocument) -> Self {
        Self::Answer {
            asked: Box::new(asked.clone()),
            typed: String::new(),
        }
    }

    /// A key was pressed.
    pub fn press(&mut self, key: KeyCode) -> Typed {
        match self {
            Self::Sure { verb, .. } => match key {
                KeyCode::Char('y' | 'Y') => Typed::Do(Verb::clone(verb)),
                _ => Typed::Left,
            },
            Self::Answer { asked, typed } => match key {
                KeyCode::Esc => Typed::Left,
                _ if !asked.question.choices.is_empty() => choose(asked, key),
                KeyCode::Enter => say(asked, typed),
                KeyCode::Backspace => {
                    typed.pop();
                    Typed::More
                }
                KeyCode::Char(letter) if typed.len() < ANSWER_BYTES && !letter.is_control() => {
                    typed.push(letter);
                    Typed::More
                }
                _ => Typed::More,
            },
        }
    }

    /// The line that is shown for it.
    pub fn text(&self) -> String {
        match self {
            Self::Sure { question, .. } => format!("{question}  y yes · any other key no"),
            Self::Answer { asked, typed } => match asked.question.choices.as_slice() {
                [] => format!("answer {}: {typed}▏  Enter sends, Esc leaves", asked.task),
                choices => {
                    let key = |choice: &Choice| format!("{} {choice}", key_of(*choice));
                    let keys: Vec<String> = choices.iter().map(key).collect();
                    format!("answer {}: {} · Esc leave", asked.task, keys.join(" · "))
                }
            },
        }
    }
}

fn key_of(choice: Choice) -> char {
    match choice {
        Choice::Happened => 'h',
        Choice::Again => 'a',
        Choice::Stop => 's',
    }
}

fn choose(asked: &QuestionDocument, key: KeyCode) -> Typed {
    let chosen = |choice: &&Choice| key == KeyCode::Char(key_of(**choice));
    match asked.question.choices.iter().find(chosen) {
        Some(choice) => Typed::Do(verb(
            asked,
            Said {
                choice: Some(*choice),
                text: None,
            },
        )),
        None => Typed::More,
    }
}

fn say(asked: &QuestionDocument, typed: &str) -> Typed {
    let said = Said {
        choice: None,
        text: Some(typed.trim().to_owned()),
    };
    match misfit(&asked.question, &said) {
        None => Typed::Do(verb(asked, said)),
        Some(_) => Typed::More,
    }
}

/// It names the question, so that another one is never answered by mistake.
fn verb(asked: &QuestionDocument, said: Said) -> Verb {
    Verb::TaskAnswer {
        task: TaskRef::Short(asked.task),
        question: Some(asked.number),
        said,
    }
}
