//! A repository in a bucket of S3-compatible storage. Requests are signed here, in a header and with the digest of
//! what they carry, so that no log of addresses lets anybody in and nothing that was cut off is kept; they are
//! carried by the same HTTP client as everything else. What may pass is tried again.

use super::{Found, Store};
use crate::error::BackupError;
use aws_credential_types::Credentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
    UriPathNormalizationMode, sign,
};
use aws_sigv4::sign::v4;
use config::error::quoted;
use config::secret::Secret;
use reqwest::{Client, Method, StatusCode, Url};
use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, S3Action, UrlStyle};
use std::time::{Duration, SystemTime};
use tokio::runtime::Handle;

/// Pauses before another try.
const PAUSES: [Duration; 4] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(4),
    Duration::from_secs(15),
];
/// Longest wait for a connection, and for the next bytes of an answer.
const PATIENCE: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(60));
/// What is said with another status than 5xx and passes all the same.
const PASSING: [&str; 3] = ["RequestTimeout", "SlowDown", "RequestTimeTooSlow"];
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
    /// What belongs to keys that end by themselves.
    pub session_token: Option<Secret>,
}

/// A bucket.
pub struct S3 {
    bucket: Bucket,
    /// Before every name; empty or with a slash at its end.
    prefix: String,
    region: String,
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
        Self::patient(bucket, prefix, access, PATIENCE)
    }

    fn patient(
        bucket: &str,
        prefix: &str,
        access: &Access,
        (connect, read): (Duration, Duration),
    ) -> Result<Self, BackupError> {
        let wrong = |why: String| BackupError::Target {
            target: format!("s3://{}", quoted(bucket)),
            said: why,
        };
        let (Some(key), Some(secret)) = (&access.access_key, &access.secret_key) else {
            return Err(wrong(
                "its keys are missing: ai-infra secret set s3-access-key, and s3-secret-key; where the home is lost: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
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
            .connect_timeout(connect)
            .read_timeout(read)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("ai-infra/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let prefix = prefix.trim_matches('/');
        // Amazon's keys that stay begin so: a token that lies around in a shell belongs to others.
        let stays = key.reveal().starts_with("AKIA");
        let session = access.session_token.as_ref().filter(|_| !stays);
        let session = session.map(|token| token.reveal().to_owned());
        Ok(Self {
            bucket,
            prefix: match prefix {
                "" => String::new(),
                prefix => format!("{prefix}/"),
            },
            region: access.region.clone(),
            credentials: Credentials::new(key.reveal(), secret.reveal(), session, None, "settings"),
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
                    let passes = status == StatusCode::TOO_MANY_REQUESTS
                        || code.is_some_and(|code| PASSING.contains(&code));
                    if status == StatusCode::NOT_FOUND && code != Some("NoSuchBucket") {
                        return Ok(None);
                    }
                    let sentence = self.explained(status, code);
                    if !status.is_server_error() && !passes {
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
        let mut request = self.client.request(method.clone(), url.clone());
        match self.signed(method, url, body) {
            Ok(headers) => {
                for (name, value) in headers {
                    request = request.header(name, value);
                }
            }
            Err(why) => return Tried::Away(format!("it cannot be asked ({why})")),
        }
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
            (Some("ExpiredToken" | "InvalidToken" | "TokenRefreshRequired"), _) => {
                "the key has expired: ai-infra secret set s3-access-key, and s3-secret-key"
            }
            (Some("AccessDenied"), _) | (_, StatusCode::FORBIDDEN) => {
                "the key may not do this there"
            }
            (Some("RequestTimeTooSkewed"), _) => "the clock of this machine is wrong",
            (Some("AuthorizationHeaderMalformed" | "PermanentRedirect"), _) => {
                "the bucket is in another region: set backup.s3.region"
            }
            (Some("SlowDown"), _) | (_, StatusCode::TOO_MANY_REQUESTS) => "it is asked too often",
            (_, status) if status.is_server_error() => "it has a trouble of its own",
            _ => "it refused",
        };
        let code = code.map_or(String::new(), |code| format!(", {}", quoted(code)));
        format!("{next} ({}{code})", status.as_u16())
    }

    /// The headers that say who asks, and for exactly what.
    fn signed(
        &self,
        method: &Method,
        url: &Url,
        body: &[u8],
    ) -> Result<Vec<(String, String)>, String> {
        let mut settings = SigningSettings::default();
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        let identity = self.credentials.clone().into();
        let who = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("s3")
            .time(SystemTime::now())
            .settings(settings)
            .build()
            .map_err(|error| error.to_string())?;
        let body = SignableBody::Bytes(body);
        let what = SignableRequest::new(method.as_str(), url.as_str(), std::iter::empty(), body)
            .map_err(|error| error.to_string())?;
        let signed = sign(what, &who.into()).map_err(|error| error.to_string())?;
        let (instructions, _signature) = signed.into_parts();
        let headers = instructions.headers();
        Ok(headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect())
    }

    /// The address of what is asked for.
    fn object<'a, A: S3Action<'a>>(&self, action: &A) -> Url {
        // Without credentials nothing is signed, and nothing runs out.
        action.sign(Duration::from_secs(1))
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
            let mut action = self.bucket.list_objects_v2(None);
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
        let url = self.object(&self.bucket.get_object(None, &key));
        self.send(&Method::GET, &url, &[])
    }

    fn put(&mut self, name: &str, bytes: &[u8]) -> Result<(), BackupError> {
        let key = self.key(name);
        let url = self.object(&self.bucket.put_object(None, &key));
        match self.send(&Method::PUT, &url, bytes)? {
            Some(_) => Ok(()),
            None => Err(self.wrong("it has no place for an object")),
        }
    }

    fn remove(&mut self, name: &str) -> Result<(), BackupError> {
        let key = self.key(name);
        let url = self.object(&self.bucket.delete_object(None, &key));
        self.send(&Method::DELETE, &url, &[]).map(|_| ())
    }

    fn settle(&mut self) -> Result<(), BackupError> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "s3_tests.rs"]
mod tests;
