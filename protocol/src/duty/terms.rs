//! What an install grants of the duties (`permissions.operations`), and whether a duty keeps to it. Pure;
//! the warden asks here before anybody is asked for leave, and again before anything is done.

use super::names::{ContainerName, Folder, HostName, Image, Unit, Upstream};
use super::site::{Serve, Site};
use super::{Duty, Verb};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What one agent may have done. Nothing as shipped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Services and what may be done to each.
    pub services: BTreeMap<Unit, BTreeSet<Verb>>,
    /// Web sites.
    pub sites: Option<SiteTerms>,
    /// Security updates of packages.
    pub packages: Option<PackageTerms>,
    /// Containers.
    pub containers: Option<ContainerTerms>,
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
            // What is kept was changed under these terms; each file is checked again by who puts it back.
            Duty::KeptFiles | Duty::RestoreFile { .. } => self.sites().map(drop),
            Duty::SecurityUpdates => self.packages().map(drop),
            Duty::InstallUpdates { packages } => match packages.len() {
                0 => Err("no package is named".to_owned()),
                1..=200 => self.packages().map(drop),
                _ => Err("more than 200 packages are named".to_owned()),
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
