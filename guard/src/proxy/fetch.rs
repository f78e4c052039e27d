//! Fetches from a registry in a program's place: with the token, over connections to addresses that were judged, and hands
//! the answer on without the token and with the registry named as programs reach it.

use super::Connection;
use super::address::Nearness;
use super::asked::{Asked, Method};
#[cfg(debug_assertions)]
use super::careless::careless;
use super::door::{Door, Doors};
use super::hand::answer;
use super::serve::{IDLE, PATIENCE, Shared, UP_BYTES, look_up, nearest, refuse, spend};
use protocol::walls::Wall;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{ACCEPT_ENCODING, AUTHORIZATION, LOCATION};
use reqwest::{Certificate, Client, Response, StatusCode, Url};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Most redirects that are followed.
pub(super) const REDIRECTS: usize = 5;
/// Answers of text that are held whole at the same time.
const TEXTS: usize = 2;
/// Questions whose body is held at the same time.
const BODIES: usize = 4;

/// Whoever fetches for one task.
pub(super) struct Fetch {
    /// What may be fetched from.
    pub(super) doors: Doors,
    /// Places for answers that are held whole: a hundred of them at once would fill the host's memory.
    pub(super) texts: Semaphore,
    /// Places for questions with a body.
    bodies: Semaphore,
    clients: Mutex<BTreeMap<String, Client>>,
    known: Known,
}

/// Names that were looked up and judged: connections are made to these addresses and to no others.
#[derive(Debug, Clone, Default)]
struct Known(Arc<Mutex<HashMap<String, Vec<SocketAddr>>>>);

