//! Hands the answer of a registry on to the program that asked: text with the registry named as programs reach it, anything
//! else as it comes, and both without the token. An answer that broke off never looks whole.

use super::Connection;
use super::asked::{Asked, Method};
use super::door::Door;
use super::fetch::plain;
use super::mask::Mask;
use super::serve::{DOWN_BYTES, IDLE, Shared, refuse, spend};
use protocol::walls::Wall;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use reqwest::{Response, StatusCode};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::time::timeout;

/// Largest text that is told anew, in bytes, before and after: descriptions of packages with a thousand versions have a
/// dozen MB.
const TEXT_BYTES: usize = 64 * 1024 * 1024;
/// Headers of an answer that go on, besides those about its length.
const GO_ON: [&str; 5] = [
    "content-type",
    "etag",
    "last-modified",
    "cache-control",
    "expires",
];

/// Hands an answer on.
pub(super) async fn answer(
    stream: &mut UnixStream,
    mut response: Response,
    shared: &Shared,
    asked: &Asked,
    door: &Door,
    told: &mut Connection,
) -> Result<(), String> {
    let masked = shared.faults.stands(Wall::Proxy);
    let secrets = if masked { door.secrets() } else { Vec::new() };
    let headers = response.headers();
    let text = is_text(headers, asked);
    let packed = headers
        .get(CONTENT_ENCODING)
        .is_some_and(|how| how != "identity");
    if text && packed {
        let why = "it answers packed, though it was asked not to".to_owned();
        return refuse(stream, 502, why).await;
    }
    let status = response.status();
    let mut head = format!(
        "HTTP/1.1 {} {}\r\nConnection: close\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or("Answer")
    );
    for name in GO_ON {
        let Some(value) = headers.get(name).and_then(|value| value.to_str().ok()) else {
            continue;
        };
        let value = covered(value.as_bytes(), &secrets);
        head += &format!("{name}: {}\r\n", String::from_utf8_lossy(&value));
    }
    if packed
        && let Some(how) = headers
            .get(CONTENT_ENCODING)
            .and_then(|how| how.to_str().ok())
    {
        head += &format!("content-encoding: {how}\r\n");
    }
    let length = response.content_length();
    let length = length.filter(|_| headers.contains_key(CONTENT_LENGTH));
    let bare = asked.method == Method::Head
        || [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED].contains(&status);
    if bare {
        if let Some(length) = length.filter(|_| !text) {
            head += &format!("content-length: {length}\r\n");
        }
        return send(stream, shared, (head + "\r\n").as_bytes()).await;
    }
    if text {
        let _place = shared.fetch.texts.acquire().await;
        let large = format!("its answer has more than {} MB of text", TEXT_BYTES >> 20);
        let mut whole = Vec::new();
        let mut mask = Mask::new(secrets);
        while let Some(bytes) = next(&mut response, shared, told).await? {
            if whole.len() + bytes.len() > TEXT_BYTES {
                return refuse(stream, 502, large).await;
            }
            whole.extend(mask.feed(&bytes));
        }
        whole.extend(mask.finish());
        whole.shrink_to_fit();
        let Some(whole) = door.told_anew(&asked.name, &asked.path, whole, TEXT_BYTES) else {
            return refuse(stream, 502, large).await;
        };
        head += &format!("content-length: {}\r\n\r\n", whole.len());
        send(stream, shared, head.as_bytes()).await?;
        return send(stream, shared, &whole).await;
    }
    // Without a length, pieces say where the end is: an answer that broke off must not look whole.
    match length {
        Some(length) => head += &format!("content-length: {length}\r\n\r\n"),
        None => head += "transfer-encoding: chunked\r\n\r\n",
    }
    send(stream, shared, head.as_bytes()).await?;
    let mut mask = Mask::new(secrets);
    while let Some(bytes) = next(&mut response, shared, told).await? {
        piece(stream, shared, &mask.feed(&bytes), length.is_none()).await?;
    }
    piece(stream, shared, &mask.finish(), length.is_none()).await?;
    match length {
        Some(_) => Ok(()),
        None => send(stream, shared, b"0\r\n\r\n").await,
    }
}

/// Whether an answer is text: what names places, and is told anew.
fn is_text(headers: &HeaderMap, asked: &Asked) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let named = ["json", "html", "xml"]
        .iter()
        .any(|part| kind.contains(part));
    kind.starts_with("text/") || named || asked.path.ends_with("config.json")
}

fn covered(bytes: &[u8], secrets: &[String]) -> Vec<u8> {
    let mut mask = Mask::new(secrets.to_vec());
    let mut all = mask.feed(bytes);
    all.extend(mask.finish());
    all
}

/// The next bytes of an answer; nothing is read while the team is frozen.
async fn next(
    response: &mut Response,
    shared: &Shared,
    told: &mut Connection,
) -> Result<Option<Vec<u8>>, String> {
    loop {
        let mut watched = shared.frost.watched().await;
        let bytes = match timeout(IDLE, response.chunk()).await {
            // What was frozen meanwhile was not silent.
            Err(_) if watched.melted() => continue,
            Err(_) => return Err("nothing was said for two minutes".to_owned()),
            Ok(Err(e)) => return Err(plain(&e)),
            Ok(Ok(None)) => return Ok(None),
            Ok(Ok(Some(bytes))) => bytes,
        };
        told.down += bytes.len() as u64;
        spend(&shared.down, bytes.len() as u64, DOWN_BYTES)?;
        return Ok(Some(bytes.to_vec()));
    }
}

async fn piece(
    stream: &mut UnixStream,
    shared: &Shared,
    bytes: &[u8],
    chunked: bool,
) -> Result<(), String> {
    if bytes.is_empty() {
        return Ok(());
    }
    if !chunked {
        return send(stream, shared, bytes).await;
    }
    let mut whole = format!("{:x}\r\n", bytes.len()).into_bytes();
    whole.extend_from_slice(bytes);
    whole.extend_from_slice(b"\r\n");
    send(stream, shared, &whole).await
}

async fn send(stream: &mut UnixStream, shared: &Shared, bytes: &[u8]) -> Result<(), String> {
    shared.frost.thawed().await;
    let gone = |e: std::io::Error| format!("the program is gone: {e}");
    stream.write_all(bytes).await.map_err(gone)
}
