//! Carries bytes between a sandbox and the hosts it may reach, within bounds on time and number.

use super::greeting::{GREETING_BYTES, Greeting, read};
use super::request::{HEAD_BYTES, connect};
use super::{Allowed, Connection, address};
use protocol::fault::Faults;
use protocol::walls::Wall;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixListener, UnixStream, lookup_host};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Connections at the same time; the next one waits.
const AT_ONCE: usize = 64;
/// Longest wait for a question, for a greeting and for a host to answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest silence in both directions.
const IDLE: Duration = Duration::from_secs(120);
/// Longest life of a connection.
const LIFE: Duration = Duration::from_secs(3600);
/// Most bytes that leave in all connections of a task: questions, not data.
const UP_BYTES: u64 = 64 * 1024 * 1024;
/// Most bytes that come in.
const DOWN_BYTES: u64 = 8 * 1024 * 1024 * 1024;

struct Shared {
    allowed: Allowed,
    faults: Faults,
    up: AtomicU64,
    down: AtomicU64,
}

/// Serves until it is dropped.
pub(super) async fn serve(
    listener: UnixListener,
    allowed: Allowed,
    faults: Faults,
    tell: impl Fn(Connection) + Send + Sync + 'static,
) {
    let tell = Arc::new(tell);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let shared = Arc::new(Shared {
        allowed,
        faults,
        up: AtomicU64::new(0),
        down: AtomicU64::new(0),
    });
    // They end with this task.
    let mut open = tokio::task::JoinSet::new();
    loop {
        while open.try_join_next().is_some() {}
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            // Out of descriptors, mostly: they come back.
            Err(_) => {
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (shared, tell) = (Arc::clone(&shared), Arc::clone(&tell));
        open.spawn(async move {
            tell(connection(stream, &shared).await);
            drop(place);
        });
    }
}

async fn connection(mut stream: UnixStream, shared: &Shared) -> Connection {
    let began = Instant::now();
    let mut told = Connection {
        host: String::new(),
        port: 0,
        refused: None,
        up: 0,
        down: 0,
        took_ms: 0,
    };
    match timeout(LIFE, carry(&mut stream, shared, &mut told)).await {
        Ok(Ok(())) => {}
        Ok(Err(why)) => told.refused = Some(why),
        Err(_) => told.refused = Some("it stood for an hour".to_owned()),
    }
    told.took_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    told
}

async fn carry(
    stream: &mut UnixStream,
    shared: &Shared,
    told: &mut Connection,
) -> Result<(), String> {
    let head = timeout(PATIENCE, head(stream))
        .await
        .map_err(|_| "nothing was asked".to_owned())?
        .map_err(|e| format!("the question broke off: {e}"))?;
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
    let outside = match reach(&host, port, private || !shared.faults.stands(Wall::Proxy)).await {
        Ok(outside) => outside,
        Err((status, why)) => return refuse(stream, status, why).await,
    };
    let gone = |e: std::io::Error| format!("the program is gone: {e}");
    stream
        .write_all(b"HTTP/1.1 200 Connection established\r\n\r\n")
        .await
        .map_err(gone)?;
    let first = timeout(PATIENCE, greeting(stream, &host, shared.faults))
        .await
        .map_err(|_| "no TLS greeting came".to_owned())??;
    exchange(stream, outside, &first, shared, told).await
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

async fn refuse(stream: &mut UnixStream, status: u16, why: String) -> Result<(), String> {
    let reason = match status {
        400 => "Bad Request",
        403 => "Forbidden",
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

/// Looks the name up once, judges every address it has, and connects to one of those.
async fn reach(host: &str, port: u16, private: bool) -> Result<TcpStream, (u16, String)> {
    let found = timeout(PATIENCE, lookup_host((host, port))).await;
    let found: Vec<SocketAddr> = match found {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(e)) => return Err((502, format!("{host} cannot be looked up: {e}"))),
        Err(_) => return Err((502, format!("nobody says where {host} is"))),
    };
    // One address that is not the world's is enough: names are made to change.
    if let Some(own) = found
        .iter()
        .find(|at| !private && !address::is_public(at.ip()))
    {
        let why = format!(
            "{host} leads to {}, which is no public address; `permissions.programs.hosts` may name {host}:{port}",
            own.ip()
        );
        return Err((403, why));
    }
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

/// Reads the greeting and holds its name against the host.
async fn greeting(stream: &mut UnixStream, host: &str, faults: Faults) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.unwrap_or(0);
        if count == 0 {
            return Err("it was closed before anything was said".to_owned());
        }
        bytes.extend(&buffer[..count]);
        match read(&bytes) {
            _ if !faults.stands(Wall::Proxy) => return Ok(bytes),
            Greeting::For(name) if name.eq_ignore_ascii_case(host) => return Ok(bytes),
            Greeting::For(_) => return Err("its TLS greeting is for another server".to_owned()),
            Greeting::Other(why) => return Err(format!("it {why}")),
            Greeting::More if bytes.len() > GREETING_BYTES => {
                return Err("its TLS greeting does not end".to_owned());
            }
            Greeting::More => {}
        }
    }
}

async fn exchange(
    inside: &mut UnixStream,
    mut outside: TcpStream,
    first: &[u8],
    shared: &Shared,
    told: &mut Connection,
) -> Result<(), String> {
    let (mut from_inside, mut to_inside) = inside.split();
    let (mut from_outside, mut to_outside) = outside.split();
    to_outside
        .write_all(first)
        .await
        .map_err(|e| format!("the host is gone: {e}"))?;
    told.up = first.len() as u64;
    shared.up.fetch_add(told.up, Ordering::Relaxed);
    let up = copy(
        &mut from_inside,
        &mut to_outside,
        &shared.up,
        UP_BYTES,
        &mut told.up,
    );
    let down = copy(
        &mut from_outside,
        &mut to_inside,
        &shared.down,
        DOWN_BYTES,
        &mut told.down,
    );
    tokio::try_join!(up, down).map(|_| ())
}

/// Copies until the end, silence or the bound. A side that ends is ended on the other one too.
async fn copy(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    all: &AtomicU64,
    most: u64,
    own: &mut u64,
) -> Result<(), String> {
    let mut buffer = vec![0; 32 * 1024];
    loop {
        let count = match timeout(IDLE, from.read(&mut buffer)).await {
            Err(_) => return Err("nothing was said for two minutes".to_owned()),
            Ok(Err(_) | Ok(0)) => break,
            Ok(Ok(count)) => count,
        };
        *own += count as u64;
        if all.fetch_add(count as u64, Ordering::Relaxed) > most {
            return Err(format!("more than {} MB in this task", most >> 20));
        }
        if to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    let _ended_already = to.shutdown().await;
    Ok(())
}
