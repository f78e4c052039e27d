//! A repository in a bucket of S3-compatible storage. Requests are signed here and carried by the same HTTP
//! client as everything else; what may pass is tried again.

use super::{Found, Store};
use crate::error::BackupError;
use config::error::quoted;
use config::secret::Secret;
use reqwest::{Client, Method, StatusCode, Url};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action, UrlStyle};
use std::time::Duration;
use tokio::runtime::Handle;

/// How long a signature holds.
const SIGNED: Duration = Duration::from_secs(3600);
/// Pauses before another try.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
];
/// Longest wait for a connection, and for the next bytes of an answer.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(60));
/// Most bytes of an answer that says what is wrong.
const SAID: usize = 4096;

/// How a bucket is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Its address; `None` = Amazon's.
    pub endpoint: Option<String>,
    /// Its region.
    pub region: String,
    /// The access key.
    pub access_key: Option<Secret>,
    /// The secret key.
    pub secret_key: Option<Secret>,
}

/// A bucket.
pub struct S3 {
    bucket: Bucket,
    /// Before every name; empty or with a slash at its end.
    prefix: String,
    credentials: Credentials,
    client: Client,
    runtime: Handle,
    pauses: &'static [Duration],
}

/// What one try came to.
enum Tried {
    Answered(StatusCode, Vec<u8>),
    Away(String),
}

impl S3 {
    /// A bucket and what stands before every name in it. Must be called, and used, on a thread that may
    /// block, with a runtime beside it.
    ///
    /// # Errors
    /// When the keys are missing, or the address is none.
    pub fn at(bucket: &str, prefix: &str, access: &Access) -> Result<Self, BackupError> {
        let wrong = |why: String| BackupError::Target {
            target: format!("s3://{}", quoted(bucket)),
            said: why,
        };
        let (Some(key), Some(secret)) = (&access.access_key, &access.secret_key) else {
            return Err(wrong(
                "its keys are missing: ai-infra secret set s3-access-key, and s3-secret-key"
                    .to_owned(),
            ));
        };
        let amazon = || format!("https://s3.{}.amazonaws.com", access.region);
        let endpoint = access.endpoint.clone().unwrap_or_else(amazon);
        let url: Url = endpoint
            .parse()
            .map_err(|error| wrong(format!("backup.s3.endpoint is no address: {error}")))?;
        let bucket = Bucket::new(
            url,
            UrlStyle::Path,
            bucket.to_owned(),
            access.region.clone(),
        )
        .map_err(|error| wrong(error.to_string()))?;
        let runtime = Handle::try_current().map_err(|error| wrong(error.to_string()))?;
        // The first one that is installed counts, whoever that was.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .connect_timeout(PATIENCE.0)
            .read_timeout(PATIENCE.1)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ai-infra/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let prefix = prefix.trim_matches('/');
        Ok(Self {
            bucket,
            prefix: match prefix {
                "" => String::new(),
                prefix => format!("{prefix}/"),
            },
            credentials: Credentials::new(key.reveal(), secret.reveal()),
            client,
            runtime,
            pauses: &PAUSES,
        })
    }

    fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    fn wrong(&self, said: impl Into<String>) -> BackupError {
        BackupError::Target {
            target: self.place(),
            said: said.into(),
        }
    }

    /// Sends, again where that may help; answers the body, or `None` for what is not there.
    fn send(
        &self,
        method: &Method,
        url: &Url,
        body: &[u8],
    ) -> Result<Option<Vec<u8>>, BackupError> {
        let mut pauses = self.pauses.iter();
        loop {
            let tried = self.runtime.block_on(self.once(method, url, body));
            let passing = match tried {
                Tried::Answered(status, bytes) if status.is_success() => return Ok(Some(bytes)),
                Tried::Answered(status, bytes) => {
                    let said = String::from_utf8_lossy(&bytes);
                    let code = between(&said, "<Code>", "</Code>");
                    let often = status == StatusCode::TOO_MANY_REQUESTS;
                    if status == StatusCode::NOT_FOUND && code != Some("NoSuchBucket") {
                        return Ok(None);
                    }
                    let sentence = self.explained(status, code);
                    if !status.is_server_error() && !often {
                        return Err(self.wrong(sentence));
                    }
                    sentence
                }
                Tried::Away(why) => why,
            };
            match pauses.next() {
                Some(pause) => self.runtime.block_on(tokio::time::sleep(*pause)),
                None => {
                    let tries = self.pauses.len() + 1;
                    return Err(self.wrong(format!("{passing}, tried {tries} times")));
                }
            }
        }
    }

