//! What a page answers and a server's certificate say, as data, and what is wrong with them. Whoever fetched them is
//! elsewhere; here nothing is asked of anybody.

pub mod html;
mod packed;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use x509_parser::certificate::X509Certificate;
use x509_parser::prelude::FromDer;

use crate::host::certificates::{common_name, names};
pub use packed::unpacked;

/// Names of one certificate that are told.
const NAMES: usize = 20;

/// The certificate that a server answers with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// `host`, or `host:port` where it is not 443.
    pub host: String,
    /// Whom it is for.
    pub subject: String,
    /// Names and addresses it holds for.
    pub names: Vec<String>,
    /// Who signed it.
    pub issuer: String,
    /// When it begins to hold.
    pub from: Timestamp,
    /// When it ends.
    pub until: Timestamp,
    /// Whole days to its end; negative once it has ended.
    pub days_left: i64,
    /// It has ended.
    pub expired: bool,
    /// It is its own issuer.
    pub self_signed: bool,
    /// Certificates that the server sends.
    pub chain: usize,
    /// The version of TLS that was agreed on.
    pub protocol: String,
    /// Why others would not trust it, as sentences; that it has ended is told apart.
    pub problems: Vec<String>,
}

/// Reads the certificates a server sent, its own first; `distrust` says why a client would turn away.
pub fn served(
    host: &str,
    chain: &[Vec<u8>],
    protocol: &str,
    distrust: Option<String>,
    at: Timestamp,
) -> Option<Served> {
    let (_, leaf) = X509Certificate::from_der(chain.first()?).ok()?;
    let moment = |time: i64| Timestamp::from_second(time).unwrap_or(Timestamp::MIN);
    let until = moment(leaf.validity().not_after.timestamp());
    let from = moment(leaf.validity().not_before.timestamp());
    let mut names = names(&leaf);
    names.truncate(NAMES);
    let self_signed = leaf.subject() == leaf.issuer();
    // What signed itself lacks no certificate in between.
    let shorter = |why: String| match (self_signed, why.split_once("; ")) {
        (true, Some((why, _))) => why.to_owned(),
        _ => why,
    };
    Some(Served {
        host: host.to_owned(),
        subject: common_name(leaf.subject()),
        names,
        issuer: common_name(leaf.issuer()),
        from,
        until,
        days_left: (until.as_second() - at.as_second()).div_euclid(86_400),
        expired: until < at,
        self_signed,
        chain: chain.len(),
        protocol: protocol.to_owned(),
        problems: distrust.map(shorter).into_iter().collect(),
    })
}

/// A host that gave no certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silent {
    /// `host`, or `host:port`.
    pub host: String,
    /// Why.
    pub why: String,
}

/// The certificates of several hosts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServedAll {
    /// The moment from which days are counted.
    pub at: Timestamp,
    /// Those that end first, first.
    pub certificates: Vec<Served>,
    /// Hosts that gave none.
    pub silent: Vec<Silent>,
}

/// One answer on the way to a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hop {
    /// What was asked for.
    pub url: String,
    /// What it answered.
    pub status: u16,
}

/// Something that belongs to a page and does not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Broken {
    /// Its address.
    pub url: String,
    /// What it is: `image`, `script`, `style`, …
    pub kind: String,
    /// What came instead.
    pub why: String,
}

/// A page as it was got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page {
    /// What was asked for.
    pub url: String,
    /// Every answer, the page's own last.
    pub hops: Vec<Hop>,
    /// Where the page is.
    pub end: String,
    /// The page's own status; none where there was no answer.
    pub status: Option<u16>,
    /// Why there was no answer, or why a redirect was not followed.
    pub error: Option<String>,
    /// Milliseconds from the first request to the last answer's first byte.
    pub first_byte_ms: u64,
    /// The same to the page's last byte.
    pub total_ms: u64,
    /// Bytes of the page that were read.
    pub bytes: u64,
    /// There was more of it.
    pub cut: bool,
    /// What the server calls it.
    pub content_type: String,
    /// Its title.
    pub title: Option<String>,
    /// The text that must be on it.
    pub text: Option<String>,
    /// Whether it is.
    pub text_found: Option<bool>,
    /// Certificates of the servers on the way.
    pub certificates: Vec<Served>,
    /// Servers on the way whose certificate could not be looked at.
    pub silent: Vec<Silent>,
    /// What belongs to it: images, scripts, styles, …
    pub assets: usize,
    /// Of these, looked at.
    pub tried: usize,
    /// Of these, on hosts that may not be looked at.
    pub elsewhere: usize,
    /// Of these, fetched without protection by a protected page.
    pub unprotected: usize,
    /// Those that do not come.
    pub broken: Vec<Broken>,
    /// What is wrong with the page, as sentences; that it is slow is for others to say.
    #[serde(default)]
    pub faults: Vec<String>,
}

