//! The way out of a task's sandboxes: its proxy, from the first sandbox that may reach anything on. One that ended is
//! followed by another, once; the sandbox that was open has to be made anew, since it sees the old one's socket.

use guard::proxy::holder::Proxy;
use std::io;
use std::sync::Arc;
use tokio::sync::Mutex;

/// Most proxies that one holder starts for a task: the bounds of each begin anew, and one that ends twice is ended by
/// what it is sent.
const MOST: usize = 2;

/// The proxy of a task.
#[derive(Debug, Default)]
pub struct WayOut(Mutex<Begun>);

#[derive(Debug, Default)]
struct Begun {
    proxy: Option<Arc<Proxy>>,
    started: usize,
}

impl Begun {
    fn may_follow(&self) -> bool {
        let ended = self.proxy.as_ref().is_some_and(|proxy| proxy.has_ended());
        ended && self.started < MOST
    }
}

impl WayOut {
    /// The proxy, started by `start` where there is none or it has ended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn open(
        &self,
        start: impl AsyncFnOnce() -> io::Result<Proxy>,
    ) -> io::Result<Arc<Proxy>> {
        let mut begun = self.0.lock().await;
        if let Some(proxy) = &begun.proxy
            && !begun.may_follow()
        {
            return Ok(proxy.clone());
        }
        let old = begun.proxy.take();
        let again = old.is_some();
        // So that the record says of each of its connections how it ended.
        if let Some(old) = old {
            old.end().await;
        }
        let proxy = Arc::new(start().await?);
        begun.started += 1;
        begun.proxy = Some(proxy.clone());
        drop(begun);
        if again {
            tracing::warn!("the proxy of the task has ended; another one is started");
        }
        Ok(proxy)
    }

    /// Whether it has ended and another one may follow.
    pub async fn is_broken(&self) -> bool {
        self.0.lock().await.may_follow()
    }

    /// Ends it, so that the record says of each connection how it ended. Called when the sandboxes are gone.
    pub async fn end(&self) {
        let proxy = self.0.lock().await.proxy.clone();
        if let Some(proxy) = proxy {
            proxy.end().await;
        }
    }
}
