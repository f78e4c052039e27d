//! A notice as JSON to an address. The address is a secret: with many services whoever knows it may post.

use crate::notice::Notice;
use crate::{NoticeError, PATIENCE, is_here};
use config::secret::Secret;
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Url, redirect};

const NAME: &str = "webhook";

/// The way to one address.
pub(crate) struct Webhook {
    client: Client,
    url: Url,
}

impl Webhook {
    pub(crate) fn to(address: &Secret) -> Result<Self, NoticeError> {
        let wrong = |why: &str| NoticeError::Settings(NAME, why.to_owned());
        let url: Url = address
            .reveal()
            .trim()
            .parse()
            .map_err(|_| wrong("it is no URL"))?;
        let here = url.host_str().is_some_and(is_here);
        if url.scheme() != "https" && !(url.scheme() == "http" && here) {
            return Err(wrong(
                "it must be https://, so that nobody reads it on its way",
            ));
        }
        // The first one that is installed counts, whoever that was.
        let _before = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .timeout(PATIENCE)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("ai-infra/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong(&error.without_url().to_string()))?;
        Ok(Self { client, url })
    }

    pub(crate) async fn tell(&self, notice: &Notice) -> Result<(), NoticeError> {
        let not_taken = |why: String| NoticeError::NotTaken(NAME, why);
        let body = serde_json::to_vec(notice).map_err(|error| not_taken(error.to_string()))?;
        let post = self.client.post(self.url.clone());
        let sent = post
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send();
        let answer = sent.await.map_err(|error| {
            let why = match (error.is_timeout(), error.is_connect()) {
                (true, _) => "no answer in time",
                (_, true) => "it cannot be reached",
                _ => "the connection broke",
            };
            not_taken(why.to_owned())
        })?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(not_taken(format!("it answered {}", status.as_u16()))),
        }
    }
}
