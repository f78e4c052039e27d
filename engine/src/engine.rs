//! The one door to a model, and every way it can stay shut. An enum rather than a trait object:
//! there are few engines and each is known at compile time.

use crate::anthropic::engine::Anthropic;
use crate::check::ConversationError;
use crate::conversation::{ModelReply, ModelRequest};
use crate::scripted::Scripted;
use bus::budget::Reservation;
use protocol::exit;
use protocol::money::MicroUsd;
use protocol::report::Usage;
use std::time::Duration;

/// Why there is no reply. No variant ever holds the API key.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EngineError {
    /// The engine cannot be made from its settings.
    #[error("the engine's settings are wrong: {0}")]
    Settings(String),
    /// The key was refused (401, 403).
    #[error(
        "the model's server refused the key: {0}; set another one with `ai-infra secret set anthropic-api-key`"
    )]
    Unauthorized(String),
    /// The account has no money or has reached its own limit (402).
    #[error("the model's server wants payment: {0}; look at the account's billing page")]
    Billing(String),
    /// Too many requests, or too much load, after all retries (429, 529).
    #[error("the model's server is overloaded (status {status}); try again later")]
    Overloaded {
        /// HTTP status; 529 where the news came inside a stream.
        status: u16,
        /// How long the server asked to wait.
        retry_after: Option<Duration>,
    },
    /// The reply broke off and could not be had again; nothing of it may be carried out.
    #[error("the model's reply was cut off ({reason}); ask again")]
    CutOff {
        /// What happened last.
        reason: String,
        /// What is known to be paid; the true amount may be higher, up to the reservation.
        spent: Box<Usage>,
    },
    /// The conversation or the reply is larger than the server or this engine takes.
    #[error("{0}; make the conversation shorter")]
    TooLarge(String),
    /// The server, or the check before it, refused the request as it is.
    #[error("the model's server refused the request: {0}")]
    BadRequest(String),
    /// The server failed (408, 409, 5xx other than 529), after all retries.
    #[error("the model's server failed (status {status}): {message}; try again later")]
    Server {
        /// HTTP status.
        status: u16,
        /// What it said.
        message: String,
    },
    /// What came is not a message, after all retries.
    #[error(
        "the model's server answered something that is not a message: {0}; check engine.base_url"
    )]
    Garbled(String),
    /// No connection, or silence.
    #[error("the model's server does not answer: {0}; check engine.base_url and the network")]
    Unreachable(String),
    /// The reservation is smaller than what the call may cost.
    #[error("the call may cost {needed} but only {held} is reserved: reserve the estimate first")]
    Reservation {
        /// The estimate.
        needed: MicroUsd,
        /// What the reservation holds.
        held: MicroUsd,
    },
    /// The script of a scripted engine is wrong or has no reply left.
    #[error("the script is wrong: {0}")]
    Script(String),
}

impl EngineError {
    /// Exit code of the command line.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Settings(_) | Self::Unauthorized(_) => exit::USAGE,
            Self::Billing(_) | Self::Reservation { .. } => exit::REFUSED,
            Self::Overloaded { .. }
            | Self::CutOff { .. }
            | Self::Server { .. }
            | Self::Garbled(_)
            | Self::Unreachable(_) => exit::SERVICE,
            Self::TooLarge(_) | Self::BadRequest(_) | Self::Script(_) => exit::FAILED,
        }
    }

    /// What is wrong, in a few words, where it is likely to pass by itself.
    pub fn passes(&self) -> Option<String> {
        match self {
            Self::Overloaded { status: 429, .. } => {
                Some("it takes no more requests for now (status 429)".to_owned())
            }
            Self::Overloaded { status, .. } => Some(format!("overloaded (status {status})")),
            Self::Server { status, message } => {
                Some(format!("it failed (status {status}: {})", cut(message)))
            }
            // The last cause says it; what led to it is for the log.
            Self::Unreachable(why) => {
                let cause = why.rsplit(": ").next().unwrap_or(why);
                Some(format!("no answer ({})", cut(cause)))
            }
            Self::CutOff { reason, .. } => Some(format!("reply cut off ({})", cut(reason))),
            _ => None,
        }
    }

    /// How long the server asked to wait.
    pub fn asks_to_wait(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// What is known to be paid although there is no reply.
    pub fn spent(&self) -> Option<&Usage> {
        match self {
            Self::CutOff { spent, .. } => Some(spent),
            _ => None,
        }
    }
}

/// A few words of what a server said.
fn cut(said: &str) -> String {
    said.chars().take(120).collect()
}

impl From<ConversationError> for EngineError {
    fn from(error: ConversationError) -> Self {
        Self::BadRequest(error.to_string())
    }
}

/// A model.
#[derive(Debug)]
pub enum Engine {
    /// Claude over the Messages API.
    Anthropic(Box<Anthropic>),
    /// Replies from a file, for tests.
    Scripted(Scripted),
}

impl Engine {
    /// The most one reply to this request should cost: what to reserve before asking for it.
    pub fn estimate(&self, request: &ModelRequest) -> MicroUsd {
        match self {
            Self::Anthropic(engine) => engine.estimate(request),
            Self::Scripted(engine) => engine.estimate(request),
        }
    }

    /// Asks for the next reply and waits for all of it, retries included. `on_text` is given the
    /// text as it arrives, for people who watch; after a retry it starts over. Dropping the
    /// future ends the call.
    pub async fn reply(
        &self,
        request: &ModelRequest,
        reservation: &Reservation,
        on_text: &mut (dyn FnMut(&str) + Send),
    ) -> Result<ModelReply, EngineError> {
        match self {
            Self::Anthropic(engine) => engine.reply(request, reservation, on_text).await,
            Self::Scripted(engine) => engine.reply(request, reservation, on_text).await,
        }
    }
}
