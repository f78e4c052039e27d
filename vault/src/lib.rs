//! AWS Secrets Manager as a source of secrets: one secret asked by name, within a stated time, and
//! what went wrong in a sentence that never holds a value. Who asks when, and what is kept, is the
//! daemon's.

use aws_config::{BehaviorVersion, Region};
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::config::timeout::TimeoutConfig;
use aws_sdk_secretsmanager::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use config::secret::Secret;
use std::error::Error;
use std::time::Duration;

/// Longest time one question may take, tries of the library among it.
const PATIENCE: Duration = Duration::from_secs(8);
/// Longest time for one try.
const TRY: Duration = Duration::from_secs(3);
/// Most of what the service said that is told on, in characters.
const SAID: usize = 300;

/// Why a secret could not be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The service says no: the key, its rights, or a policy.
    #[error("AWS does not let this host read `{name}`: {said}")]
    Denied {
        /// Whole name of the secret.
        name: String,
        /// What the service said.
        said: String,
    },
    /// It did not answer, or there is nothing to ask it with.
    #[error("AWS Secrets Manager was asked for `{name}` and does not answer: {said}")]
    Away {
        /// Whole name of the secret.
        name: String,
        /// What was seen.
        said: String,
    },
    /// It is kept as bytes.
    #[error("`{0}` is kept as binary in AWS Secrets Manager: keep it as text")]
    Binary(String),
}

/// Where secrets are kept.
#[derive(Debug, Clone)]
pub struct Vault {
    client: Client,
    prefix: String,
}

impl Vault {
    /// With the credentials of this process: its environment, the profile of its user, or the role of
    /// the machine, as the AWS tools find them. Nothing is asked yet.
    pub async fn open(prefix: &str, region: Option<&str>) -> Self {
        let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring));
        let patience = TimeoutConfig::builder()
            .operation_timeout(PATIENCE)
            .operation_attempt_timeout(TRY)
            .build();
        let mut from = aws_config::defaults(BehaviorVersion::latest())
            .http_client(http.build_https())
            .timeout_config(patience);
        if let Some(region) = region {
            from = from.region(Region::new(region.to_owned()));
        }
        Self {
            client: Client::new(&from.load().await),
            prefix: prefix.to_owned(),
        }
    }

    /// A secret by the name the team knows it by; `None` where none is kept under it.
    ///
    /// # Errors
    /// When the service refuses, does not answer, or keeps no text.
    pub async fn get(&self, name: &str) -> Result<Option<Secret>, VaultError> {
        let name = format!("{}{name}", self.prefix);
        let asked = self.client.get_secret_value().secret_id(&name).send().await;
        match asked {
            Ok(found) => match found.secret_string() {
                Some(text) => Ok(Some(Secret::new(text))),
                None => Err(VaultError::Binary(name)),
            },
            Err(SdkError::ServiceError(refused)) => {
                let (code, said) = (refused.err().code(), refused.err().message());
                let said = cut(&format!(
                    "{}: {}",
                    code.unwrap_or("no code"),
                    said.unwrap_or("no reason was given")
                ));
                match refused.raw().status().as_u16() {
                    _ if code == Some("ResourceNotFoundException") => Ok(None),
                    500.. => Err(VaultError::Away { name, said }),
                    _ => Err(VaultError::Denied { name, said }),
                }
            }
            Err(error) => {
                let said = cut(&innermost(&error));
                Err(VaultError::Away { name, said })
            }
        }
    }
}

/// The cause at the bottom, which is what a person can act on.
fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut cause = error;
    while let Some(below) = cause.source() {
        cause = below;
    }
    cause.to_string()
}

fn cut(text: &str) -> String {
    let line = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    line.take(SAID).collect()
}
