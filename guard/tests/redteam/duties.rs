//! What attempts on duties are about: a real nginx with a folder of its own, a folder beside it that is nobody's to show, a
//! file of the host; and the rules that grant some of it, or (in a control) all that a case tries.

use guard::act::{Act, Operation};
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use tests::sites::Sites;

/// What the file of the host holds.
const FILE: &str = "as it was\n";

/// Lays out the file, and a link from what is served to the folder that is not.
pub fn lay_out(sites: &Sites, folder: &Path) -> io::Result<()> {
    std::fs::write(sites.at("file"), FILE)?;
    std::os::unix::fs::symlink(folder, sites.at("www/out"))
}

/// How many sites are there, and one more where the file is another one.
pub fn effects(sites: &Sites) -> io::Result<u64> {
    let sites_there = std::fs::read_dir(sites.at("etc/conf.d"))?.count() as u64;
    let file = std::fs::read_to_string(sites.at("file"))?;
    Ok(sites_there + u64::from(file != FILE))
}

/// What permissions.yaml says; with `all` it grants what the cases try.
pub fn rules(sites: &Sites, folder: &Path, service: u16, all: bool) -> String {
    let mut granted = sites.granted("shop.example, other.example");
    granted = granted.replace("[infra]", "[infra, qa]");
    let mut file = "other_file";
    if all {
        let also = format!("roots: ['{}', ", folder.display());
        let upstreams = format!("upstreams: ['127.0.0.1:{service}', ");
        granted = granted
            .replace("names: [", "names: [bank.example, ")
            .replace("roots: [", &also)
            .replace("upstreams: [", &upstreams);
        file = "file";
    }
    format!(
        "acts: {{http.change: allow}}\noperations:\n  sites: {granted}\n  files: {{agents: [infra], paths: ['{}']}}\n",
        sites.text(file)
    )
}

/// A duty as a case writes it.
pub fn filled(sites: &Sites, folder: &Path, service: u16, duty: &str) -> Result<Value, String> {
    let duty = duty
        .replace("{www}", &sites.text("www"))
        .replace("{else}", &folder.display().to_string())
        .replace("{service}", &format!("127.0.0.1:{service}"))
        .replace("{file}", &sites.text("file"));
    serde_json::from_str(&duty).map_err(|e| format!("{duty}: {e}"))
}

/// The site that is asked for, or another one.
pub fn site(sites: &Sites, variant: &str) -> Act {
    let name = match variant {
        "" | "agent" | "kind" => "shop",
        _ => "other",
    };
    let duty = json!({"duty": "put_site", "name": name, "over": false, "site": {
        "names": [format!("{name}.example")], "serve": {"root": sites.text("www/shop")}, "certificate": null, "only_https": false,
    }});
    Act::of(Operation::Duty {
        duty: serde_json::from_value(duty).expect("a duty"),
        key: format!("key{variant}"),
    })
}
