//! The names of the tools that ask for duties: the one list, of which every other is made.

/// Those that change something on the host.
pub const CHANGE: [&str; 11] = [
    "Service",
    "PutSite",
    "RemoveSite",
    "CertifySite",
    "RenewCertificate",
    "PutFile",
    "RestoreFile",
    "InstallUpdates",
    "Container",
    "PullImage",
    "HostRun",
];

/// Those that look.
pub const LOOK: [&str; 9] = [
    "ServiceStatus",
    "SiteStatus",
    "Certificates",
    "HostFile",
    "KeptFiles",
    "SecurityUpdates",
    "InstalledPackages",
    "Containers",
    "ContainerLogs",
];

/// Every one.
pub const ALL: [&str; 20] = joined(CHANGE, LOOK);

/// Two lists in one; the last number is the sum of the others, or it does not compile.
pub const fn joined<const A: usize, const B: usize, const N: usize>(
    first: [&'static str; A],
    second: [&'static str; B],
) -> [&'static str; N] {
    assert!(A + B == N, "a list of tools has another length");
    let mut all = [""; N];
    let mut at = 0;
    while at < N {
        all[at] = if at < A { first[at] } else { second[at - A] };
        at += 1;
    }
    all
}
