//! The tools of the warden's duties as a model sees them.

use super::spec;
use engine::conversation::ToolSpec;
use serde_json::json;

/// All of them. An agent has those for which something is granted.
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
    ]
}
