//! The near end of the proxy: a port of the sandbox's own network that leads to the socket of the
//! proxy, because programs know proxies by host and port.

use crate::sandbox::spec::{PROXY_PORT, PROXY_SOCKET};
use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Connections at the same time; more are closed at once.
const AT_ONCE: usize = 128;
/// These threads do nothing but copy.
const STACK: usize = 64 * 1024;

/// Listens from now on.
pub(super) fn start() -> Result<(), String> {
    let say = |e: io::Error| format!("the way to the proxy cannot be opened: {e}");
    let listener = TcpListener::bind(("127.0.0.1", PROXY_PORT)).map_err(say)?;
    let open = Arc::new(AtomicUsize::new(0));
    thread(move || {
        for stream in listener.incoming().flatten() {
            if open.fetch_add(1, Ordering::Relaxed) >= AT_ONCE {
                open.fetch_sub(1, Ordering::Relaxed);
                continue;
            }
            let count = Arc::clone(&open);
            let carrying = thread(move || {
                let _broken_off = carry(stream);
                count.fetch_sub(1, Ordering::Relaxed);
            });
            if carrying.is_err() {
                open.fetch_sub(1, Ordering::Relaxed);
            }
        }
    })
    .map_err(say)
}

fn thread(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let made = std::thread::Builder::new().name("proxy".to_owned());
    made.stack_size(STACK).spawn(work).map(drop)
}

fn carry(near: TcpStream) -> io::Result<()> {
    let far = UnixStream::connect(PROXY_SOCKET)?;
    let (mut from_near, mut to_far) = (near.try_clone()?, far.try_clone()?);
    thread(move || {
        let _broken_off = io::copy(&mut from_near, &mut to_far);
        let _closed_already = to_far.shutdown(Shutdown::Write);
    })?;
    let (mut from_far, mut to_near) = (far, near);
    let copied = io::copy(&mut from_far, &mut to_near);
    let _closed_already = to_near.shutdown(Shutdown::Both);
    copied.map(drop)
}
