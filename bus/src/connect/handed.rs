//! Connections to Redis that somebody else opens and hands over: an agent may make no socket of the host, so its launcher
//! does. Everything after that, the login first, is said by the agent.

use crate::error::BusError;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Client, ErrorKind, RedisError};
use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// Hands over a fresh connection to the socket that the address names. It may block, for a moment.
pub type Connector = Arc<dyn Fn() -> io::Result<UnixStream> + Send + Sync>;

/// A connection that carries commands.
pub(super) async fn commands(
    connector: &Connector,
    client: &Client,
    config: AsyncConnectionConfig,
    patience: Duration,
) -> Result<MultiplexedConnection, BusError> {
    let opened = async {
        let stream = handed(connector).await?;
        let login = client.get_connection_info().redis_settings();
        MultiplexedConnection::new_with_config(login, stream, config).await
    };
    let (connection, driver) = in_time(patience, opened).await?;
    // It ends with the last clone of the connection.
    tokio::spawn(driver);
    Ok(connection)
}

/// A connection that is subscribed to channels.
pub(super) async fn messages(
    connector: &Connector,
    client: &Client,
    patience: Duration,
) -> Result<PubSub, BusError> {
    let opened = async {
        let stream = handed(connector).await?;
        PubSub::new(client.get_connection_info().redis_settings(), stream).await
    };
    in_time(patience, opened).await
}

async fn in_time<T>(
    patience: Duration,
    opened: impl Future<Output = Result<T, RedisError>>,
) -> Result<T, BusError> {
    match timeout(patience, opened).await {
        Ok(opened) => opened.map_err(BusError::from),
        Err(_) => Err(BusError::Unreachable(format!(
            "no connection within {} ms",
            patience.as_millis()
        ))),
    }
}

async fn handed(connector: &Connector) -> Result<tokio::net::UnixStream, RedisError> {
    let connector = connector.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let stream = connector()?;
        stream.set_nonblocking(true)?;
        io::Result::Ok(stream)
    });
    let stream = opened.await.map_err(io::Error::other).flatten();
    // Whatever kept whoever opens it from that, Redis is out of reach.
    let away = |error: io::Error| {
        RedisError::from((ErrorKind::Io, "no connection was opened", error.to_string()))
    };
    tokio::net::UnixStream::from_std(stream.map_err(away)?).map_err(away)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn whatever_keeps_a_connection_from_being_opened_says_that_redis_is_away() {
        let client = Client::open("redis+unix:///nowhere").unwrap();
        let refusals: [Connector; 3] = [
            Arc::new(|| Err(io::Error::other("the launcher has ended"))),
            Arc::new(|| Err(io::Error::from_raw_os_error(2))),
            // Opened, and nobody answers.
            Arc::new(|| {
                let (near, far) = UnixStream::pair()?;
                std::mem::forget(far);
                Ok(near)
            }),
        ];
        for connector in refusals {
            let patience = Duration::from_millis(50);
            let config = AsyncConnectionConfig::new();
            let error = commands(&connector, &client, config, patience).await.err();
            let error = error.unwrap();
            assert!(error.is_unreachable(), "{error}");
            let error = messages(&connector, &client, patience).await.err().unwrap();
            assert!(error.is_unreachable(), "{error}");
        }
    }
}
