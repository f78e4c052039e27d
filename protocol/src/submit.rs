//! What a client hands in: a line of the conversation, and a request for work.

use crate::attachment::Attachment;
use crate::control::{CONTROL_VERSION, Verb};
use crate::ids::{RequestId, Role};
use crate::plan::Plan;
use crate::task::Effort;
use crate::trace::Trace;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::PathBuf;

/// A line from a client.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Version the client speaks.
    pub v: u32,
    /// What it wants.
    #[serde(flatten)]
    pub verb: Verb,
}

impl Request {
    /// A request in the current version.
    pub fn new(verb: Verb) -> Self {
        Self {
            v: CONTROL_VERSION,
            verb,
        }
    }
}

/// A request for work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Submit {
    /// The words.
    pub request: String,
    /// The caller's id; the same one twice is one task.
    pub request_id: RequestId,
    /// A role the person insists on.
    #[serde(default)]
    pub agent: Option<Role>,
    /// A playbook the person names, with parameters, instead of matching words.
    #[serde(default)]
    pub playbook: Option<(String, Map<String, Value>)>,
    /// A plan the person gives, instead of one request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<Box<Plan>>,
    /// A script of replies; accepted only when the configuration allows the scripted engine.
    #[serde(default)]
    pub script: Option<PathBuf>,
    /// The folder it is about, absolute.
    #[serde(default)]
    pub workspace: Option<PathBuf>,
    /// The host that folder lives on, where it is not the team's first one.
    #[serde(default)]
    pub host: Option<String>,
    /// How much work it is worth.
    #[serde(default)]
    pub effort: Effort,
    /// Most it may cost, in dollars.
    #[serde(default)]
    pub budget_usd: Option<f64>,
    /// 1 to 10.
    #[serde(default)]
    pub priority: Option<u8>,
    /// When it must be over.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
    /// Not to be begun before this time; one that has passed is now.
    #[serde(default)]
    pub due: Option<Timestamp>,
    /// The trace it belongs to; it gets one of its own where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<Trace>,
    /// Files that belong to it, each kept before by [`Verb::Keep`](crate::control::Verb::Keep).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
}

impl Submit {
    /// A request with nothing but words.
    pub fn words(request: &str) -> Self {
        Self {
            request: request.to_owned(),
            request_id: RequestId::new(),
            agent: None,
            playbook: None,
            plan: None,
            script: None,
            workspace: None,
            host: None,
            effort: Effort::default(),
            budget_usd: None,
            priority: None,
            deadline: None,
            due: None,
            trace: None,
            attachments: Vec::new(),
        }
    }
}
