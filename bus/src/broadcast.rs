//! Hints to everyone over Pub/Sub. A hint may be lost; what matters is also a flag or a stream.

use crate::connect::{Again, Bus};
use crate::error::BusError;
use futures_util::StreamExt;
use protocol::envelope::Envelope;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Hints kept for a listener that does not look; further ones are lost.
const KEPT: usize = 256;
/// Pause before listening again.
const PAUSE: Duration = Duration::from_millis(200);

impl Bus {
    /// Tells everyone who listens now.
    pub async fn broadcast(&self, envelope: &Envelope) -> Result<(), BusError> {
        let mut publish = redis::cmd("PUBLISH");
        publish
            .arg(self.keys().broadcast())
            .arg(envelope.to_bytes()?);
        self.query::<i64>(&publish, Again::Yes).await.map(drop)
    }
}

/// Hears broadcasts.
#[derive(Debug)]
pub struct Listener {
    hints: mpsc::Receiver<Envelope>,
    task: JoinHandle<()>,
}

impl Listener {
    /// Starts listening. From when this returns, hints are heard while Redis stays up.
    pub async fn open(bus: &Bus) -> Result<Self, BusError> {
        let (sender, hints) = mpsc::channel(KEPT);
        let first = subscribe(bus).await?;
        let bus = bus.clone();
        let task = tokio::spawn(async move {
            let mut subscription = Some(first);
            loop {
                if let Some(subscription) = subscription.take() {
                    hear(subscription, &sender).await;
                }
                if sender.is_closed() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
                subscription = subscribe(&bus).await.ok();
            }
        });
        Ok(Self { hints, task })
    }

    /// The next hint. Waits for as long as it takes; dropping the future loses nothing.
    pub async fn next(&mut self) -> Envelope {
        match self.hints.recv().await {
            Some(envelope) => envelope,
            None => std::future::pending().await,
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn subscribe(bus: &Bus) -> Result<redis::aio::PubSub, BusError> {
    let mut subscription = bus.messages().await?;
    subscription.subscribe(bus.keys().broadcast()).await?;
    Ok(subscription)
}

async fn hear(mut subscription: redis::aio::PubSub, sender: &mpsc::Sender<Envelope>) {
    let mut messages = subscription.on_message();
    while let Some(message) = messages.next().await {
        match Envelope::parse(message.get_payload_bytes()) {
            Ok(envelope) => {
                if sender.try_send(envelope).is_err() {
                    tracing::debug!("a broadcast was not heard");
                }
            }
            Err(error) => tracing::debug!(%error, "unreadable broadcast"),
        }
    }
}
