//! What an install grants of the duties (`permissions.operations`), and whether a duty keeps to it. Pure;
//! the warden asks here before anybody is asked for leave, and again before anything is done.

use super::names::{
    AcmeDirectory, ContainerName, Folder, HostFile, HostName, Image, Mail, Unit, Upstream,
};
use super::site::{Serve, Site};
use super::{Duty, Verb};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Longest text of a file that may be put, in bytes: it has to fit a line of the warden's wire.
pub const MOST_TEXT: usize = 64 * 1024;

/// Why an agent has no program run on the host.
pub const NOT_PRIVILEGED: &str =
    "programs on the host are not granted to this agent: name its role in `permissions.privileged`";

/// Most packages that may be named at once.
pub const MOST_PACKAGES: usize = 200;

/// What one agent may have done. Nothing as shipped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Services and what may be done to each.
    pub services: BTreeMap<Unit, BTreeSet<Verb>>,
    /// Web sites.
    pub sites: Option<SiteTerms>,
    /// Certificates of those sites.
    #[serde(default)]
    pub certificates: Option<CertificateTerms>,
    /// Files that may be changed.
    #[serde(default)]
    pub files: Vec<HostFile>,
    /// Security updates of packages.
    pub packages: Option<PackageTerms>,
    /// Containers.
    pub containers: Option<ContainerTerms>,
    /// Programs on the host, each after a person's yes to exactly that one.
    #[serde(default)]
    pub privileged: bool,
}

/// Web sites that may be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SiteTerms {
    /// Names they may answer to.
    pub names: Vec<HostName>,
    /// Folders in which they may lie.
    pub roots: Vec<Folder>,
    /// Servers they may lead to.
    pub upstreams: Vec<Upstream>,
    /// nginx's main file.
    pub config: Folder,
    /// The folder of which nginx reads every `.conf`.
    pub folder: Folder,
    /// The folder that holds a folder with `fullchain.pem` and `privkey.pem` for each certificate.
    pub certificates: Folder,
    /// The one address listened on; every address where none is said.
    pub address: Option<core::net::IpAddr>,
    /// The port of HTTP.
    pub http: u16,
    /// The port of HTTPS.
    pub https: u16,
}

/// Certificates that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateTerms {
    /// Whom the authority may write to.
    pub mail: Mail,
    /// The authority's directory.
    pub directory: AcmeDirectory,
    /// A file of the authorities that the directory's own certificate is trusted by; the host's where none is said.
    pub trusted: Option<Folder>,
    /// The folder in which certbot works: its locks and logs, and what the authority is shown.
    pub work: Folder,
}

impl CertificateTerms {
    /// The folder that sites show to the authority.
    pub fn challenges(&self) -> String {
        format!("{}/ai-infra-challenges", self.work)
    }
}

/// Updates that may be installed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PackageTerms {
    /// A file of apt's settings that is read besides the host's own.
    pub config: Option<Folder>,
}

/// Containers that may be worked on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerTerms {
    /// The engine's socket.
    pub socket: Folder,
    /// Containers.
    pub names: Vec<ContainerName>,
    /// Images that may be fetched.
    pub images: Vec<Image>,
}

