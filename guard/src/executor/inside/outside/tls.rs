//! A TLS handshake for the certificate alone: whatever the server shows is taken and looked at, and nothing is sent over
//! the connection but the words that ask for TLS where a port begins without. Whether a client should trust it is asked of the same rules that clients have.

use super::later::{Bounded, Spoken};
use super::names::{Lost, Names, granted as nearest_granted};
use crate::outside::{WebHost, granted_host, host_and_port, not_granted};
use inspect::web::{Served, ServedAll, Silent, served};
use jiff::Timestamp;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    CertificateError, ClientConfig, ClientConnection, DigitallySignedStruct, Error,
    ProtocolVersion, RootCertStore, SignatureScheme,
};
use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Longest wait for a connection.
const PATIENCE: Duration = Duration::from_secs(8);
/// Longest conversation, from the connection to the certificate.
const WHOLE: Duration = Duration::from_secs(15);
/// Hosts asked at once.
const AT_ONCE: usize = 8;
/// Asks several hosts.
pub(super) async fn certificates(
    asked: &[String],
    at: Option<Timestamp>,
    granted: &BTreeMap<String, WebHost>,
) -> ServedAll {
    let at = at.unwrap_or_else(super::backup::second);
    let names = Names::of_host();
    let mut found = ServedAll {
        at,
        certificates: Vec::new(),
        silent: Vec::new(),
    };
    for some in asked.chunks(AT_ONCE) {
        let asked = some.iter().map(|host| {
            let (name, port) = host_and_port(host);
            let first = Spoken::of(host, port);
            (host.clone(), one(name, port, first, (granted, &names), at))
        });
        let answers: Vec<_> = asked.collect();
        for (host, answer) in answers {
            match answer.await {
                Ok(one) => found.certificates.push(one),
                Err(why) => found.silent.push(Silent { host, why }),
            }
        }
    }
    let by_end = |a: &Served, b: &Served| (a.until, &a.host).cmp(&(b.until, &b.host));
    found.certificates.sort_by(by_end);
    found
}

/// Asks one host, in the words of `first` where TLS does not begin at once; the question is under way when this returns.
pub(super) fn one(
    host: &str,
    port: u16,
    first: Option<Spoken>,
    (granted, names): (&BTreeMap<String, WebHost>, &Names),
    at: Timestamp,
) -> impl Future<Output = Result<Served, String>> + use<> {
    let grant = granted_host(granted, host, port)
        .cloned()
        .ok_or_else(|| not_granted(host, port, granted));
    let most = nearest_granted(granted, host, port);
    let (host, names) = (host.to_owned(), names.clone());
    let begun = grant.map(|grant| {
        tokio::task::spawn_blocking(move || {
            let found = names.find(&host, port, most).map_err(Lost::why)?;
            let stream = || connect(&found.places);
            handshake(&host, port, (first, stream), grant.authority.as_deref(), at)
        })
    });
    async move {
        let ended = begun?.await;
        ended.unwrap_or_else(|e| Err(format!("the handshake was not made: {e}")))
    }
}

fn handshake(
    host: &str,
    port: u16,
    (first, connect): (Option<Spoken>, impl FnOnce() -> Result<TcpStream, String>),
    authority: Option<&Path>,
    at: Timestamp,
) -> Result<Served, String> {
    let told = match port {
        443 => host.to_owned(),
        port => format!("{host}:{port}"),
    };
    let named = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
        .map_err(|_| "this is no name that a certificate could hold".to_owned())?;
    let watching = Arc::new(Watching::new(authority)?);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(watching.clone())
        .with_no_client_auth();
    let mut connection =
        ClientConnection::new(Arc::new(config), named).map_err(|e| e.to_string())?;
    let mut stream = Bounded::new(connect()?, WHOLE);
    if let Some(first) = first {
        first.ask(&mut stream)?;
    }
    while connection.is_handshaking() {
        let failed = |e| format!("the handshake failed: {e}");
        connection.complete_io(&mut stream).map_err(failed)?;
    }
    let version = match connection.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        _ => "TLS",
    };
    let (chain, distrust) = watching.seen();
    served(&told, &chain, version, distrust, at)
        .ok_or_else(|| "what it sent is no certificate".to_owned())
}

fn connect(places: &[SocketAddr]) -> Result<TcpStream, String> {
    let mut why = "its name leads nowhere".to_owned();
    for place in places {
        match TcpStream::connect_timeout(place, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(e) => why = format!("it cannot be reached: {e}"),
        }
    }
    Err(why)
}

/// The rules of clients, which are asked and not obeyed.
#[derive(Debug)]
struct Watching {
    rules: Arc<WebPkiServerVerifier>,
    seen: Mutex<(Vec<Vec<u8>>, Option<String>)>,
}

impl Watching {
    fn new(authority: Option<&Path>) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        match authority {
            Some(file) => {
                let text = std::fs::read(file)
                    .map_err(|e| format!("its authority {} cannot be read: {e}", file.display()))?;
                use rustls::pki_types::pem::PemObject;
                let all = CertificateDer::pem_slice_iter(&text).flatten();
                roots.add_parsable_certificates(all);
            }
            None => {
                let known = rustls_native_certs::load_native_certs();
                roots.add_parsable_certificates(known.certs);
            }
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let rules = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build();
        Ok(Self {
            rules: rules.map_err(|_| {
                "this host knows no authorities: install `ca-certificates`, or name an `authority` beside the host".to_owned()
            })?,
            seen: Mutex::default(),
        })
    }

    fn seen(&self) -> (Vec<Vec<u8>>, Option<String>) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ServerCertVerifier for Watching {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let ask = |now: UnixTime| {
            self.rules.verify_server_cert(
                end_entity,
                intermediates,
                server_name,
                ocsp_response,
                now,
            )
        };
        // What has ended is looked at as of its last moment: its other faults show then.
        let verdict = match ask(now) {
            Err(Error::InvalidCertificate(CertificateError::ExpiredContext {
                not_after, ..
            })) => ask(not_after),
            other => other,
        };
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|one| one.as_ref().to_vec()).collect();
        let why = verdict.err().and_then(|e| distrust(&e, server_name));
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = (chain, why);
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.rules.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.rules.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.rules.supported_verify_schemes()
    }
}

/// Why clients turn away; nothing where it has only ended, which its dates say.
fn distrust(error: &Error, name: &ServerName<'_>) -> Option<String> {
    let Error::InvalidCertificate(why) = error else {
        return Some(format!("clients turn away: {error}"));
    };
    Some(match why {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => return None,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "it does not hold yet".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!("it does not name {}", name.to_str())
        }
        CertificateError::UnknownIssuer => {
            "nobody whom this host trusts signed it; the server may leave out a certificate in between".to_owned()
        }
        CertificateError::Revoked => "it was revoked".to_owned(),
        other => format!("clients turn away: {other:?}"),
    })
}
