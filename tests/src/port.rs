//! Ports for servers that are told where to listen. One asked of the kernel and let go again may be given to any other
//! connection before the server has it; these are below those the kernel gives out, and each is one test's until its process ends.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Mutex;

/// The first port that may be given out.
const FIRST: u16 = 12_000;
/// Where the kernel begins to give out ports of its own, if it does not say.
const KERNELS: u16 = 32_768;

/// Ours until the process ends: a name in the kernel that only one can hold, and that leaves no file.
static OURS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port of 127.0.0.1 where nobody listens and nobody will but who was given it.
pub fn free() -> u16 {
    let [port] = several();
    port
}

/// As many of them.
pub fn several<const N: usize>() -> [u16; N] {
    std::array::from_fn(|_| one())
}

fn one() -> u16 {
    let range = FIRST..kernels();
    let many = usize::from(range.end - range.start);
    let mut ours = OURS.lock().expect("nobody stopped within");
    // Each process begins elsewhere, so that it seldom meets another one's.
    let begin = std::process::id() as usize * 97 + ours.len();
    let found = range.clone().cycle().skip(begin % many).take(many);
    for port in found {
        let name = SocketAddr::from_abstract_name(format!("ai-infra-test-port-{port}"));
        let Ok(held) = UnixListener::bind_addr(&name.expect("a short name")) else {
            continue;
        };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            ours.push(held);
            return port;
        }
    }
    panic!("no port of {range:?} is free");
}

fn kernels() -> u16 {
    let said = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range");
    let first = said
        .ok()
        .and_then(|said| said.split_whitespace().next()?.parse().ok());
    // Where it gives out nearly all, there is no room below.
    first
        .filter(|first| *first >= FIRST + 2_000)
        .unwrap_or(KERNELS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_given_once_and_below_those_of_the_kernel() {
        let mut ports = several::<200>().to_vec();
        assert!(ports.iter().all(|port| (FIRST..kernels()).contains(port)));
        ports.sort_unstable();
        ports.dedup();
        assert_eq!(ports.len(), 200);
        let name = SocketAddr::from_abstract_name(format!("ai-infra-test-port-{}", ports[0]));
        assert!(
            UnixListener::bind_addr(&name.unwrap()).is_err(),
            "another test could have it too"
        );
    }
}
