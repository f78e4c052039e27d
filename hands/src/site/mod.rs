//! Web sites of nginx: a file of fields is tried, shown as a diff, placed, loaded and asked for; where any of
//! that fails, the file is put back as it was. `text` writes and reads the file, `trial` tries it before it is
//! placed, `change` places it, `asked` finds out whether the site answers, `certify` gets it a certificate.

mod asked;
pub mod certify;
mod change;
mod text;
mod trial;

use crate::program::Program;
use crate::{Refused, digest, keep};
use change::Change;
use nix::unistd::{AccessFlags, access};
use protocol::duty::names::{KeptId, SiteName};
use protocol::duty::order::{End, Order, Outcome, Wish};
use protocol::duty::site::{Serve, Site};
use protocol::duty::terms::{CertificateTerms, SiteTerms};
use serde_json::json;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use text::Origin;

fn terms(order: &Order) -> Result<&SiteTerms, Refused> {
    let terms = order.terms.sites.as_ref();
    terms.ok_or_else(|| "web sites are not granted".into())
}

/// Makes a site, or changes one.
pub async fn put(
    order: &Order,
    name: &SiteName,
    site: &Site,
    over: bool,
) -> Result<Outcome, Refused> {
    let terms = terms(order)?;
    let path = trial::file(terms, name);
    let old = keep::read(&path)?;
    // What was begun is brought to an end, whatever became of its folder since.
    if order.wish != Wish::Settle {
        able(terms)?;
        there(site, terms)?;
        may_replace(old.as_deref(), &path, over)?;
    }
    let ipv6 = Path::new("/proc/net/if_inet6").exists();
    let challenges = order.terms.certificates.as_ref();
    let challenges = challenges.map(CertificateTerms::challenges);
    let new = text::render(name, site, terms, ipv6, challenges.as_deref());
    let change = Change {
        order,
        terms,
        path,
        what: order.duty.title(),
        old,
        new: Some(new),
    };
    change.carried_out().await
}

/// Takes one away.
pub async fn remove(order: &Order, name: &SiteName, over: bool) -> Result<Outcome, Refused> {
    let terms = terms(order)?;
    let path = trial::file(terms, name);
    let old = keep::read(&path)?;
    if order.wish != Wish::Settle {
        able(terms)?;
        if old.is_none() {
            return Err(
                format!("there is no site {name}: {} does not exist", path.display()).into(),
            );
        }
        may_replace(old.as_deref(), &path, over)?;
    }
    let change = Change {
        order,
        terms,
        path,
        what: order.duty.title(),
        old,
        new: None,
    };
    change.carried_out().await
}

/// Puts a kept file back.
pub async fn restore(order: &Order, id: &KeptId, over: bool) -> Result<Outcome, Refused> {
    let terms = terms(order)?;
    if order.wish != Wish::Settle {
        able(terms)?;
    }
    let (note, kept) = keep::kept(order, id)?;
    let path = PathBuf::from(&note.path);
    let name = site_of(&path, terms)?;
    let old = keep::read(&path)?;
    let now = old.as_ref().map(|text| digest(text.as_bytes()));
    if now != note.after && !over && order.wish == Wish::Look {
        return Err(format!(
            "{} was changed since {id} was kept: say `over` to put it back all the same, and the change is kept too",
            path.display()
        )
        .into());
    }
    if let Some(Origin::Ours(site)) = kept.as_deref().map(text::origin) {
        let duty = protocol::duty::Duty::PutSite {
            name,
            site: *site,
            over,
        };
        order.terms.allow(&duty)?;
    }
    let change = Change {
        order,
        terms,
        path,
        what: format!("{}, kept at {}", order.duty.title(), note.at),
        old,
        new: kept,
    };
    change.carried_out().await
}

/// Says how one stands.
pub async fn status(order: &Order, name: &SiteName) -> Result<Outcome, Refused> {
    let terms = terms(order)?;
    let path = trial::file(terms, name);
    let now = keep::read(&path)?;
    let mut data = json!({
        "name": name, "path": path, "placed": now.is_some(), "changed_by_hand": false, "answers": false,
        "sha256": now.as_ref().map(|text| digest(text.as_bytes())), "names": [],
    });
    let Some(now) = now else {
        let text = format!("there is no site {name}");
        return Ok(Outcome::of(End::Done, text, data));
    };
    let Origin::Ours(site) = text::origin(&now) else {
        data["changed_by_hand"] = json!(true);
        let text = format!("{} was changed by hand", path.display());
        return Ok(Outcome::of(End::Done, text, data));
    };
    let (rows, wrong) = asked::all(&site, terms).await?;
    data["names"] = json!(rows);
    data["answers"] = json!(wrong.is_none());
    data["site"] = json!(site);
    let text = match wrong {
        None => format!("the site {name} answers to {}", site.names_line()),
        Some(why) => format!("the site {name} does not answer as it should: {why}"),
    };
    Ok(Outcome::of(End::Done, text, data))
}

