//! The tools of the warden's duties as a model sees them.

use super::spec;
use engine::conversation::ToolSpec;
use serde_json::json;

/// All of them. An agent has those for which something is granted, and `HostRun` where it is named.
pub(super) fn of_duties() -> Vec<ToolSpec> {
    let text = json!({"type": "string"});
    let flag = json!({"type": "boolean"});
    vec![
        spec(
            "Service",
            "Start, stop, restart, reload, enable or disable a granted service of systemd. A person may have to say yes.",
            json!({"unit": text, "verb": {"type": "string", "enum": ["start", "stop", "restart", "reload", "enable", "disable"]}}),
            &["unit", "verb"],
        ),
        spec(
            "ServiceStatus",
            "How a granted service of systemd stands.",
            json!({"unit": text}),
            &["unit"],
        ),
        spec(
            "PutSite",
            "Make or change a web site of nginx from fields: a name for it, the host names it answers to (joined by commas), and one of \
             root (a folder), upstream (host:port) and redirect (https://…). certificate: the name of one that is there. over: also where \
             somebody changed its file. It is tried, shown to a person, placed, loaded and asked for; where it does not answer it is put back.",
            json!({"name": text, "names": text, "root": text, "upstream": text, "redirect": text, "certificate": text, "only_https": flag, "over": flag}),
            &["name", "names"],
        ),
        spec(
            "RemoveSite",
            "Take a web site away that PutSite made; its file is kept.",
            json!({"name": text, "over": flag}),
            &["name"],
        ),
        spec(
            "SiteStatus",
            "Whether a web site that PutSite made is placed and answers to its names.",
            json!({"name": text}),
            &["name"],
        ),
        spec(
            "Certificates",
            "The certificates that sites made by PutSite are served with: when each ends, whether it is due to be renewed.",
            json!({}),
            &[],
        ),
        spec(
            "CertifySite",
            "Get a certificate for every name of a site that PutSite made, and serve the site over HTTPS. The names and the authority are \
             the install's. Where the authority gives none, or the site does not answer with it, the site is put back as it was.",
            json!({"name": text}),
            &["name"],
        ),
        spec(
            "RenewCertificate",
            "Renew the certificate of a site that ends soon, and have it served.",
            json!({"name": text}),
            &["name"],
        ),
        spec(
            "HostFile",
            "What a granted file of the host holds now.",
            json!({"path": text}),
            &["path"],
        ),
        spec(
            "PutFile",
            "Put a text in place of what a granted file of the host holds: the whole of it. It is shown to a person as a difference, and \
             the file is kept as it was.",
            json!({"path": text, "text": text}),
            &["path", "text"],
        ),
        spec(
            "KeptFiles",
            "Files of the host as they were before they were changed, newest first.",
            json!({}),
            &[],
        ),
        spec(
            "RestoreFile",
            "Put a kept file back, by its number (k12). over: also where somebody changed the file since.",
            json!({"kept": text, "over": flag}),
            &["kept"],
        ),
        spec(
            "SecurityUpdates",
            "Security updates of packages that wait, by the lists fetched last.",
            json!({}),
            &[],
        ),
        spec(
            "InstalledPackages",
            "In which versions packages are installed.",
            json!({"packages": {"type": "array", "items": text}}),
            &["packages"],
        ),
        spec(
            "InstallUpdates",
            "Install exactly these security updates: names of packages and their versions, as SecurityUpdates tells them.",
            json!({"packages": {"type": "object", "additionalProperties": text}}),
            &["packages"],
        ),
        spec(
            "Containers",
            "The granted containers and how they stand.",
            json!({}),
            &[],
        ),
        spec(
            "ContainerLogs",
            "The last lines a granted container said; lines: how many, 100 unless given.",
            json!({"name": text, "lines": {"type": "integer", "minimum": 1}}),
            &["name"],
        ),
        spec(
            "Container",
            "Start, stop or restart a granted container. None is ever made.",
            json!({"name": text, "verb": {"type": "string", "enum": ["start", "stop", "restart"]}}),
            &["name", "verb"],
        ),
        spec(
            "PullImage",
            "Fetch a granted image, by its name and tag.",
            json!({"image": text}),
            &["image"],
        ),
        spec(
            "HostRun",
            "Run one program on the host itself, as the user the team runs as (root, on a server of its own), once, after a person said yes to exactly this. \
             argv: the program (a path from /, or a name) and its words; there is no shell. folder: where it runs, / unless given. env: variables, none that \
             steer what is loaded. seconds: its time, 600 unless given. Use it only where no other tool does the work; it answers exit code and output.",
            json!({
                "argv": {"type": "array", "items": text, "minItems": 1, "maxItems": 64}, "folder": text,
                "env": {"type": "object", "additionalProperties": text}, "seconds": {"type": "integer", "minimum": 1, "maximum": 3600},
            }),
            &["argv"],
        ),
    ]
}
