//! The certificates of the team's own Redis, for other hosts: an authority of the team's own, made
//! once, and a certificate for the address it listens on, made anew where that changed. Keys are
//! readable only by the home's owner.

use super::error::DaemonError;
use config::home::Home;
use config::private_file;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType, date_time_ymd,
};
use std::net::IpAddr;
use std::path::PathBuf;

/// Largest file read, in bytes.
const FILE_BYTES: u64 = 64 * 1024;

/// Where the certificates are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The authority's certificate.
    pub ca: PathBuf,
    /// The server's certificate.
    pub server: PathBuf,
    /// Its key.
    pub server_key: PathBuf,
    /// The authority's key, which signs servers.
    ca_key: PathBuf,
    /// The address the server's certificate is for.
    made_for: PathBuf,
}

impl Certificates {
    /// Their places in a home.
    pub fn of(home: &Home) -> Self {
        let folder = home.redis().join("tls");
        Self {
            ca: folder.join("ca.pem"),
            ca_key: folder.join("ca.key"),
            server: folder.join("server.pem"),
            server_key: folder.join("server.key"),
            made_for: folder.join("made-for"),
        }
    }

    /// Makes what is missing. Whoever trusts the authority goes on trusting a new server's
    /// certificate.
    pub fn ensure(&self, address: IpAddr) -> Result<(), DaemonError> {
        if let Some(folder) = self.ca.parent() {
            std::fs::create_dir_all(folder).map_err(DaemonError::io("make", folder))?;
        }
        if !self.ca.exists() || !self.ca_key.exists() {
            let (certificate, key) = authority().map_err(|e| self.failed(e))?;
            // The certificate last: it says that both are there.
            private_file::write(&self.ca_key, key.as_bytes())?;
            private_file::write(&self.ca, certificate.as_bytes())?;
            let _made_anew = std::fs::remove_file(&self.made_for);
        }
        let made_for = private_file::read(&self.made_for, FILE_BYTES)?.unwrap_or_default();
        if made_for != address.to_string().as_bytes() {
            let (ca, key) = (text(&self.ca)?, text(&self.ca_key)?);
            let (certificate, key) = server(&ca, &key, address).map_err(|e| self.failed(e))?;
            private_file::write(&self.server_key, key.as_bytes())?;
            private_file::write(&self.server, certificate.as_bytes())?;
            private_file::write(&self.made_for, address.to_string().as_bytes())?;
        }
        Ok(())
    }

    /// The authority's certificate as text; `None` before it was made.
    pub fn authority(&self) -> Option<String> {
        text(&self.ca).ok().filter(|text| !text.is_empty())
    }

    fn failed(&self, error: rcgen::Error) -> DaemonError {
        DaemonError::io("make a certificate in", &self.ca)(std::io::Error::other(error))
    }
}

fn text(path: &std::path::Path) -> Result<String, DaemonError> {
    let bytes = private_file::read(path, FILE_BYTES)?.unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Lifetimes begin in the past, because clocks of hosts differ, and do not end while a team lives:
/// who is let in is decided by passwords, and a host is put out by removing them.
fn lasting(params: &mut CertificateParams, name: &str) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2099, 12, 31);
    params.distinguished_name.push(DnType::CommonName, name);
}

fn authority() -> Result<(String, String), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    lasting(&mut params, "ai-infra team");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn server(ca: &str, ca_key: &str, address: IpAddr) -> Result<(String, String), rcgen::Error> {
    let issuer = Issuer::from_ca_cert_pem(ca, KeyPair::from_pem(ca_key)?)?;
    let mut params = CertificateParams::new(Vec::new())?;
    lasting(&mut params, "redis");
    params.subject_alt_names = vec![SanType::IpAddress(address)];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, &issuer)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn the_authority_stays_and_the_server_follows_its_address() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::at(folder.path());
        home.ensure().unwrap();
        let made = Certificates::of(&home);
        assert_eq!(made.authority(), None);
        made.ensure("10.0.0.1".parse().unwrap()).unwrap();
        let (ca, server) = (made.authority().unwrap(), text(&made.server).unwrap());
        made.ensure("10.0.0.1".parse().unwrap()).unwrap();
        assert_eq!(text(&made.server).unwrap(), server);
        made.ensure("10.0.0.2".parse().unwrap()).unwrap();
        assert_ne!(text(&made.server).unwrap(), server);
        assert_eq!(made.authority().unwrap(), ca);
        for path in [&made.ca_key, &made.server_key, &made.ca] {
            let mode = std::fs::metadata(path).unwrap().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    }
}
