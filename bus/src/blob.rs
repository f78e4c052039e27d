//! What is too large for a message and comes from another host, which shares no disk with the
//! supervisor: kept under its SHA-256 until the supervisor has it in its own folder of blobs.

use crate::connect::{Again, Bus};
use crate::error::BusError;
use protocol::ids::Role;
use std::time::Duration;

/// Largest blob that travels, in bytes.
pub const BLOB_BYTES: usize = 8 * 1024 * 1024;
/// How long one is kept that nobody fetches: its message may wait for a supervisor that is away.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How long one is kept that was fetched: its message may be read once more.
const FETCHED: Duration = Duration::from_secs(3_600);

impl Bus {
    /// Keeps a blob of a role under the digest of its content. Doing it twice is fine.
    pub async fn put_blob(
        &self,
        role: &Role,
        digest: &str,
        content: &[u8],
    ) -> Result<(), BusError> {
        if content.len() > BLOB_BYTES {
            return Err(BusError::Refused(format!(
                "{} bytes are too many to travel to another host: at most {BLOB_BYTES} do",
                content.len()
            )));
        }
        let mut put = redis::cmd("SET");
        put.arg(self.keys().blob(role, digest)).arg(content);
        put.arg("PX").arg(KEPT.as_millis() as u64);
        self.query::<String>(&put, Again::Yes).await.map(drop)
    }

    /// A blob of a role; `None` where there is none. The caller checks that it is what its digest
    /// says.
    pub async fn blob(&self, role: &Role, digest: &str) -> Result<Option<Vec<u8>>, BusError> {
        let key = self.keys().blob(role, digest);
        self.query(redis::cmd("GET").arg(key), Again::Yes).await
    }

    /// The same for the supervisor: one of more bytes than may travel is not read.
    pub async fn blob_that_travels(
        &self,
        role: &Role,
        digest: &str,
    ) -> Result<Option<Vec<u8>>, BusError> {
        let key = self.keys().blob(role, digest);
        let length = redis::cmd("STRLEN").arg(key).to_owned();
        let bytes: usize = self.query(&length, Again::Yes).await?;
        if bytes > BLOB_BYTES {
            return Err(BusError::Refused(format!(
                "it has {bytes} bytes, and at most {BLOB_BYTES} travel"
            )));
        }
        self.blob(role, digest).await
    }

    /// Lets a blob expire that the caller has on its own disk.
    pub async fn blob_fetched(&self, role: &Role, digest: &str) -> Result<(), BusError> {
        let mut expire = redis::cmd("PEXPIRE");
        expire.arg(self.keys().blob(role, digest));
        expire.arg(FETCHED.as_millis() as u64);
        self.query::<i64>(&expire, Again::Yes).await.map(drop)
    }
}
