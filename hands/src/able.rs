//! What of the granted duties this process could do on this host at all, without a look at any single one: for `doctor`,
//! and by the very checks that a duty is refused by.

use crate::program::Program;
use crate::{Refused, acme, file, needs_root, site};
use nix::unistd::{AccessFlags, access};
use protocol::duty::terms::Terms;
use std::path::Path;

/// Each sort of duty that is granted, and why it cannot be done here.
pub fn all(terms: &Terms) -> Vec<(&'static str, Option<String>)> {
    let mut all = Vec::new();
    let mut say = |what, able: Result<(), Refused>| all.push((what, able.err().map(short)));
    if !terms.services.is_empty() {
        say("services", services());
    }
    if let Some(sites) = &terms.sites {
        say("web sites", site::able(sites));
        if let Some(certificates) = &terms.certificates {
            say("certificates", acme::able(sites, certificates));
        }
    } else if terms.certificates.is_some() {
        let none = "no web sites are granted, and certificates are theirs";
        say("certificates", Err(none.into()));
    }
    if !terms.files.is_empty() {
        let mut paths = terms.files.iter().map(|path| Path::new(path.as_str()));
        say("files", paths.try_for_each(file::may_write));
    }
    if let Some(packages) = &terms.packages {
        let root = match packages.config {
            Some(_) => Ok(()),
            None => needs_root("installing updates"),
        };
        say("updates", Program::AptGet.path().and(root));
    }
    if let Some(containers) = &terms.containers {
        let socket = Path::new(containers.socket.as_str());
        let able = access(socket, AccessFlags::R_OK | AccessFlags::W_OK)
            .map_err(|error| format!("{}: {error}", socket.display()).into());
        say("containers", able);
    }
    if terms.privileged {
        say("programs", Ok(()));
    }
    all
}

fn services() -> Result<(), Refused> {
    Program::Systemctl.path()?;
    match Path::new("/run/systemd/system").is_dir() {
        true => needs_root("what is done to services"),
        false => Err("systemd does not run on this host".into()),
    }
}

/// Without what only somebody who asked for it has to hear.
fn short(Refused(why): Refused) -> String {
    let first = why.split(": nothing was done").next();
    first.unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_granted_is_judged_and_nothing_else() {
        assert!(all(&Terms::default()).is_empty());
        let terms: Terms = serde_json::from_value(json!({"services": {}, "sites": null, "packages": null, "files": ["/nowhere/at/all"],
            "containers": {"socket": "/nowhere.sock", "names": [], "images": []},
            "certificates": {"mail": "a@b.c", "directory": "https://a.b", "trusted": null, "work": "/nowhere"}}))
        .unwrap();
        let said = all(&terms);
        let whats: Vec<&str> = said.iter().map(|(what, _)| *what).collect();
        assert_eq!(whats, ["certificates", "files", "containers"]);
        assert!(said.iter().all(|(_, why)| why.is_some()), "{said:?}");
        assert_eq!(
            short("a is root's: nothing was done. Do b".into()),
            "a is root's"
        );
    }
}
