//! Where a conversation stands: what was asked and not answered yet, which result a number would
//! rate, which tasks run.

use crate::files::Picked;
use protocol::attachment::Attachment;
use protocol::control::Submit;
use protocol::document::QuestionDocument;
use protocol::ids::ShortId;
use protocol::proposal::{Candidate, Wanted};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Something the chat asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Dialog {
    /// Which of several playbooks was meant.
    Which {
        /// The request.
        asked: Submit,
        /// What was offered.
        candidates: Vec<Candidate>,
    },
    /// The value of a parameter.
    Value {
        /// The request.
        asked: Submit,
        /// The playbook.
        playbook: String,
        /// What is known.
        params: Map<String, Value>,
        /// What is to be asked; the first was.
        wanted: Vec<Wanted>,
    },
    /// Whether to do it, because it changes things.
    Sure {
        /// The request, as it would be handed in.
        asked: Submit,
    },
    /// Whether a request that an answer suggested is to be done.
    Suggested {
        /// The request.
        asked: Submit,
    },
    /// Whether files that look like secrets go with the next request.
    Attach {
        /// The files, those that do not look like it among them.
        picked: Vec<Picked>,
    },
}

/// Where the conversation stands.
#[derive(Debug, Default)]
pub struct Standing {
    /// What the chat asked last, while it is open.
    pub dialog: Option<Dialog>,
    /// Questions of tasks that wait; the last was shown last.
    pub questions: Vec<QuestionDocument>,
    /// The task whose question was the last thing said: plain words answer it.
    pub just_asked: Option<ShortId>,
    /// The result that a number would rate.
    pub last: Option<ShortId>,
    /// The task that was spoken of last.
    pub newest: Option<ShortId>,
    /// Files that go with the next request.
    pub attached: Vec<Attachment>,
    /// The tasks that are followed here.
    pub running: BTreeSet<ShortId>,
}

impl Standing {
    /// Notes a question, as the one that is answered next.
    pub fn asks(&mut self, question: QuestionDocument) {
        self.answered(question.task);
        self.just_asked = Some(question.task);
        self.questions.push(question);
    }

    /// The questions of a task are no longer open.
    pub fn answered(&mut self, task: ShortId) {
        self.questions.retain(|asked| asked.task != task);
        self.just_asked = self.just_asked.filter(|asking| *asking != task);
    }
}
