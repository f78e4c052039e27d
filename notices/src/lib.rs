//! Tells a person elsewhere, by a webhook or by mail, that something waits for them. A notice has a
//! number, a kind and one line that is made here: no words of an agent, no address, no secret and nothing that an
//! answer could be given with. Nothing that comes back is read, but whether it was taken.
//!
//! `notice` is what is said (pure), `webhook` and `mail` are the ways, `again` is when one is tried again (pure).

pub mod again;
mod mail;
pub mod notice;
mod webhook;

use config::settings::NoticeSettings;
use notice::Notice;
use std::time::Duration;

/// Longest time for one notice on one way.
const PATIENCE: Duration = Duration::from_secs(10);

/// How a person is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A POST to an address.
    Webhook,
    /// A mail.
    Mail,
}

impl Way {
    /// The word in files and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Way::Webhook => "webhook",
            Way::Mail => "mail",
        }
    }
}

/// Why a notice was not taken. Never holds an address or a credential of the settings.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// The settings cannot be used.
    #[error("`notices.{0}` cannot be used: {1}")]
    Settings(&'static str, String),
    /// The other side did not take it.
    #[error("the {0} was not taken: {1}")]
    NotTaken(&'static str, String),
}

/// The ways that are set up.
pub struct Ways {
    webhook: Option<webhook::Webhook>,
    mail: Option<mail::Mail>,
}

impl Ways {
    /// By the settings.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn of(settings: &NoticeSettings) -> Result<Self, NoticeError> {
        let webhook = settings.webhook.as_ref();
        let mail = &settings.mail;
        Ok(Self {
            webhook: webhook.map(webhook::Webhook::to).transpose()?,
            mail: mail
                .server
                .as_ref()
                .map(|_| mail::Mail::by(mail))
                .transpose()?,
        })
    }

    /// Which there are.
    pub fn all(&self) -> Vec<Way> {
        let webhook = self.webhook.as_ref().map(|_| Way::Webhook);
        let mail = self.mail.as_ref().map(|_| Way::Mail);
        webhook.into_iter().chain(mail).collect()
    }

    /// Tells it.
    ///
    /// # Errors
    /// When it was not taken.
    pub async fn tell(&self, way: Way, notice: &Notice) -> Result<(), NoticeError> {
        match (way, &self.webhook, &self.mail) {
            (Way::Webhook, Some(webhook), _) => webhook.tell(notice).await,
            (Way::Mail, _, Some(mail)) => mail.tell(notice).await,
            _ => Ok(()),
        }
    }
}

/// Whether a host is this machine: there nobody reads along.
fn is_here(host: &str) -> bool {
    matches!(host, "127.0.0.1" | "localhost" | "::1" | "[::1]")
}
