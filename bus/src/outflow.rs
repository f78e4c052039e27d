//! What agents say to the supervisor: progress and results, each role over its own stream, so that
//! the source is known from where it was written and not from what it claims.

use crate::connect::Bus;
use crate::error::BusError;
use crate::group_reader::{GroupReader, Raw, Source};
use crate::keys::OUT_GROUP;
use protocol::envelope::Envelope;
use protocol::ids::Role;

/// A message from an agent.
#[derive(Debug, Clone, PartialEq)]
pub struct OutMessage {
    /// Its entry in the stream.
    pub id: String,
    /// The role that wrote it, by its stream.
    pub role: Role,
    /// What it says.
    pub envelope: Envelope,
}

/// Reads every role's out stream. One supervisor at a time.
#[derive(Debug)]
pub struct Outflow {
    bus: Bus,
    reader: GroupReader,
}

impl Outflow {
    /// Opens it; what was read before and never [`done`](Self::done) comes first.
    pub async fn open(bus: &Bus) -> Result<Self, BusError> {
        Ok(Self {
            bus: bus.clone(),
            reader: GroupReader::open(bus, OUT_GROUP, Source::Out).await?,
        })
    }

    /// The next messages, in the order each role wrote them; none after a second without any.
    /// Dropping the future loses nothing. Unreadable ones go to the dead letters. A message is said
    /// once; one that was never done is said again when the outflow is opened the next time.
    pub async fn next(&mut self) -> Result<Vec<OutMessage>, BusError> {
        let mut messages = Vec::new();
        for raw in self.reader.next().await? {
            let Some(role) = self.role(&raw.stream) else {
                continue;
            };
            match parse(&raw) {
                Ok(envelope) => messages.push(OutMessage {
                    id: raw.id,
                    role,
                    envelope,
                }),
                Err(reason) => {
                    // On an error the entry stays pending and is judged again later.
                    let refused = self
                        .bus
                        .refuse(&role, &raw.stream, OUT_GROUP, &raw.id, &reason)
                        .await;
                    self.reader.let_go(&[(&raw.stream, &raw.id)]);
                    if let Err(error) = refused {
                        tracing::warn!(%error, "unreadable entry not moved");
                    }
                }
            }
        }
        Ok(messages)
    }

    /// These are folded: they leave the stream. Saying it twice is fine.
    pub async fn done(&self, messages: &[OutMessage]) -> Result<(), BusError> {
        let streams: Vec<String> = messages
            .iter()
            .map(|m| self.bus.keys().out(&m.role))
            .collect();
        let entries: Vec<(&str, &str)> = streams
            .iter()
            .zip(messages)
            .map(|(stream, message)| (stream.as_str(), message.id.as_str()))
            .collect();
        self.reader.done(&entries).await
    }

    fn role(&self, stream: &str) -> Option<Role> {
        let role: Role = stream.rsplit(':').next()?.parse().ok()?;
        (self.bus.keys().out(&role) == stream).then_some(role)
    }
}

/// The envelope of an entry, or why there is none.
pub(crate) fn parse(raw: &Raw) -> Result<Envelope, String> {
    match &raw.body {
        None => Err("entry has no envelope field".to_owned()),
        Some(body) => Envelope::parse(body).map_err(|e| e.to_string()),
    }
}
