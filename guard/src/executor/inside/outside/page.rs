//! A page as a visitor gets it: every redirect, the time, the certificates on the way, the text, and whether what belongs
//! to it comes. Only hosts that were granted are asked, with GET and HEAD, and no credential goes along; so a certificate
//! that is not in order is told and does not hide the rest. What a page leads to lies no nearer than the page itself.

use super::names::{self, Lost, Names};
use super::tls;
use crate::outside::{WebHost, granted_host, not_granted};
use crate::proxy::address::Nearness;
use inspect::web::html::{self, Document};
use inspect::web::{self, Broken, Hop, Page, Silent};
use reqwest::{Client, Method, Response, StatusCode, Url};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// Most redirects that are followed.
const REDIRECTS: usize = 10;
/// Longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// Longest wait for one thing that belongs to the page.
const ASSET_PATIENCE: Duration = Duration::from_secs(10);
/// Most of a page that is read, in bytes.
const PAGE_BYTES: usize = 5 << 20;
/// Most of what belongs to a page that is looked at, and how much of it at once.
const ASSETS: usize = 60;
/// Most of what does not come that is told.
const BROKEN: usize = 60;
const AT_ONCE: usize = 6;
/// Longest address that is told, in characters.
const ADDRESS: usize = 500;

type Hosts = BTreeMap<String, WebHost>;

fn client(names: &Names) -> Result<Client, String> {
    // A provider that is installed already is the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .tls_danger_accept_invalid_certs(true)
        .timeout(PATIENCE)
        .connect_timeout(Duration::from_secs(10))
        .user_agent("ai-infra page check")
        .dns_resolver(Arc::new(names.clone()))
        .build()
        .map_err(|e| format!("no connection can be made: {e}"))
}

/// The grant's name for an address: its host and port, where they are granted.
fn allowed(url: &Url, hosts: &Hosts) -> Result<(), String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    match granted_host(hosts, host, port) {
        Some(_) => Ok(()),
        None => Err(not_granted(host, port, hosts)),
    }
}

/// Looks up where an address leads, and says how near that is: as near as its grant lets it be, and no nearer than `own`,
/// where the page itself lies.
async fn led(
    url: &Url,
    (hosts, names): (&Hosts, &Names),
    own: Option<Nearness>,
) -> Result<Nearness, Lost> {
    let host = url.host_str().unwrap_or_default().to_owned();
    let port = url.port_or_known_default().unwrap_or(443);
    let most = names::granted(hosts, &host, port);
    let (asked, names) = (host.clone(), names.clone());
    let found = tokio::task::spawn_blocking(move || names.find(&asked, port, most));
    let found = match tokio::time::timeout(PATIENCE, found).await {
        Ok(Ok(found)) => found?,
        Ok(Err(e)) => return Err(Lost::Nowhere(format!("its name was not looked up: {e}"))),
        Err(_) => return Err(Lost::Nowhere("nobody says in time where it is".to_owned())),
    };
    match own {
        Some(own) if found.nearest > own => Err(Lost::Refused(format!(
            "{host} lies nearer to this host than the page that leads there: check it by itself where that is meant"
        ))),
        _ => Ok(found.nearest),
    }
}

fn shown(url: &Url) -> String {
    url.as_str().chars().take(ADDRESS).collect()
}