/// Whether this process can do anything about nginx here at all.
pub fn able(terms: &SiteTerms) -> Result<(), Refused> {
    Program::Nginx.path()?;
    let folder = Path::new(terms.folder.as_str());
    if !Path::new(terms.config.as_str()).is_file() || !folder.is_dir() {
        return Err(format!(
            "{} and {} are not both there: see `permissions.operations.sites`",
            terms.config, terms.folder
        )
        .into());
    }
    let uid = nix::unistd::geteuid();
    access(folder, AccessFlags::W_OK).map_err(|_| {
        Refused::from(format!(
            "uid {uid}, to whom this install belongs, may not write to {folder}: nothing was done. An install of root's own does it (docs/operations.md)",
            folder = folder.display()
        ))
    })
}

/// Whether what a site serves is there.
fn there(site: &Site, terms: &SiteTerms) -> Result<(), Refused> {
    folder_is_there(site, terms)?;
    if let Some(name) = &site.certificate {
        for file in ["fullchain.pem", "privkey.pem"] {
            let path = format!("{}/{name}/{file}", terms.certificates);
            if !Path::new(&path).is_file() {
                return Err(format!("there is no certificate {name}: {path} is missing").into());
            }
        }
    }
    Ok(())
}

/// Whether the folder of a site is there, really where it was granted, and one that nginx shows files of.
fn folder_is_there(site: &Site, terms: &SiteTerms) -> Result<(), Refused> {
    let Serve::Root(root) = &site.serve else {
        return Ok(());
    };
    let real = std::fs::canonicalize(root.as_str())
        .map_err(|error| format!("the folder {root} cannot be used: {error}"))?;
    if !real.is_dir() {
        return Err(format!("{root} is no folder").into());
    }
    let mut granted = terms
        .roots
        .iter()
        .filter_map(|root| std::fs::canonicalize(root.as_str()).ok());
    if !granted.any(|granted| real.starts_with(granted)) {
        return Err(format!("{root} leads to {}, which is not granted", real.display()).into());
    }
    let above = text::granted(root, terms);
    match link_of_another(Path::new(above.as_str()), Path::new(root.as_str())) {
        None => Ok(()),
        Some(link) => Err(format!(
            "{} is a link to what belongs to another user than the link: nginx shows nothing of it. Name the folder it leads to",
            link.display()
        )
        .into()),
    }
}

/// A link on the way from one folder to one below it that leads to what its owner does not own, as nginx judges it.
fn link_of_another(above: &Path, below: &Path) -> Option<PathBuf> {
    let way = below.ancestors().take_while(|path| *path != above);
    let leads_to_another = |path: &&Path| {
        let (link, target) = (path.symlink_metadata(), path.metadata());
        link.is_ok_and(|link| {
            link.is_symlink() && !target.is_ok_and(|target| target.uid() == link.uid())
        })
    };
    way.filter(|path| path.starts_with(above))
        .find(leads_to_another)
        .map(Path::to_owned)
}

fn may_replace(old: Option<&str>, path: &Path, over: bool) -> Result<(), Refused> {
    let shown = path.display();
    match old.map(text::origin) {
        None | Some(Origin::Ours(_)) => Ok(()),
        Some(_) if over => Ok(()),
        Some(Origin::Changed) => Err(format!(
            "{shown} was changed by hand since it was written: say `over` to replace it all the same; the change is shown before, and kept"
        )
        .into()),
        Some(Origin::Foreign) => Err(format!("{shown} was written by somebody else: say `over` to replace it all the same").into()),
    }
}

/// The site whose file this is under the present terms.
fn site_of(path: &Path, terms: &SiteTerms) -> Result<SiteName, Refused> {
    let name = path
        .file_name()
        .and_then(|name| name.to_str())
        .and_then(|name| {
            name.strip_prefix("ai-infra-")?
                .strip_suffix(".conf")?
                .parse()
                .ok()
        });
    let in_folder = path.parent() == Some(Path::new(terms.folder.as_str()));
    name.filter(|_| in_folder)
        .ok_or_else(|| format!("{} is no file of a site: it is left alone", path.display()).into())
}
