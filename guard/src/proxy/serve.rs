//! Carries bytes between a sandbox and the hosts it may reach, within bounds on time and number.

use super::address::{Nearness, nearness};
use super::fetch::{self, Fetch};
use super::handshake::{self, First, greet};
use super::request::{HEAD_BYTES, connect};
use super::told::{Frost, Record};
use super::{Allowed, Connection, Terms, asked};
use protocol::fault::Faults;
use protocol::walls::Wall;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream, lookup_host};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

/// Connections at the same time; the next one waits.
const AT_ONCE: usize = 64;
/// Longest wait for a question, for a greeting and for a host to answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
/// Longest silence in both directions.
pub(super) const IDLE: Duration = Duration::from_secs(120);
/// Longest life of a connection.
const LIFE: Duration = Duration::from_secs(3600);
/// Most bytes that leave in all connections of a task: questions, not data.
pub(super) const UP_BYTES: u64 = 64 * 1024 * 1024;
/// Most bytes that come in.
pub(super) const DOWN_BYTES: u64 = 8 * 1024 * 1024 * 1024;

/// Most connections that are asked for in a task: each is two lines of the record.
pub(super) const MOST: u64 = 5000;

/// Counts bytes before they are taken.
///
/// # Errors
/// A sentence: they would be more than a task may carry; then none is counted.
pub(super) fn spend(all: &AtomicU64, count: u64, most: u64) -> Result<(), String> {
    let within = |was: u64| was.checked_add(count).filter(|now| *now <= most);
    match all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, within) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("more than {} MB in this task", most >> 20)),
    }
}

pub(super) struct Shared {
    pub(super) allowed: Allowed,
    pub(super) fetch: Fetch,
    pub(super) faults: Faults,
    pub(super) frost: Frost,
    pub(super) record: Record,
    pub(super) up: AtomicU64,
    pub(super) down: AtomicU64,
}