/// Gets it.
pub(super) async fn check(
    url: &str,
    text: Option<&str>,
    (hosts, names): (&Hosts, Names),
    most: Duration,
) -> Result<Page, String> {
    let started = Instant::now();
    let first = Url::parse(url).map_err(|e| format!("{url} is no address: {e}"))?;
    allowed(&first, hosts)?;
    let client = client(&names)?;
    let mut page = empty(&first, text);
    let own = match led(&first, (hosts, &names), None).await {
        Ok(own) => own,
        Err(Lost::Refused(why)) => return Err(why),
        Err(Lost::Nowhere(why)) => {
            page.error = Some(format!("it cannot be reached: {why}"));
            return Ok(page.judged());
        }
    };
    let mut seen = BTreeSet::new();
    let mut at = first;
    let mut servers: Vec<Url> = Vec::new();
    let response = loop {
        if !servers.iter().any(|known| known.origin() == at.origin()) {
            servers.push(at.clone());
        }
        page.end = shown(&at);
        let left = most.saturating_sub(started.elapsed());
        let asked = client
            .get(at.clone())
            .header("accept-encoding", "gzip")
            .timeout(left.min(PATIENCE));
        let response = match asked.send().await {
            Ok(response) => response,
            Err(error) => {
                page.error = Some(plain(&error));
                break None;
            }
        };
        let status = response.status();
        page.hops.push(Hop {
            url: shown(&at),
            status: status.as_u16(),
        });
        page.status = Some(status.as_u16());
        if !status.is_redirection() || status == StatusCode::NOT_MODIFIED {
            break Some(response);
        }
        let next = match next(&at, &response, &mut seen, hosts) {
            Ok(next) => next,
            Err(why) => {
                page.error = Some(why);
                break None;
            }
        };
        if let Err(lost) = led(&next, (hosts, &names), Some(own)).await {
            page.error = Some(match lost {
                Lost::Nowhere(why) => format!("it redirects to {}: {why}", shown(&next)),
                Lost::Refused(why) => not_followed(&next, &why),
            });
            break None;
        }
        at = next;
    };
    page.first_byte_ms = ms(started);
    let document = match response {
        Some(response) => body(&mut page, response).await,
        None => None,
    };
    page.total_ms = ms(started);
    for server in servers.iter().filter(|server| server.scheme() == "https") {
        let host = server.host_str().unwrap_or_default();
        let port = server.port_or_known_default().unwrap_or(443);
        let one = tls::one(host, port, None, (hosts, &names), super::backup::second());
        match one.await {
            Ok(one) => page.certificates.push(one),
            Err(why) => page.silent.push(Silent {
                host: host.to_owned(),
                why,
            }),
        }
    }
    if let Some(document) = document {
        page.text_found = text.map(|text| html::holds(&document, text));
        let left = most.saturating_sub(started.elapsed());
        let way = (&client, hosts, &names, own);
        page = assets(page, way, &at, &document, left).await;
        page.title = document.title;
    } else if page.status.is_some() {
        page.text_found = text.map(|_| false);
    }
    Ok(page.judged())
}

fn empty(url: &Url, text: Option<&str>) -> Page {
    Page {
        url: shown(url),
        hops: Vec::new(),
        end: shown(url),
        status: None,
        error: None,
        first_byte_ms: 0,
        total_ms: 0,
        bytes: 0,
        cut: false,
        content_type: String::new(),
        title: None,
        text: text.map(str::to_owned),
        text_found: None,
        certificates: Vec::new(),
        silent: Vec::new(),
        assets: 0,
        tried: 0,
        elsewhere: 0,
        unprotected: 0,
        broken: Vec::new(),
        faults: Vec::new(),
    }
}

/// Where a redirect leads, where it may be followed.
fn next(
    at: &Url,
    response: &Response,
    seen: &mut BTreeSet<String>,
    hosts: &Hosts,
) -> Result<Url, String> {
    let to = response.headers().get("location");
    let to = to.and_then(|to| to.to_str().ok());
    let to = to.ok_or_else(|| "it redirects and does not say where".to_owned())?;
    let mut next = at
        .join(to)
        .map_err(|_| "it redirects to what is no address".to_owned())?;
    next.set_fragment(None);
    if !["http", "https"].contains(&next.scheme()) {
        return Err(format!(
            "it redirects to {}, which is no page",
            shown(&next)
        ));
    }
    seen.insert(at.to_string());
    if seen.contains(next.as_str()) {
        return Err(format!(
            "it redirects in a circle, back to {}",
            shown(&next)
        ));
    }
    if seen.len() > REDIRECTS {
        return Err(format!("it redirects more than {REDIRECTS} times"));
    }
    allowed(&next, hosts).map_err(|why| not_followed(&next, &why))?;
    Ok(next)
}

fn not_followed(next: &Url, why: &str) -> String {
    let next = shown(next);
    format!("it redirects to {next}, which was not followed: {why}")
}

/// Reads the page; none where it is no text.
async fn body(page: &mut Page, mut response: Response) -> Option<Document> {
    let kind = response.headers().get("content-type");
    let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let packed = response.headers().get("content-encoding");
    let packed = packed.and_then(|p| p.to_str().ok()).unwrap_or_default();
    let packed = packed.trim().to_ascii_lowercase();
    page.content_type = kind.chars().filter(|c| !c.is_control()).take(100).collect();
    let kind = kind.to_ascii_lowercase();
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => break,
            Err(error) if error.is_timeout() => {
                page.error = Some("it begins and does not end in time".to_owned());
                break;
            }
            Err(error) => {
                page.error = Some(format!("the page breaks off: {}", plain(&error)));
                break;
            }
        }
        page.cut = bytes.len() > PAGE_BYTES;
        if page.cut {
            bytes.truncate(PAGE_BYTES);
            break;
        }
    }
    page.bytes = bytes.len() as u64;
    match web::unpacked(bytes, &packed, PAGE_BYTES, page.cut || page.error.is_some()) {
        Ok((whole, more)) => {
            bytes = whole;
            page.cut |= more;
        }
        Err(why) => {
            page.error.get_or_insert(why);
            return None;
        }
    }
    let readable = ["html", "text", "json", "xml"]
        .iter()
        .any(|word| kind.contains(word));
    if !kind.is_empty() && !readable {
        return None;
    }
    let latin = kind.contains("8859-1") || kind.contains("windows-1252");
    let text = match latin {
        true => bytes.iter().map(|byte| char::from(*byte)).collect(),
        false => String::from_utf8_lossy(&bytes).into_owned(),
    };
    match kind.contains("html") || kind.is_empty() {
        true => Some(html::read(&text)),
        false => Some(Document {
            text: text.split_whitespace().collect::<Vec<_>>().join(" "),
            ..Document::default()
        }),
    }
}

