//! Whether a site answers: each of its names is asked for on this host, at a path that only this very site
//! knows, and then for its first page. Over HTTPS the certificate must be the one that was named.

use crate::site::text::proof_path;
use crate::{Refused, halt};
use protocol::duty::site::{Serve, Site};
use protocol::duty::terms::SiteTerms;
use reqwest::redirect::Policy;
use reqwest::tls::TlsInfo;
use reqwest::{Client, Response};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Longest wait for workers of the new configuration.
const PATIENCE: Duration = Duration::from_secs(8);
/// Longer than the old workers are let go on.
const PAUSE: Duration = Duration::from_millis(300);
const ONE: Duration = Duration::from_secs(5);

/// How every name answers, as rows; the second is what is wrong.
pub async fn all(site: &Site, terms: &SiteTerms) -> Result<(Vec<Value>, Option<String>), Refused> {
    lasting(site, terms, |_, wrong| wrong.is_none()).await
}

/// Whether none of the names leads to this site any more.
pub async fn none(site: &Site, terms: &SiteTerms) -> Result<bool, Refused> {
    let gone = |rows: &[Value]| rows.iter().all(|row| row["is_this"] != true);
    let (rows, _) = lasting(site, terms, |rows, _| gone(rows)).await?;
    Ok(gone(&rows))
}

/// Asks until it is as wanted, twice with a pause: for a moment after a reload workers of the old configuration take
/// connections beside those of the new one.
async fn lasting(
    site: &Site,
    terms: &SiteTerms,
    wanted: impl Fn(&[Value], &Option<String>) -> bool,
) -> Result<(Vec<Value>, Option<String>), Refused> {
    let began = Instant::now();
    let mut good = 0;
    loop {
        let (rows, wrong) = tokio::select! {
            asked = round(site, terms) => asked?,
            _ = halt::wait() => return Err(halt::stopped()),
        };
        good = if wanted(&rows, &wrong) { good + 1 } else { 0 };
        if good == 2 || (good == 0 && began.elapsed() > PATIENCE) {
            return Ok((rows, wrong));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn round(site: &Site, terms: &SiteTerms) -> Result<(Vec<Value>, Option<String>), Refused> {
    let (mut rows, mut wrong) = (Vec::new(), None);
    for name in site.asked_at() {
        for https in [false, true] {
            if https && site.certificate.is_none() {
                continue;
            }
            let (row, why) = one(site, terms, &name, https).await?;
            rows.push(row);
            wrong = wrong.or(why);
        }
    }
    Ok((rows, wrong))
}

/// Whether each name shows, over plain HTTP, what lies in the folder of challenges: asked here before an
/// authority is, which counts what fails.
///
/// # Errors
/// A sentence that names the one that does not.
pub async fn shows(
    site: &Site,
    terms: &SiteTerms,
    path: &str,
    expected: &str,
) -> Result<(), Refused> {
    let began = Instant::now();
    let mut good = 0;
    loop {
        let mut wrong = None;
        for name in site.asked_at() {
            let client = client(&name, SocketAddr::new(address(terms), terms.http))?;
            let got = async {
                let url = format!("http://{name}:{}{path}", terms.http);
                client.get(url).send().await?.text().await
            };
            let got = tokio::select! {
                got = got => got,
                _ = halt::wait() => return Err(halt::stopped()),
            };
            match got {
                Ok(text) if text == expected => {}
                Ok(_) => {
                    wrong = Some(format!(
                        "{name} does not show on this host what the authority would ask for"
                    ))
                }
                Err(error) => {
                    wrong = Some(format!(
                        "{name} does not answer over http: {}",
                        innermost(&error)
                    ))
                }
            }
        }
        good = if wrong.is_none() { good + 1 } else { 0 };
        match wrong {
            None if good == 2 => return Ok(()),
            Some(why) if began.elapsed() > PATIENCE => return Err(why.into()),
            _ => tokio::time::sleep(PAUSE).await,
        }
    }
}

/// Whether the first name of a site is served with the certificate of its file, asked once.
pub async fn is_served(site: &Site, terms: &SiteTerms) -> bool {
    let Some(name) = site.asked_at().into_iter().next() else {
        return false;
    };
    let Ok((row, _)) = one(site, terms, &name, true).await else {
        return false;
    };
    row["is_this"] == true
}

fn address(terms: &SiteTerms) -> IpAddr {
    match terms.address {
        Some(address) if !address.is_unspecified() => address,
        _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

async fn one(
    site: &Site,
    terms: &SiteTerms,
    name: &str,
    https: bool,
) -> Result<(Value, Option<String>), Refused> {
    let (scheme, port) = match https {
        true => ("https", terms.https),
        false => ("http", terms.http),
    };
    let client = client(name, SocketAddr::new(address(terms), port))?;
    let base = format!("{scheme}://{name}:{port}");
    let mut row = json!({"name": name, "scheme": scheme, "is_this": false, "status": null});
    let proof = client
        .get(format!("{base}{}", proof_path(site)))
        .send()
        .await;
    let proof = match proof {
        Ok(proof) => proof,
        Err(error) => {
            return Ok((
                row,
                Some(format!(
                    "{name} does not answer over {scheme}: {}",
                    innermost(&error)
                )),
            ));
        }
    };
    row["is_this"] = json!(proof.status() == 204);
    if proof.status() != 204 {
        let why = format!("another site answers for {name} over {scheme}");
        return Ok((row, Some(why)));
    }
    if https && !served(&proof, site, terms) {
        row["is_this"] = json!(false);
        return Ok((
            row,
            Some(format!("{name} is served with another certificate")),
        ));
    }
    let first = client.get(format!("{base}/")).send().await;
    let first = match first {
        Ok(first) => first,
        Err(error) => {
            return Ok((
                row,
                Some(format!(
                    "{name} gives no page over {scheme}: {}",
                    innermost(&error)
                )),
            ));
        }
    };
    let status = first.status().as_u16();
    row["status"] = json!(status);
    let led = site.only_https && site.certificate.is_some() && !https;
    let good = match &site.serve {
        _ if led => status == 301,
        Serve::Redirect(_) => status == 301,
        Serve::Root(_) => status < 500,
        Serve::Upstream(_) => ![502, 503, 504].contains(&status),
    };
    let why = format!("{name} answers with {status} over {scheme}");
    Ok((row, (!good).then_some(why)))
}

fn client(name: &str, address: SocketAddr) -> Result<Client, Refused> {
    // An error means that the process has a provider already, which serves as well.
    let _there = rustls::crypto::ring::default_provider().install_default();
    let made = Client::builder()
        .no_proxy()
        .redirect(Policy::none())
        .resolve(name, address)
        // Which certificate is served is compared byte by byte; who vouches for it is not asked.
        .tls_danger_accept_invalid_certs(true)
        .tls_info(true)
        .pool_max_idle_per_host(0)
        .timeout(ONE)
        .user_agent("ai-infra site check")
        .build();
    made.map_err(|error| format!("no request can be made: {error}").into())
}

/// Whether it came with the certificate of the file.
fn served(answer: &Response, site: &Site, terms: &SiteTerms) -> bool {
    let Some(name) = &site.certificate else {
        return false;
    };
    let file = format!("{}/{name}/fullchain.pem", terms.certificates);
    let wanted = CertificateDer::from_pem_file(file).ok();
    let shown = answer
        .extensions()
        .get::<TlsInfo>()
        .and_then(TlsInfo::peer_certificate);
    wanted.is_some_and(|wanted| shown == Some(wanted.as_ref()))
}

fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    protocol::text::one_line(&cause.to_string(), 160)
}
