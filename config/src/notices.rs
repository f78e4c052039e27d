//! How a person is told elsewhere that something waits for them.

use crate::secret::Secret;
use serde::{Deserialize, Serialize};

/// Section `notices`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticeSettings {
    /// The address that notices are posted to: whoever knows it may post there, so it is kept as a secret.
    pub webhook: Option<Secret>,
    /// Mail.
    pub mail: MailSettings,
}

/// Section `notices.mail`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailSettings {
    /// The server, as `host:port`; without one there is no mail.
    pub server: Option<String>,
    /// How the connection is protected.
    pub tls: MailTls,
    /// User name there.
    pub username: Option<String>,
    /// Password there.
    pub password: Option<Secret>,
    /// The sender's address.
    pub from: Option<String>,
    /// Whom it is sent to.
    pub to: Vec<String>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailTls {
    /// It begins without TLS and must go on with it.
    #[default]
    Start,
    /// TLS from the first byte.
    Whole,
    /// No TLS: for a server on this host.
    None,
}