impl Resolve for Known {
    fn resolve(&self, name: Name) -> Resolving {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.get(name.as_str()).cloned();
        Box::pin(async move {
            let found = found.ok_or("the name was not looked up")?;
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

impl Fetch {
    pub(super) fn from(doors: Doors) -> Fetch {
        Fetch {
            doors,
            texts: Semaphore::new(TEXTS),
            bodies: Semaphore::new(BODIES),
            clients: Mutex::default(),
            known: Known::default(),
        }
    }

    /// The client of a registry: its own certificates count there and nowhere else.
    fn client(&self, name: &str, door: &Door) -> Result<Client, String> {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = clients.get(name) {
            return Ok(client.clone());
        }
        // A provider that is installed already is the same one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .connect_timeout(PATIENCE)
            .dns_resolver(Arc::new(self.known.clone()));
        if let Some(text) = &door.authority {
            let own = Certificate::from_pem_bundle(text.as_bytes())
                .map_err(|e| format!("its `authority` holds no certificates: {e}"))?;
            client = client.tls_certs_merge(own);
        }
        let client = client
            .build()
            .map_err(|e| format!("no connection can be made: {e}"))?;
        clients.insert(name.to_owned(), client.clone());
        Ok(client)
    }
}

/// A refusal: the status that tells it, and why.
type Refused = (u16, String);

/// Answers one question.
pub(super) async fn fetch(
    stream: &mut UnixStream,
    number: u64,
    shared: &Shared,
    (asked, head): (&Asked, &[u8]),
    told: &mut Connection,
) -> Result<(), String> {
    told.asked = asked.told();
    let Some(door) = shared.fetch.doors.get(&asked.name) else {
        let why = "no registry of this name is granted (`permissions.registries`)".to_owned();
        return refuse(stream, 404, why).await;
    };
    let url = match door.target(asked) {
        Ok(url) => url,
        #[cfg(debug_assertions)]
        Err(_) if !shared.faults.stands(Wall::Proxy) => {
            return careless(stream, head, &shared.fetch.doors).await;
        }
        Err(why) => return refuse(stream, 403, why).await,
    };
    place(told, &url);
    // Counted before anything is held for it, so that nobody fills the memory with what will not be sent.
    let length = asked.length as u64;
    if let Err(why) = spend(&shared.up, length, UP_BYTES) {
        return refuse(stream, 403, why).await;
    }
    told.up = length;
    let place_held = match length {
        0 => None,
        _ => Some(shared.fetch.bodies.acquire().await),
    };
    let mut body = vec![0; asked.length];
    match timeout(PATIENCE, stream.read_exact(&mut body)).await {
        Ok(Ok(_)) => {}
        _ => return Err("the question broke off".to_owned()),
    }
    let headers = match shared.faults.stands(Wall::Proxy) {
        true => asked.headers.clone(),
        false => every_header(head),
    };
    let question = Question {
        asked,
        headers,
        body: Some(body),
    };
    let asked_for = ask(number, shared, question, door, url, told).await;
    drop(place_held);
    match asked_for {
        Ok(response) => answer(stream, response, shared, asked, door, told).await,
        Err((status, why)) => refuse(stream, status, why).await,
    }
}

fn place(told: &mut Connection, url: &Url) {
    told.host = url.host_str().unwrap_or_default().to_owned();
    told.port = url.port_or_known_default().unwrap_or_default();
}

/// What is asked wherever it leads.
struct Question<'a> {
    asked: &'a Asked,
    headers: Vec<(String, String)>,
    /// Until it is sent: what has a body is asked once.
    body: Option<Vec<u8>>,
}

impl Question<'_> {
    /// Bytes of the line and the headers that programs decide about, as HTTP/1.1 writes them.
    fn head(&self, url: &Url) -> u64 {
        let line = self.asked.method.word().len() + url.as_str().len() + " HTTP/1.1\r\n ".len();
        let headers = self.headers.iter();
        let headers = headers.map(|(name, value)| name.len() + value.len() + ": \r\n".len());
        (line + headers.sum::<usize>()) as u64
    }
}

/// Every header as it came, but for those of the connection: for tests whose attack needs one.
fn every_header(head: &[u8]) -> Vec<(String, String)> {
    let head = String::from_utf8_lossy(head);
    let lines = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "));
    let own = |name: &str| ["host", "content-length"].contains(&name);
    lines
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .filter(|(name, _)| !own(name))
        .collect()
}

/// Asks, and follows where it is sent. Each place is written down before it is asked.
async fn ask(
    number: u64,
    shared: &Shared,
    mut question: Question<'_>,
    door: &Door,
    first: Url,
    told: &mut Connection,
) -> Result<Response, Refused> {
    let asked = question.asked;
    let client = shared
        .fetch
        .client(&asked.name, door)
        .map_err(|why| (502, why))?;
    let home = first.origin();
    let mut url = first;
    for _ in 0..=REDIRECTS {
        let own = url.origin() == home;
        let private = match own {
            true => names_port(&door.url),
            false => judged(shared, &url)?,
        };
        shared.frost.thawed().await;
        place(told, &url);
        let written = shared.record.begins(number, told).await;
        written.map_err(|why| (503, why))?;
        told.begun = true;
        let head = question.head(&url);
        spend(&shared.up, head, UP_BYTES).map_err(|why| (403, why))?;
        told.up += head;
        addresses(shared, &url, private).await?;
        let mut request = match asked.method {
            Method::Get => client.get(url.clone()),
            Method::Head => client.head(url.clone()),
            Method::Post => client
                .post(url.clone())
                .body(question.body.take().unwrap_or_default()),
        };
        for (name, value) in &question.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        request = request.header(ACCEPT_ENCODING, "identity");
        if own || !shared.faults.stands(Wall::Proxy) {
            request = request.header(AUTHORIZATION, door.authorization());
        }
        let response = match timeout(IDLE, request.send()).await {
            Ok(Ok(response)) => response,
            Ok(Err(e)) => return Err((502, plain(&e))),
            Err(_) => return Err((502, "it does not answer".to_owned())),
        };
        if !response.status().is_redirection() || response.status() == StatusCode::NOT_MODIFIED {
            return refused(&asked.name, response);
        }
        if asked.method == Method::Post {
            return Err((
                502,
                "it leads a question with a body elsewhere, which is not followed".to_owned(),
            ));
        }
        let to = response
            .headers()
            .get(LOCATION)
            .and_then(|to| to.to_str().ok());
        let to = to.and_then(|to| url.join(to).ok());
        url = to.ok_or_else(|| (502, "it leads elsewhere and does not say where".to_owned()))?;
    }
    Err((
        502,
        format!("it leads elsewhere more than {REDIRECTS} times"),
    ))
}

/// Whether a place that a registry leads to may be asked, without the token; and whether a private address will do.
fn judged(shared: &Shared, url: &Url) -> Result<bool, Refused> {
    if !shared.faults.stands(Wall::Proxy) {
        return Ok(true);
    }
    let no = |why: &str| (403, format!("it leads to {}, {why}", origin(url)));
    if url.scheme() != "https" || !url.username().is_empty() || url.password().is_some() {
        return Err(no("which is no plain https address"));
    }
    let host = super::request::host(url.host_str().unwrap_or_default()).map_err(no)?;
    let port = url.port_or_known_default().unwrap_or_default();
    shared
        .allowed
        .judge(&host, port)
        .map_err(|why| no(&format!("and {why}")))
}

fn origin(url: &Url) -> String {
    url.origin()
        .ascii_serialization()
        .chars()
        .take(120)
        .collect()
}

/// Whether an address names a port: then whoever wrote it knows where it is, and it may be private.
fn names_port(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let place = rest.split('/').next().unwrap_or_default();
    let port = place.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
}

/// Looks the host up once and keeps its addresses for the connection that is made next.
async fn addresses(shared: &Shared, url: &Url, private: bool) -> Result<(), Refused> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let most = nearest(private, shared.faults);
    let found = look_up(host.trim_matches(['[', ']']), port, most).await;
    let found = found.map_err(|(status, why)| match status {
        403 if most == Nearness::World => (
            403,
            format!("{why}; a registry whose `url` names its port may have one"),
        ),
        _ => (status, why),
    })?;
    let mut known = shared
        .fetch
        .known
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    known.insert(host.to_owned(), found);
    Ok(())
}

/// An answer that says that the token is not taken is told in so many words: clients would ask for a password.
fn refused(name: &str, response: Response) -> Result<Response, Refused> {
    match response.status() {
        StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED => {
            let why = format!(
                "the registry `{name}` does not take its token: it is wrong, has ended or may not read this (`permissions.registries.{name}`)"
            );
            Err((403, why))
        }
        _ => Ok(response),
    }
}

/// The error with its causes and without the address.
pub(super) fn plain(error: &reqwest::Error) -> String {
    let mut text = match error.is_connect() {
        true => "the registry cannot be reached".to_owned(),
        false => "the question broke off".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    while let Some(one) = cause {
        text = format!("{text}: {one}");
        cause = one.source();
    }
    text.chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_its_port_or_does_not() {
        for (url, expected) in [
            ("https://h", false),
            ("https://h/a:8", false),
            ("https://h:443/a", true),
            ("https://127.0.0.1:8443", true),
            ("https://[::1]:8443/a", true),
            ("https://[::1]/a", false),
        ] {
            assert_eq!(names_port(url), expected, "{url}");
        }
    }
}