/// Serves until it is closed.
pub(super) async fn serve(
    listener: UnixListener,
    terms: Terms,
    (frost, record): (Frost, Record),
    mut closing: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let shared = Arc::new(Shared {
        allowed: terms.allowed,
        fetch: Fetch::from(terms.doors),
        faults: terms.faults,
        frost,
        record,
        up: AtomicU64::new(0),
        down: AtomicU64::new(0),
    });
    // They end with this task.
    let mut open = tokio::task::JoinSet::new();
    for number in 1..=MOST {
        while open.try_join_next().is_some() {}
        let taken = async {
            let place = Arc::clone(&places).acquire_owned().await;
            (place, listener.accept().await)
        };
        let (place, taken) = tokio::select! {
            taken = taken => taken,
            _ = closing.wait_for(|closing| *closing) => break,
        };
        let stream = match taken {
            Ok((stream, _)) => stream,
            // Out of descriptors, mostly: they come back.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (shared, closing) = (Arc::clone(&shared), closing.clone());
        open.spawn(async move {
            let mut told = connection(stream, number, &shared, closing).await;
            if number == MOST {
                told.refused = Some(format!("no more than {MOST} connections in a task"));
            }
            shared.record.ended(number, told).await;
            drop(place);
        });
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn connection(
    mut stream: UnixStream,
    number: u64,
    shared: &Shared,
    mut closing: watch::Receiver<bool>,
) -> Connection {
    let began = Instant::now();
    let mut told = Connection::default();
    let ended = tokio::select! {
        ended = timeout(LIFE, carry(&mut stream, number, shared, &mut told)) => Some(ended),
        _ = closing.wait_for(|closing| *closing) => None,
    };
    match ended {
        Some(Ok(Ok(()))) => {}
        Some(Ok(Err(why))) => told.refused = Some(why),
        Some(Err(_)) => told.refused = Some("it stood for an hour".to_owned()),
        None => told.refused = Some("its task ended".to_owned()),
    }
    told.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    told
}

async fn carry(
    stream: &mut UnixStream,
    number: u64,
    shared: &Shared,
    told: &mut Connection,
) -> Result<(), String> {
    let head = timeout(PATIENCE, head(stream))
        .await
        .map_err(|_| "nothing was asked".to_owned())?
        .map_err(|e| format!("the question broke off: {e}"))?;
    if !shared.fetch.doors.is_empty() && !head.starts_with(b"CONNECT ") {
        return match asked::read(&head) {
            Ok(asked) => fetch::fetch(stream, number, shared, (&asked, &head), told).await,
            #[cfg(debug_assertions)]
            Err(_) if !shared.faults.stands(Wall::Proxy) => {
                super::careless::careless(stream, &head, &shared.fetch.doors).await
            }
            Err(why) => refuse(stream, 400, format!("the request {why}")).await,
        };
    }
    let (host, port) = match connect(&head) {
        Ok(place) => place,
        #[cfg(debug_assertions)]
        Err(_) if !shared.faults.stands(Wall::Proxy) => careless(&head),
        Err(why) => return refuse(stream, 400, format!("the request {why}")).await,
    };
    (told.host, told.port) = (host.clone(), port);
    let private = match shared.allowed.judge(&host, port) {
        Ok(private) => private,
        Err(_) if !shared.faults.stands(Wall::Proxy) => true,
        Err(why) => return refuse(stream, 403, why).await,
    };
    shared.frost.thawed().await;
    if let Err(why) = shared.record.begins(number, told).await {
        return refuse(stream, 503, why).await;
    }
    told.begun = true;
    let outside = match reach(&host, port, nearest(private, shared.faults)).await {
        Ok(outside) => outside,
        Err((status, why)) => return refuse(stream, status, why).await,
    };
    let gone = |e: std::io::Error| format!("the program is gone: {e}");
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .map_err(gone)?;
    let first = timeout(PATIENCE, handshake::first(stream, &host, shared.faults))
        .await
        .map_err(|_| "no TLS greeting came".to_owned())??;
    exchange(stream, outside, (first, &host), shared, told).await
}

/// A question read as careless proxies read it: for tests whose attack needs one.
#[cfg(debug_assertions)]
fn careless(head: &[u8]) -> (String, u16) {
    let head = String::from_utf8_lossy(head);
    let place = head.split(' ').nth(1).unwrap_or_default();
    let place = place.rsplit('@').next().unwrap_or_default();
    let (host, port) = place.rsplit_once(':').unwrap_or((place, ""));
    let host = host.split(['\0', '%']).next().unwrap_or_default();
    let host = host.trim_matches(['[', ']']).trim_end_matches('.');
    (host.to_owned(), port.parse().unwrap_or(443))
}

/// Reads up to the empty line; nothing that follows it may have been sent yet.
async fn head(stream: &mut UnixStream) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() >= HEAD_BYTES {
            return Err(std::io::Error::other("it is longer than 8 kB"));
        }
        head.push(stream.read_u8().await?);
    }
    Ok(head)
}

pub(super) async fn refuse(
    stream: &mut UnixStream,
    status: u16,
    why: String,
) -> Result<(), String> {
    let reason = match status {
        400 => "Bad Request",
        403 => "Forbidden",
        404 => "Not Found",
        503 => "Service Unavailable",
        _ => "Bad Gateway",
    };
    let body = format!("{why}\n");
    let head = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let _gone_already = stream.write_all((head + &body).as_bytes()).await;
    Err(why)
}

/// Looks the name up once and judges every address it has: at most as near as `most`.
pub(super) async fn look_up(
    host: &str,
    port: u16,
    most: Nearness,
) -> Result<Vec<SocketAddr>, (u16, String)> {
    let found = timeout(PATIENCE, lookup_host((host, port))).await;
    let found: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(e)) => return Err((502, format!("{host} cannot be looked up: {e}"))),
        Err(_) => return Err((502, format!("nobody says where {host} is"))),
    };
    match found.iter().find(|at| nearness(at.ip()) > most) {
        Some(near) => Err((403, refusal(host, port, near.ip()))),
        None => Ok(found),
    }
}

