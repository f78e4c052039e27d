//! What programs reach through the proxy of their task, as lines of the record: one before each
//! connection, without which it is not made, and one after it; one for each that is refused.

use crate::witness::Witness;
use guard::proxy::told::Told;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Connections that may wait for their lines.
const WAITING: usize = 64;

/// Takes what a proxy tells and has it written, until the proxy is gone.
pub fn recorded(witness: Arc<Witness>) -> mpsc::Sender<Told> {
    let (tell, mut told) = mpsc::channel::<Told>(WAITING);
    tokio::spawn(async move {
        while let Some(told) = told.recv().await {
            let written = witness.connection(&told).await;
            let _gone_already = told.written.send(written);
        }
    });
    tell
}
