//! A question as careless proxies carry it: with the token, and otherwise as it came. For tests whose attack needs one; a
//! release has none of it.

use super::door::Doors;
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;

/// A question as careless proxies carry it: with the token, and otherwise as it came. For tests whose attack needs one.
pub(super) async fn careless(
    stream: &mut UnixStream,
    head: &[u8],
    doors: &Doors,
) -> Result<(), String> {
    let head = String::from_utf8_lossy(head);
    let (line, rest) = head.split_once("\r\n").unwrap_or((&head, ""));
    let mut words = line.split(' ');
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let name = target
        .trim_start_matches('/')
        .split('/')
        .next()
        .unwrap_or_default();
    let door = doors.get(name).or_else(|| doors.values().next());
    let door = door.ok_or("there is no door")?;
    let address = match target.strip_prefix('/') {
        Some(path) => format!(
            "{}{}",
            door.base(),
            path.split_once('/').map_or("", |(_, path)| path)
        ),
        None => target.to_owned(),
    };
    let (place, path) = address.split_once("://").map_or(("", ""), |(_, rest)| {
        rest.split_once('/').unwrap_or((rest, ""))
    });
    let mut outside = tokio::net::TcpStream::connect(place)
        .await
        .map_err(|e| e.to_string())?;
    let token = door.authorization();
    let words = format!("{method} /{path} HTTP/1.1\r\nAuthorization: {token}\r\n{rest}");
    outside
        .write_all(words.as_bytes())
        .await
        .map_err(|e| e.to_string())?;
    let _either_ended = tokio::io::copy_bidirectional(stream, &mut outside).await;
    Ok(())
}