/// Looks whether what belongs to the page comes.
async fn assets(
    mut page: Page,
    (client, hosts, names, own): (&Client, &Hosts, &Names, Nearness),
    at: &Url,
    document: &Document,
    most: Duration,
) -> Page {
    let until = Instant::now() + most;
    let base = document.base.as_deref().and_then(|base| at.join(base).ok());
    let base = base.unwrap_or_else(|| at.clone());
    page.assets = document.assets.len();
    let mut wanted = Vec::new();
    for asset in &document.assets {
        let Ok(mut url) = base.join(&asset.address) else {
            broken(&mut page, asset.kind, &asset.address, "it is no address");
            continue;
        };
        url.set_fragment(None);
        if at.scheme() == "https" && url.scheme() == "http" {
            page.unprotected += 1;
        }
        match allowed(&url, hosts) {
            Ok(()) if wanted.len() >= ASSETS || Instant::now() >= until => {}
            Ok(()) => match led(&url, (hosts, names), Some(own)).await {
                Ok(_) => wanted.push((asset.kind, url)),
                Err(Lost::Nowhere(why)) => broken(&mut page, asset.kind, url.as_str(), &why),
                Err(Lost::Refused(_)) => page.elsewhere += 1,
            },
            Err(_) => page.elsewhere += 1,
        }
    }
    let mut wanted = wanted.into_iter();
    let mut running = JoinSet::new();
    loop {
        while running.len() < AT_ONCE
            && Instant::now() < until
            && let Some((kind, url)) = wanted.next()
        {
            let client = client.clone();
            running.spawn(async move { (kind, asset(&client, &url).await, url) });
        }
        let Some(ended) = running.join_next().await else {
            break;
        };
        page.tried += 1;
        if let Ok((kind, Some(why), url)) = ended {
            broken(&mut page, kind, url.as_str(), &why);
        }
    }
    page.broken.sort_by(|a, b| a.url.cmp(&b.url));
    page
}

/// Notes something that does not come, while few enough are noted.
fn broken(page: &mut Page, kind: &str, url: &str, why: &str) {
    if page.broken.len() < BROKEN {
        page.broken.push(Broken {
            url: url.chars().take(ADDRESS).collect(),
            kind: kind.to_owned(),
            why: why.to_owned(),
        });
    }
}

/// Why something does not come; a server that knows no HEAD is asked for it as a browser does.
async fn asset(client: &Client, url: &Url) -> Option<String> {
    let ask = |method: Method| {
        let asked = client.request(method, url.clone()).timeout(ASSET_PATIENCE);
        asked.send()
    };
    let fine = |status: StatusCode| status.is_success() || status.is_redirection();
    match ask(Method::HEAD).await {
        Ok(answer) if fine(answer.status()) => None,
        _ => match ask(Method::GET).await {
            Ok(answer) if fine(answer.status()) => None,
            Ok(answer) => Some(answer.status().as_u16().to_string()),
            Err(error) => Some(plain(&error)),
        },
    }
}

/// The error with its causes and without the address.
fn plain(error: &reqwest::Error) -> String {
    let mut text = match error {
        e if e.is_timeout() => "it does not answer in time".to_owned(),
        e if e.is_connect() => "it cannot be reached".to_owned(),
        _ => "the connection broke off".to_owned(),
    };
    let mut cause = std::error::Error::source(error);
    let mut last = None;
    while let Some(one) = cause {
        last = Some(one.to_string());
        cause = one.source();
    }
    if let Some(last) = last.filter(|_| !error.is_timeout()) {
        text.push_str(&format!(": {last}"));
    }
    text
}

fn ms(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "page_tests.rs"]
mod tests;