impl Page {
    /// What is wrong with it.
    pub fn judged(mut self) -> Self {
        let mut faults = Vec::new();
        match (self.status, &self.error) {
            (_, Some(error)) => faults.push(error.clone()),
            (Some(status), None) if !(200..300).contains(&status) => {
                faults.push(format!("it answers {status}{}", meaning(status)));
            }
            _ => {}
        }
        for one in &self.certificates {
            if one.expired {
                let ago = 0 - one.days_left;
                faults.push(format!(
                    "the certificate of {} ended {ago} {} ago",
                    one.host,
                    if ago == 1 { "day" } else { "days" }
                ));
            }
            let named = |problem: &String| format!("the certificate of {}: {problem}", one.host);
            faults.extend(one.problems.iter().map(named));
        }
        for one in self.silent.iter().filter(|_| self.status.is_some()) {
            let (host, why) = (&one.host, &one.why);
            faults.push(format!(
                "the certificate of {host} could not be looked at: {why}"
            ));
        }
        if let (Some(text), Some(false)) = (&self.text, self.text_found) {
            let of_it = match self.cut {
                true => "in the part of it that was read",
                false => "on it",
            };
            faults.push(format!("the text \"{text}\" is not {of_it}"));
        }
        if !self.broken.is_empty() {
            let (many, verb) = match self.broken.len() {
                1 => ("1 thing".to_owned(), "does"),
                many => (format!("{many} things"), "do"),
            };
            faults.push(format!("{many} on it {verb} not come"));
        }
        if self.unprotected > 0 {
            faults.push(format!(
                "{} of what belongs to it is fetched without protection",
                self.unprotected
            ));
        }
        self.faults = faults;
        self
    }
}

fn meaning(status: u16) -> &'static str {
    match status {
        401 => ", it wants a login",
        403 => ", which is forbidden",
        404 => ", there is no such page",
        429 => ", it is asked too often",
        500..=599 => ", the server failed",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn page(status: Option<u16>) -> Page {
        Page {
            url: "https://h/".into(),
            hops: Vec::new(),
            end: "https://h/".into(),
            status,
            error: None,
            first_byte_ms: 1,
            total_ms: 2,
            bytes: 3,
            cut: false,
            content_type: "text/html".into(),
            title: None,
            text: None,
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

    fn certificate(not_after: (i32, u8, u8), names: &[&str]) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(
            names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>(),
        )
        .unwrap();
        let (year, month, day) = not_after;
        params.not_after = rcgen::date_time_ymd(year, month, day);
        params.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn faults_are_named() {
        assert_eq!(page(Some(200)).judged().faults, Vec::<String>::new());
        let mut bad = page(Some(500));
        bad.text = Some("Welcome".into());
        bad.text_found = Some(false);
        bad.unprotected = 1;
        bad.broken = vec![Broken {
            url: "https://h/a.png".into(),
            kind: "image".into(),
            why: "404".into(),
        }];
        let at: Timestamp = "2026-01-11T00:00:00Z".parse().unwrap();
        let chain = [certificate((2026, 1, 1), &["h.example", "*.h.example"])];
        let distrust = Some("nobody whom this host trusts signed it".to_owned());
        bad.certificates = vec![served("h", &chain, "TLS 1.3", distrust, at).unwrap()];
        assert_eq!(
            bad.judged().faults,
            [
                "it answers 500, the server failed",
                "the certificate of h ended 10 days ago",
                "the certificate of h: nobody whom this host trusts signed it",
                "the text \"Welcome\" is not on it",
                "1 thing on it does not come",
                "1 of what belongs to it is fetched without protection",
            ]
        );
    }

    #[test]
    fn a_certificate_is_read() {
        let at: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
        let chain = [certificate((2026, 2, 1), &["h.example"])];
        let why = "nobody whom this host trusts signed it; the server may leave out one";
        let one = served("h.example", &chain, "TLS 1.2", Some(why.to_owned()), at).unwrap();
        assert_eq!(one.problems, ["nobody whom this host trusts signed it"]);
        assert_eq!(
            (
                one.days_left,
                one.expired,
                one.self_signed,
                one.names.as_slice()
            ),
            (31, false, true, &["h.example".to_owned()][..])
        );
        assert!(served("h", &[b"no certificate".to_vec()], "", None, at).is_none());
        assert!(served("h", &[], "", None, at).is_none());
    }
}