    async fn once(&self, method: &Method, url: &Url, body: &[u8]) -> Tried {
        let request = self.client.request(method.clone(), url.clone());
        let request = match *method == Method::PUT {
            true => request.body(body.to_vec()),
            false => request,
        };
        let answer = async {
            let response = request.send().await?;
            let status = response.status();
            Ok::<_, reqwest::Error>((status, response.bytes().await?.to_vec()))
        };
        match answer.await {
            Ok((status, bytes)) => Tried::Answered(status, bytes),
            // The address carries a signature.
            Err(error) => {
                let error = error.without_url();
                let mut why = error.to_string();
                let mut below = std::error::Error::source(&error);
                while let Some(error) = below {
                    why = format!("{why}: {error}");
                    below = error.source();
                }
                Tried::Away(format!("it does not answer ({})", quoted(&why)))
            }
        }
    }

    fn explained(&self, status: StatusCode, code: Option<&str>) -> String {
        let next = match (code, status) {
            (Some("NoSuchBucket"), _) => "there is no such bucket: make it first",
            (Some("InvalidAccessKeyId"), _) => {
                "it does not know the access key: ai-infra secret set s3-access-key"
            }
            (Some("SignatureDoesNotMatch"), _) => {
                "the secret key is wrong: ai-infra secret set s3-secret-key"
            }
            (Some("AccessDenied"), _) | (_, StatusCode::FORBIDDEN) => {
                "the key may not do this there"
            }
            (Some("RequestTimeTooSkewed"), _) => "the clock of this machine is wrong",
            (Some("AuthorizationHeaderMalformed" | "PermanentRedirect"), _) => {
                "the bucket is in another region: set backup.s3.region"
            }
            _ => "it refused",
        };
        let code = code.map_or(String::new(), |code| format!(", {}", quoted(code)));
        format!("{next} ({}{code})", status.as_u16())
    }

    fn object<'a, A: S3Action<'a>>(&self, action: &A) -> Url {
        action.sign(SIGNED)
    }
}

fn between<'a>(text: &'a str, from: &str, to: &str) -> Option<&'a str> {
    let start = text.find(from)? + from.len();
    let text = text.get(start..)?;
    let end = text.get(..text.len().min(SAID))?.find(to)?;
    text.get(..end)
}

impl Store for S3 {
    fn place(&self) -> String {
        let prefix = self.prefix.trim_end_matches('/');
        let slash = if prefix.is_empty() { "" } else { "/" };
        format!("s3://{}{slash}{prefix}", self.bucket.name())
    }

    fn list(&mut self, folder: &str) -> Result<Vec<Found>, BackupError> {
        let mut found = Vec::new();
        let mut next: Option<String> = None;
        loop {
            let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
            action.with_prefix(self.key(&format!("{folder}/")));
            if let Some(token) = next.take() {
                action.with_continuation_token(token);
            }
            let url = self.object(&action);
            let Some(bytes) = self.send(&Method::GET, &url, &[])? else {
                return Ok(found);
            };
            let page = ListObjectsV2::parse_response(&String::from_utf8_lossy(&bytes))
                .map_err(|error| self.wrong(format!("its list cannot be read: {error}")))?;
            for object in page.contents {
                if let Some(name) = object.key.strip_prefix(&self.prefix) {
                    found.push(Found {
                        name: name.to_owned(),
                        bytes: object.size.unwrap_or_default(),
                    });
                }
            }
            match page.next_continuation_token {
                Some(token) => next = Some(token),
                None => break,
            }
        }
        found.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(found)
    }

    fn get(&mut self, name: &str) -> Result<Option<Vec<u8>>, BackupError> {
        let key = self.key(name);
        let url = self.object(&self.bucket.get_object(Some(&self.credentials), &key));
        self.send(&Method::GET, &url, &[])
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let key = self.key(name);
        let url = self.object(&self.bucket.put_object(Some(&self.credentials), &key));
        match self.send(&Method::PUT, &url, bytes)? {
            Some(_) => Ok(()),
            None => Err(self.wrong("it has no place for an object")),
        }
    }

    fn remove(&mut self, name: &str) -> Result<(), BackupError> {
        let key = self.key(name);
        let url = self.object(&self.bucket.delete_object(Some(&self.credentials), &key));
        self.send(&Method::DELETE, &url, &[]).map(|_| ())
    }

    fn settle(&mut self) -> Result<(), BackupError> {
        Ok(())
    }
}
