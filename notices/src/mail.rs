//! A notice as a mail, handed to one SMTP server.

use crate::notice::Notice;
use crate::{NoticeError, PATIENCE, is_here};
use config::settings::{MailSettings, MailTls};
use lettre::message::Mailbox;
use lettre::message::header::ContentType;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};

const NAME: &str = "mail";

/// The way to some people.
pub(crate) struct Mail {
    server: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    pub(crate) fn by(settings: &MailSettings) -> Result<Self, NoticeError> {
        let wrong = |why: String| NoticeError::Settings(NAME, why);
        let address = settings.server.as_deref().unwrap_or_default();
        let (host, port) = address
            .rsplit_once(':')
            .and_then(|(host, port)| Some((host, port.parse::<u16>().ok()?)))
            .ok_or_else(|| wrong("`server` is written host:port".to_owned()))?;
        // The first one that is installed counts, whoever that was.
        let _before = rustls::crypto::ring::default_provider().install_default();
        let tls = |error: lettre::transport::smtp::Error| wrong(error.to_string());
        let builder = match settings.tls {
            MailTls::Start => {
                AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(host).map_err(tls)?
            }
            MailTls::Whole => AsyncSmtpTransport::<Tokio1Executor>::relay(host).map_err(tls)?,
            MailTls::None if is_here(host) => {
                AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            }
            MailTls::None => {
                return Err(wrong(
                    "without TLS only a server of this host is used".to_owned(),
                ));
            }
        };
        let mut builder = builder.port(port).timeout(Some(PATIENCE));
        if let (Some(user), Some(password)) = (&settings.username, &settings.password) {
            let credentials = Credentials::new(user.clone(), password.reveal().to_owned());
            builder = builder.credentials(credentials);
        }
        let mailbox = |text: &str| {
            let parsed = text.parse::<Mailbox>();
            parsed.map_err(|_| wrong(format!("`{}` is no address", text.escape_debug())))
        };
        let from = settings.from.as_deref();
        let from = mailbox(from.ok_or_else(|| wrong("it lacks `from`".to_owned()))?)?;
        let to: Vec<Mailbox> = settings
            .to
            .iter()
            .map(|to| mailbox(to))
            .collect::<Result<_, _>>()?;
        if to.is_empty() {
            return Err(wrong("`to` names nobody".to_owned()));
        }
        Ok(Self {
            server: builder.build(),
            from,
            to,
        })
    }

    pub(crate) async fn tell(&self, notice: &Notice) -> Result<(), NoticeError> {
        let not_taken = |why: String| NoticeError::NotTaken(NAME, why);
        let subject = format!(
            "ai-infra ({}): {} {}",
            notice.team, notice.task, notice.kind
        );
        let mut mail = Message::builder()
            .from(self.from.clone())
            .subject(subject)
            .message_id(Some(format!(
                "<{}@{}.ai-infra>",
                notice.id.replace('/', "."),
                notice.host
            )));
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        let text = format!(
            "{}\n\nThis only tells. An answer to this mail is read by nobody.\n",
            notice.text
        );
        let mail = mail.header(ContentType::TEXT_PLAIN).body(text);
        let mail = mail.map_err(|error| not_taken(error.to_string()))?;
        let sent = self.server.send(mail).await;
        sent.map(drop).map_err(|error| {
            not_taken(match error.status() {
                Some(code) => format!("the server answered {code}"),
                None if error.is_timeout() => "no answer in time".to_owned(),
                None => "the server cannot be reached, or spoke otherwise".to_owned(),
            })
        })
    }
}
