//! Where Redis is, as whom to speak to it, and whose certificate it must show.

use crate::error::BusError;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, TlsCertificates};
use std::fmt;
use std::path::PathBuf;

/// Where Redis is and as whom to speak to it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BusAddress {
    /// `redis://`, `rediss://` or `redis+unix:///path`.
    pub url: String,
    /// ACL user; wins over one in the url.
    pub username: Option<String>,
    /// Its password; wins over one in the url.
    pub password: Option<String>,
    /// The certificates (PEM) that may sign the server's own; `None` = the system's. Only for
    /// `rediss://`.
    pub ca: Option<String>,
}

impl fmt::Debug for BusAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusAddress")
            .field("username", &self.username)
            .finish_non_exhaustive()
    }
}

impl BusAddress {
    /// The path of the socket it names; `None` for an address of TCP, and one that cannot be read.
    pub fn socket(&self) -> Option<PathBuf> {
        match self.url.as_str().into_connection_info().ok()?.addr() {
            ConnectionAddr::Unix(path) => Some(path.clone()),
            _ => None,
        }
    }

    pub(crate) fn client(&self) -> Result<Client, BusError> {
        // The address may hold a password, so it is not repeated in the message.
        let wrong = |e: redis::RedisError| {
            BusError::Refused(format!(
                "the redis address is wrong: {e}; check `redis.url`"
            ))
        };
        let encrypted = self.url.starts_with("rediss");
        if encrypted {
            // An error only says that a provider is installed already.
            let _ = rustls::crypto::ring::default_provider().install_default();
        }
        let info: ConnectionInfo = self.url.as_str().into_connection_info().map_err(wrong)?;
        let mut settings = info.redis_settings().clone();
        if let Some(name) = &self.username {
            settings = settings.set_username(name);
        }
        if let Some(password) = &self.password {
            settings = settings.set_password(password);
        }
        let info = info.set_redis_settings(settings);
        match &self.ca {
            Some(ca) if encrypted => {
                let certificates = TlsCertificates {
                    client_tls: None,
                    root_cert: Some(ca.clone().into_bytes()),
                };
                Client::build_with_tls(info, certificates).map_err(wrong)
            }
            _ => Client::open(info).map_err(wrong),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Path;

    #[test]
    fn a_socket_is_told_from_a_host() {
        for (url, expected) in [
            (
                "redis+unix:///run/redis/own.sock",
                Some("/run/redis/own.sock"),
            ),
            ("redis+unix:///run/own.sock?db=1", Some("/run/own.sock")),
            ("unix:///run/own.sock", Some("/run/own.sock")),
            ("redis://127.0.0.1:6379", None),
            ("rediss://redis.example.com", None),
            ("nonsense", None),
        ] {
            let address = BusAddress {
                url: url.to_owned(),
                ..BusAddress::default()
            };
            assert_eq!(
                address.socket().as_deref(),
                expected.map(Path::new),
                "{url}"
            );
        }
    }
}
