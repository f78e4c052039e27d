//! What listens on the host, so that whatever gets out is heard: TCP, UDP, a unix socket with a
//! path and one with an abstract name.

use std::io::{Read, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Longest wait for the next visitor before looking whether it is over.
const LOOK: Duration = Duration::from_millis(20);

pub struct Listeners {
    pub tcp: u16,
    pub udp: u16,
    /// Name of the abstract socket, without its leading NUL.
    pub name: String,
    heard: Arc<AtomicBool>,
    over: Arc<AtomicBool>,
}

impl Listeners {
    /// Everything that listens; whoever connects is told the secret.
    pub fn start(socket: &Path, secret: &str) -> Listeners {
        let (heard, over) = (Arc::default(), Arc::default());
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let unix = UnixListener::bind(socket).unwrap();
        std::fs::set_permissions(socket, PermissionsExt::from_mode(0o777)).unwrap();
        let name = format!("redteam-{}", socket.display());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let hidden = UnixListener::bind_addr(&address).unwrap();
        let listeners = Listeners {
            tcp: tcp.local_addr().unwrap().port(),
            udp: udp.local_addr().unwrap().port(),
            name,
            heard,
            over,
        };
        tcp.set_nonblocking(true).unwrap();
        unix.set_nonblocking(true).unwrap();
        hidden.set_nonblocking(true).unwrap();
        listeners.serve(secret, move || tcp.accept().map(|(stream, _)| stream));
        listeners.serve(secret, move || unix.accept().map(|(stream, _)| stream));
        listeners.serve(secret, move || hidden.accept().map(|(stream, _)| stream));
        listeners.receive(udp);
        listeners
    }

    fn serve<S: Read + Write>(
        &self,
        secret: &str,
        mut accept: impl FnMut() -> std::io::Result<S> + Send + 'static,
    ) {
        let (heard, over, secret) = (self.heard.clone(), self.over.clone(), secret.to_owned());
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                match accept() {
                    Ok(mut stream) => {
                        heard.store(true, Ordering::Relaxed);
                        let _gone = stream.write_all(format!("{secret}\n").as_bytes());
                    }
                    Err(_) => std::thread::sleep(LOOK),
                }
            }
        });
    }

    fn receive(&self, udp: UdpSocket) {
        let (heard, over) = (self.heard.clone(), self.over.clone());
        udp.set_read_timeout(Some(LOOK)).unwrap();
        std::thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                if udp.recv(&mut [0; 64]).is_ok() {
                    heard.store(true, Ordering::Relaxed);
                }
            }
        });
    }

    /// Whether anybody came. Waits a moment where somebody may be on the way.
    pub fn heard(&self) -> bool {
        std::thread::sleep(LOOK * 2);
        self.heard.load(Ordering::Relaxed)
    }
}

impl Drop for Listeners {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}