/// Why an address may not be connected to: one is enough, since names are made to change.
fn refusal(host: &str, port: u16, near: IpAddr) -> String {
    match nearness(near) {
        Nearness::Link => format!(
            "{host} leads to {near}, where machines are told their credentials: nothing is asked there"
        ),
        _ => format!(
            "{host} leads to {near}, which is no public address; `permissions.programs.hosts` may name {host}:{port}"
        ),
    }
}

/// How near an address may be: in the own network, or on this host, where somebody here named it with its port.
pub(super) fn nearest(private: bool, faults: Faults) -> Nearness {
    match (faults.stands(Wall::Proxy), private) {
        (false, _) => Nearness::Link,
        (true, true) => Nearness::Host,
        (true, false) => Nearness::World,
    }
}

/// Connects to one of the addresses that a name has, if all of them may be.
async fn reach(host: &str, port: u16, most: Nearness) -> Result<TcpStream, (u16, String)> {
    let found = look_up(host, port, most).await?;
    let mut last = format!("{host} has no address");
    for at in found {
        match timeout(PATIENCE, TcpStream::connect(at)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(e)) => last = format!("{host} cannot be reached: {e}"),
            Err(_) => last = format!("{host} does not answer"),
        }
    }
    Err((502, last))
}

async fn exchange(
    inside: &mut UnixStream,
    mut outside: TcpStream,
    first: (First, &str),
    shared: &Shared,
    told: &mut Connection,
) -> Result<(), String> {
    let (mut from_inside, mut to_inside) = inside.split();
    let (mut from_outside, mut to_outside) = outside.split();
    greet(
        (&mut from_inside, &mut to_inside),
        (&mut from_outside, &mut to_outside),
        first,
        shared,
        told,
    )
    .await?;
    let up = copy(
        &mut from_inside,
        &mut to_outside,
        (&shared.up, UP_BYTES),
        &shared.frost,
        &mut told.up,
    );
    let down = copy(
        &mut from_outside,
        &mut to_inside,
        (&shared.down, DOWN_BYTES),
        &shared.frost,
        &mut told.down,
    );
    tokio::try_join!(up, down).map(|_| ())
}

/// Copies until the end, silence or the bound; nothing while the team is frozen. A side that ends is ended on the other one too.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    (all, most): (&AtomicU64, u64),
    frost: &Frost,
    own: &mut u64,
) -> Result<(), String> {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let mut watched = frost.watched().await;
        let count = match timeout(IDLE, from.read(&mut buffer)).await {
            // What was frozen meanwhile was not silent.
            Err(_) if watched.melted() => continue,
            Err(_) => return Err("nothing was said for two minutes".to_owned()),
            Ok(Err(_) | Ok(0)) => break,
            Ok(Ok(count)) => count,
        };
        spend(all, count as u64, most)?;
        *own += count as u64;
        // Read just before the team was frozen, it leaves after the thaw.
        frost.thawed().await;
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ended_already = to.shutdown().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn bytes_are_counted_before_they_are_taken_and_none_above_the_bound() {
        let all = AtomicU64::new(0);
        for (count, expected, counted) in [
            (60, true, 60),
            (41, false, 60),
            (u64::MAX, false, 60),
            (40, true, 100),
            (1, false, 100),
            (0, true, 100),
        ] {
            assert_eq!(spend(&all, count, 100).is_ok(), expected, "{count}");
            assert_eq!(all.load(Ordering::Relaxed), counted);
        }
    }

    #[tokio::test]
    async fn a_name_leads_no_nearer_than_it_may() {
        for (host, private, refused) in [
            ("192.0.2.1", false, None),
            ("10.0.0.5", false, Some("no public address")),
            ("10.0.0.5", true, None),
            ("127.0.0.1", true, None),
            ("169.254.169.254", false, Some("credentials")),
            ("169.254.169.254", true, Some("credentials")),
            ("fd00:ec2::254", true, Some("credentials")),
        ] {
            let most = nearest(private, Faults::default());
            let found = look_up(host, 443, most).await;
            let why = found.err().map(|(_, why)| why);
            let right = match (&why, refused) {
                (Some(why), Some(expected)) => why.contains(expected),
                (why, expected) => why.is_none() && expected.is_none(),
            };
            assert!(right, "{host} {private}: {why:?}");
        }
    }
}