impl Terms {
    /// Whether a duty keeps to what is granted.
    ///
    /// # Errors
    /// A sentence that names the setting which would grant it.
    pub fn allow(&self, duty: &Duty) -> Result<(), String> {
        match duty {
            Duty::Service { unit, verb } => {
                let granted = self.service(unit)?;
                let word = verb.as_str();
                match granted.contains(verb) {
                    true => Ok(()),
                    false => Err(format!(
                        "`{word}` of {unit} is not granted: add it to `permissions.operations.services.{unit}.verbs`"
                    )),
                }
            }
            Duty::ServiceStatus { unit } => self.service(unit).map(drop),
            Duty::PutSite { site, .. } => self.site(site),
            Duty::RemoveSite { .. } | Duty::SiteStatus { .. } => self.sites().map(drop),
            Duty::Certificates => self.sites().map(drop),
            Duty::CertifySite { .. } | Duty::RenewCertificate { .. } => {
                self.sites()?;
                self.certificates().map(drop)
            }
            Duty::HostFile { path } => self.file(path),
            Duty::PutFile { path, text } => {
                self.file(path)?;
                match text.len() <= MOST_TEXT && !text.contains('\0') {
                    true => Ok(()),
                    false => Err(format!(
                        "a file of text has at most {MOST_TEXT} bytes and no zero byte"
                    )),
                }
            }
            // What is kept was changed under these terms; each file is checked again by who puts it back.
            Duty::KeptFiles | Duty::RestoreFile { .. } if !self.files.is_empty() => Ok(()),
            Duty::KeptFiles | Duty::RestoreFile { .. } => self.sites().map(drop),
            Duty::InstalledPackages { packages } if packages.len() > MOST_PACKAGES => {
                Err(format!("more than {MOST_PACKAGES} packages are named"))
            }
            Duty::SecurityUpdates | Duty::InstalledPackages { .. } => self.packages().map(drop),
            Duty::InstallUpdates { packages } => match packages.len() {
                0 => Err("no package is named".to_owned()),
                1..=MOST_PACKAGES => self.packages().map(drop),
                _ => Err(format!("more than {MOST_PACKAGES} packages are named")),
            },
            Duty::Containers => self.containers().map(drop),
            Duty::ContainerLogs { name, .. } | Duty::Container { name, .. } => {
                match self.containers()?.names.contains(name) {
                    true => Ok(()),
                    false => Err(format!(
                        "the container {name} is not granted: add it to `permissions.operations.containers.names`"
                    )),
                }
            }
            Duty::PullImage { image } => match self.containers()?.images.contains(image) {
                true => Ok(()),
                false => Err(format!(
                    "the image {image} is not granted: add it to `permissions.operations.containers.images`"
                )),
            },
            Duty::HostRun { .. } => match self.privileged {
                true => Ok(()),
                false => Err(NOT_PRIVILEGED.to_owned()),
            },
        }
    }

    fn service(&self, unit: &Unit) -> Result<&BTreeSet<Verb>, String> {
        let found = self.services.get(unit);
        found.ok_or_else(|| {
            format!("{unit} is not granted: name it in `permissions.operations.services`")
        })
    }

    fn sites(&self) -> Result<&SiteTerms, String> {
        let none = "web sites are not granted: say so in `permissions.operations.sites`";
        self.sites.as_ref().ok_or_else(|| none.to_owned())
    }

    fn certificates(&self) -> Result<&CertificateTerms, String> {
        let none = "certificates are not granted: say so in `permissions.operations.certificates`";
        self.certificates.as_ref().ok_or_else(|| none.to_owned())
    }

    fn file(&self, path: &HostFile) -> Result<(), String> {
        match self.files.contains(path) {
            true => Ok(()),
            false => Err(format!(
                "the file {path} is not granted: add it to `permissions.operations.files.paths`"
            )),
        }
    }

    fn packages(&self) -> Result<&PackageTerms, String> {
        let none = "updates are not granted: say so in `permissions.operations.packages`";
        self.packages.as_ref().ok_or_else(|| none.to_owned())
    }

    fn containers(&self) -> Result<&ContainerTerms, String> {
        let none = "containers are not granted: say so in `permissions.operations.containers`";
        self.containers.as_ref().ok_or_else(|| none.to_owned())
    }

    fn site(&self, site: &Site) -> Result<(), String> {
        let terms = self.sites()?;
        site.check()?;
        for name in &site.names {
            if !terms.names.iter().any(|granted| granted.covers(name)) {
                return Err(format!(
                    "the name {name} is not granted: add it to `permissions.operations.sites.names`"
                ));
            }
        }
        match &site.serve {
            Serve::Root(root) if !terms.roots.iter().any(|granted| root.lies_in(granted)) => {
                Err(format!(
                    "the folder {root} is not granted: add it, or one above, to `permissions.operations.sites.roots`"
                ))
            }
            Serve::Upstream(to) if !terms.upstreams.contains(to) => Err(format!(
                "the server {to} is not granted: add it to `permissions.operations.sites.upstreams`"
            )),
            _ => Ok(()),
        }
    }
}
