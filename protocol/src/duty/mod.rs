//! Duties: what the warden does for the infra agent on the host itself. Each is built from fields that
//! are parsed here, never from a line of text; what cannot be parsed cannot be said. `names` are the
//! fields, `site` a web site, `run` a program that a person lets run once, `terms` what an install grants, `order` how the
//! warden hands one over, `tools` the names of the tools that ask for them.

pub mod names;
pub mod order;
pub mod run;
pub mod site;
pub mod terms;
#[cfg(test)]
mod tests;
pub mod tools;

use crate::level::Level;
use names::{ContainerName, HostFile, Image, KeptId, PackageName, SiteName, Unit, Version};
use run::HostRun;
use serde::{Deserialize, Serialize};
use site::Site;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What may be done to a service. Nothing that edits, links, masks or runs a unit is among it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verb {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop and start it.
    Restart,
    /// Have it read its settings again.
    Reload,
    /// Have it start with the host.
    Enable,
    /// Have it not start with the host.
    Disable,
}

impl Verb {
    /// Every verb.
    pub const ALL: [Verb; 6] = [
        Verb::Start,
        Verb::Stop,
        Verb::Restart,
        Verb::Reload,
        Verb::Enable,
        Verb::Disable,
    ];

    /// The word of systemctl and of settings.
    pub fn as_str(self) -> &'static str {
        match self {
            Verb::Start => "start",
            Verb::Stop => "stop",
            Verb::Restart => "restart",
            Verb::Reload => "reload",
            Verb::Enable => "enable",
            Verb::Disable => "disable",
        }
    }

    /// A verb by its word.
    pub fn parse(word: &str) -> Option<Verb> {
        Self::ALL.into_iter().find(|verb| verb.as_str() == word)
    }

    /// The verb that takes it back, where one does.
    pub fn inverse(self) -> Option<Verb> {
        match self {
            Verb::Start => Some(Verb::Stop),
            Verb::Stop => Some(Verb::Start),
            Verb::Enable => Some(Verb::Disable),
            Verb::Disable => Some(Verb::Enable),
            Verb::Restart | Verb::Reload => None,
        }
    }
}

/// What may be done to a container that is there. None is ever made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ContainerVerb {
    /// Start it.
    Start,
    /// Stop it.
    Stop,
    /// Stop and start it.
    Restart,
}

impl ContainerVerb {
    /// The word of the engine's API.
    pub fn as_str(self) -> &'static str {
        match self {
            ContainerVerb::Start => "start",
            ContainerVerb::Stop => "stop",
            ContainerVerb::Restart => "restart",
        }
    }
}

/// One duty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "duty", rename_all = "snake_case", deny_unknown_fields)]
pub enum Duty {
    /// Do something to a service.
    Service {
        /// Which.
        unit: Unit,
        /// What.
        verb: Verb,
    },
    /// Say how a service stands.
    ServiceStatus {
        /// Which.
        unit: Unit,
    },
    /// Make a web site of nginx, or change one.
    PutSite {
        /// Its name.
        name: SiteName,
        /// What it is.
        site: Site,
        /// Also where somebody changed its file since.
        over: bool,
    },
    /// Take a web site away.
    RemoveSite {
        /// Its name.
        name: SiteName,
        /// Also where somebody changed its file since.
        over: bool,
    },
    /// Say how a web site stands.
    SiteStatus {
        /// Its name.
        name: SiteName,
    },
    /// List the certificates that sites are served with, and when they end.
    Certificates,
    /// Get a certificate for every name of a site, and serve it over HTTPS.
    CertifySite {
        /// Its name.
        name: SiteName,
    },
    /// Renew the certificate of a site that ends soon, and have it served.
    RenewCertificate {
        /// Its name.
        name: SiteName,
    },
    /// Say what a granted file holds.
    HostFile {
        /// Which.
        path: HostFile,
    },
    /// Put a text in place of what a granted file holds.
    PutFile {
        /// Which.
        path: HostFile,
        /// The whole of it.
        text: String,
    },
    /// List the files that were kept before they were changed.
    KeptFiles,
    /// Put a kept file back.
    RestoreFile {
        /// Which.
        kept: KeptId,
        /// Also where somebody changed the file since.
        over: bool,
    },
    /// List the security updates that wait.
    SecurityUpdates,
    /// Say in which versions packages are installed.
    InstalledPackages {
        /// Which.
        packages: BTreeSet<PackageName>,
    },
    /// Install exactly these security updates.
    InstallUpdates {
        /// Packages and the versions they come to.
        packages: BTreeMap<PackageName, Version>,
    },
    /// List the containers that were granted.
    Containers,
    /// The last lines a container said.
    ContainerLogs {
        /// Which.
        name: ContainerName,
        /// How many.
        lines: u32,
    },
    /// Do something to a container.
    Container {
        /// Which.
        name: ContainerName,
        /// What.
        verb: ContainerVerb,
    },
    /// Fetch an image.
    PullImage {
        /// Which.
        image: Image,
    },
    /// Run a program, once, as a person was shown it.
    HostRun {
        /// Which, with all that it is given.
        run: HostRun,
    },
}

