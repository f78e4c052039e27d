//! What a waiting task asks a person, and what the person may answer.

use crate::approval::TicketId;
use crate::task::Principal;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Longest free answer, in bytes: it travels in one journal entry.
pub const ANSWER_BYTES: usize = 2000;

/// What can be said about a call of which nobody knows whether it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Choice {
    /// It happened: go on after it.
    Happened,
    /// It did not happen: make the call.
    Again,
    /// Neither: the task fails.
    Stop,
}

impl Choice {
    /// Every choice, in the order people are shown them.
    pub const ALL: [Choice; 3] = [Choice::Happened, Choice::Again, Choice::Stop];

    /// The word a person types.
    pub fn as_str(self) -> &'static str {
        match self {
            Choice::Happened => "happened",
            Choice::Again => "again",
            Choice::Stop => "stop",
        }
    }

    /// What it means, for people.
    pub fn meaning(self) -> &'static str {
        match self {
            Choice::Happened => "it happened: go on after it",
            Choice::Again => "it did not happen: make the call",
            Choice::Stop => "neither: the task fails",
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something that is known about what is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// What it is about, such as `begun`.
    pub what: String,
    /// What is known.
    pub value: String,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// The step of the journal that waits.
    pub step: String,
    /// The exact question, a sentence.
    pub text: String,
    /// What is known.
    #[serde(default)]
    pub known: Vec<Known>,
    /// What may be answered; empty where words are wanted.
    #[serde(default)]
    pub choices: Vec<Choice>,
    /// The ticket it is about, where it asks for leave: the warden takes the answer, nobody else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<TicketMark>,
}

/// A ticket as a question names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TicketMark {
    /// Its number.
    pub id: TicketId,
    /// The four characters that stand for what it is for.
    pub mark: String,
    /// Until when it can be answered.
    pub expires: Timestamp,
    /// The host whose warden keeps it, where that is not the team's first one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// What a person says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// One of the choices.
    #[serde(default)]
    pub choice: Option<Choice>,
    /// Words: the answer where there are no choices, else a remark that is kept with it.
    #[serde(default)]
    pub text: Option<String>,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.choice, &self.text) {
            (Some(choice), _) => write!(f, "{choice}"),
            (None, Some(text)) => write!(f, "\"{text}\""),
            (None, None) => f.write_str("nothing"),
        }
    }
}

/// An answer as it is kept and shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// What was said.
    #[serde(flatten)]
    pub said: Said,
    /// Who said it, proven by the kernel.
    pub by: Principal,
    /// When.
    pub at: Timestamp,
}

/// Why an answer does not fit its question, as a sentence; `None` when it does.
pub fn misfit(question: &Question, said: &Said) -> Option<String> {
    let words: Vec<&str> = question.choices.iter().map(|c| c.as_str()).collect();
    let long = said.text.as_ref().is_some_and(|t| t.len() > ANSWER_BYTES);
    match (&said.choice, &said.text) {
        _ if long => Some(format!(
            "an answer has at most {ANSWER_BYTES} bytes: say it shorter"
        )),
        (Some(choice), _) if !question.choices.contains(choice) => Some(match words.is_empty() {
            true => "this question wants words: --text \"…\"".to_owned(),
            false => format!("`{choice}` is no answer to this: say {}", words.join(", ")),
        }),
        (None, _) if !words.is_empty() => {
            Some(format!("this question wants one of {}", words.join(", ")))
        }
        (None, text) if text.as_deref().unwrap_or_default().trim().is_empty() => {
            Some("this question wants words: --text \"…\"".to_owned())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(
        choices: &[Choice],
        choice: Option<Choice>,
        text: Option<&str>,
        expected: Option<&str>,
    ) {
        let question = Question {
            step: "s".to_owned(),
            text: "did it?".to_owned(),
            known: Vec::new(),
            choices: choices.to_vec(),
            ticket: None,
        };
        let said = Said {
            choice,
            text: text.map(str::to_owned),
        };
        let misfit = misfit(&question, &said);
        match expected {
            None => assert_eq!(misfit, None),
            Some(words) => assert!(
                misfit.as_deref().is_some_and(|m| m.contains(words)),
                "{misfit:?}"
            ),
        }
    }

    #[test]
    fn an_answer_fits_its_question() {
        let all = &Choice::ALL;
        let long = "x".repeat(ANSWER_BYTES + 1);
        check(all, Some(Choice::Again), None, None);
        check(all, Some(Choice::Again), Some("I looked"), None);
        check(all, None, Some("yes"), Some("one of happened, again, stop"));
        check(
            &[Choice::Stop],
            Some(Choice::Again),
            None,
            Some("no answer"),
        );
        check(&[], Some(Choice::Again), None, Some("wants words"));
        check(&[], None, Some(" "), Some("wants words"));
        check(&[], None, Some("blue"), None);
        check(&[], None, Some(&long), Some("shorter"));
    }
}