/// Kinds of acts that duties are, as rules (`permissions.acts`) name them.
pub const KINDS: [&str; 10] = [
    "service.change",
    "site.change",
    "certificate.issue",
    "certificate.renew",
    "file.change",
    "file.restore",
    "packages.install",
    "container.change",
    "image.pull",
    run::KIND,
];

impl Duty {
    /// The tool that asks for it.
    pub fn tool(&self) -> &'static str {
        match self {
            Duty::Service { .. } => "Service",
            Duty::ServiceStatus { .. } => "ServiceStatus",
            Duty::PutSite { .. } => "PutSite",
            Duty::RemoveSite { .. } => "RemoveSite",
            Duty::SiteStatus { .. } => "SiteStatus",
            Duty::Certificates => "Certificates",
            Duty::CertifySite { .. } => "CertifySite",
            Duty::RenewCertificate { .. } => "RenewCertificate",
            Duty::HostFile { .. } => "HostFile",
            Duty::PutFile { .. } => "PutFile",
            Duty::KeptFiles => "KeptFiles",
            Duty::RestoreFile { .. } => "RestoreFile",
            Duty::SecurityUpdates => "SecurityUpdates",
            Duty::InstalledPackages { .. } => "InstalledPackages",
            Duty::InstallUpdates { .. } => "InstallUpdates",
            Duty::Containers => "Containers",
            Duty::ContainerLogs { .. } => "ContainerLogs",
            Duty::Container { .. } => "Container",
            Duty::PullImage { .. } => "PullImage",
            Duty::HostRun { .. } => "HostRun",
        }
    }

    /// The kind of act it is; `None` where it only looks.
    pub fn kind(&self) -> Option<&'static str> {
        match self {
            Duty::Service { .. } => Some("service.change"),
            Duty::PutSite { .. } | Duty::RemoveSite { .. } => Some("site.change"),
            Duty::CertifySite { .. } => Some("certificate.issue"),
            Duty::RenewCertificate { .. } => Some("certificate.renew"),
            Duty::PutFile { .. } => Some("file.change"),
            Duty::RestoreFile { .. } => Some("file.restore"),
            Duty::InstallUpdates { .. } => Some("packages.install"),
            Duty::Container { .. } => Some("container.change"),
            Duty::PullImage { .. } => Some("image.pull"),
            Duty::HostRun { .. } => Some(run::KIND),
            Duty::ServiceStatus { .. }
            | Duty::SiteStatus { .. }
            | Duty::Certificates
            | Duty::HostFile { .. }
            | Duty::KeptFiles
            | Duty::SecurityUpdates
            | Duty::InstalledPackages { .. }
            | Duty::Containers
            | Duty::ContainerLogs { .. } => None,
        }
    }

    /// Its level. [`Level::of_agent`] says who may ask for it.
    pub fn level(&self) -> Level {
        match self {
            Duty::HostRun { .. } => Level::Privileged,
            _ => Level::Elevated,
        }
    }

    /// How many things it changes.
    pub fn count(&self) -> u64 {
        match self {
            Duty::InstallUpdates { packages } => packages.len() as u64,
            _ => 1,
        }
    }

    /// One line for people.
    pub fn title(&self) -> String {
        match self {
            Duty::Service { unit, verb } => format!("{} {unit}", verb.as_str()),
            Duty::ServiceStatus { unit } => format!("status of {unit}"),
            Duty::PutSite { name, site, .. } => {
                format!("put the site {name} for {}", site.names_line())
            }
            Duty::RemoveSite { name, .. } => format!("remove the site {name}"),
            Duty::SiteStatus { name } => format!("status of the site {name}"),
            Duty::Certificates => "list certificates of sites".to_owned(),
            Duty::CertifySite { name } => format!("get a certificate for the site {name}"),
            Duty::RenewCertificate { name } => format!("renew the certificate of the site {name}"),
            Duty::HostFile { path } => format!("read {path}"),
            Duty::PutFile { path, text } => format!("put {path} ({} bytes)", text.len()),
            Duty::KeptFiles => "list kept files".to_owned(),
            Duty::RestoreFile { kept, .. } => format!("put back what {kept} keeps"),
            Duty::SecurityUpdates => "list security updates".to_owned(),
            Duty::InstalledPackages { packages } => {
                format!("versions of {} packages", packages.len())
            }
            Duty::InstallUpdates { packages } => {
                let all: Vec<String> = packages.iter().map(|(n, v)| format!("{n}={v}")).collect();
                format!("install {}", all.join(" "))
            }
            Duty::Containers => "list containers".to_owned(),
            Duty::ContainerLogs { name, .. } => format!("logs of the container {name}"),
            Duty::Container { name, verb } => format!("{} the container {name}", verb.as_str()),
            Duty::PullImage { image } => format!("pull {image}"),
            Duty::HostRun { run } => format!("run {}", run.line()),
        }
    }

    /// The same for the record, which holds no contents: of a program its name alone.
    pub fn in_the_record(&self) -> String {
        match self {
            Duty::HostRun { run } => format!("run {}", run::shown(run.program())),
            duty => duty.title(),
        }
    }

    /// How it could be taken back, for people.
    pub fn undo(&self) -> Option<&'static str> {
        match self {
            Duty::Service { verb, .. } => verb.inverse().map(|verb| match verb {
                Verb::Start => "the same with `start`",
                Verb::Stop => "the same with `stop`",
                Verb::Enable => "the same with `enable`",
                _ => "the same with `disable`",
            }),
            Duty::PutSite { .. }
            | Duty::RemoveSite { .. }
            | Duty::CertifySite { .. }
            | Duty::PutFile { .. }
            | Duty::RestoreFile { .. } => Some(
                "the file is kept as it was: RestoreFile puts it back; where a check fails it is put back at once",
            ),
            Duty::Container { verb, .. } => match verb {
                ContainerVerb::Start => Some("the same with `stop`"),
                ContainerVerb::Stop => Some("the same with `start`"),
                ContainerVerb::Restart => None,
            },
            _ => None,
        }
    }

    /// Longest time it may take.
    pub fn patience(&self) -> Duration {
        Duration::from_secs(match self {
            Duty::InstallUpdates { .. } | Duty::PullImage { .. } => 1800,
            Duty::CertifySite { .. } | Duty::RenewCertificate { .. } => 720,
            Duty::SecurityUpdates => 120,
            // It ends the program itself, and looks at its files before.
            Duty::HostRun { run } => run.seconds() + 60,
            _ => 180,
        })
    }
}
