//! Web sites of nginx: a file of fields is tried, shown as a diff, placed, loaded and asked for; where any of
//! that fails, the file is put back as it was. `text` writes and reads the file, `trial` tries it before it is
//! placed, `asked` finds out whether the site answers.

mod asked;
mod text;
mod trial;

use crate::keep::{self, Note};
use crate::program::{Program, run};
use crate::{Refused, diff, digest, unchanged};
use nix::unistd::{AccessFlags, access};
use protocol::duty::names::{KeptId, SiteName};
use protocol::duty::order::{End, Order, Outcome, Wish};
use protocol::duty::site::{Serve, Site};
use protocol::duty::terms::SiteTerms;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use text::Origin;

const RELOAD: Duration = Duration::from_secs(30);

/// One change of one file.
struct Change<'a> {
    order: &'a Order,
    terms: &'a SiteTerms,
    path: PathBuf,
    what: String,
    old: Option<String>,
    new: Option<String>,
}

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
    let new = text::render(name, site, terms, Path::new("/proc/net/if_inet6").exists());
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
fn able(terms: &SiteTerms) -> Result<(), Refused> {
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

/// Whether what a site serves is there, and really where it was granted.
fn there(site: &Site, terms: &SiteTerms) -> Result<(), Refused> {
    if let Serve::Root(root) = &site.serve {
        let real = std::fs::canonicalize(root.as_str())
            .map_err(|error| format!("the folder {root} cannot be used: {error}"))?;
        if !real.is_dir() {
            return Err(format!("{root} is no folder").into());
        }
        let below = |granted: &PathBuf| real.starts_with(granted);
        let granted = terms
            .roots
            .iter()
            .filter_map(|root| std::fs::canonicalize(root.as_str()).ok());
        if !granted.collect::<Vec<_>>().iter().any(below) {
            return Err(format!("{root} leads to {}, which is not granted", real.display()).into());
        }
    }
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

impl Change<'_> {
    async fn carried_out(self) -> Result<Outcome, Refused> {
        let sum = |text: &Option<String>| text.as_ref().map(|text| digest(text.as_bytes()));
        let bound = json!({"path": self.path, "old": sum(&self.old), "new": sum(&self.new)});
        match self.order.wish {
            Wish::Look => {
                self.tried().await?;
                Ok(Outcome::look(self.shown(), json!({"bound": bound})))
            }
            Wish::Make => {
                unchanged(self.order, &json!({"bound": bound}))?;
                self.tried().await?;
                let note = keep::keep(
                    self.order,
                    &self.path,
                    self.old.as_deref(),
                    self.new.as_deref(),
                    &self.what,
                )?;
                keep::put(&self.path, self.new.as_deref())?;
                Ok(self.loaded(&note).await)
            }
            Wish::Settle => {
                let now = sum(&self.old);
                self.settled(now).await
            }
        }
    }

    async fn tried(&self) -> Result<(), Refused> {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        trial::tried(self.terms, &name, self.new.as_deref()).await
    }

    /// An interrupted change: where the file is placed it is brought to its end, where it is not, nothing
    /// happened, and where it is neither somebody else was here.
    async fn settled(self, now: Option<String>) -> Result<Outcome, Refused> {
        let id = self.order.id.clone().ok_or("it has no number")?;
        let Ok((note, before)) = keep::kept(self.order, &id) else {
            return Ok(Outcome::not(
                "it was interrupted before anything was changed",
            ));
        };
        if note.after == now {
            let (path, what) = (self.path.clone(), note.what.clone());
            let new = keep::read(&path)?;
            let change = Change {
                path,
                what,
                old: before,
                new,
                ..self
            };
            return Ok(change.loaded(&note).await);
        }
        if note.before == now {
            return Ok(Outcome::not(
                "it was interrupted before the file was placed: nothing was changed",
            ));
        }
        let text = format!(
            "{} is neither as it was before nor as it was to be: somebody changed it",
            self.path.display()
        );
        Ok(Outcome::of(End::Unknown, text, json!({"kept": id})))
    }

    fn shown(&self) -> Vec<(String, String)> {
        let mut lines = vec![
            ("do".to_owned(), self.what.clone()),
            ("file".to_owned(), self.path.display().to_string()),
        ];
        let changes = diff::lines(
            self.old.as_deref().unwrap_or(""),
            self.new.as_deref().unwrap_or(""),
        );
        for (at, line) in changes.into_iter().enumerate() {
            let label = if at == 0 { "diff" } else { "" };
            lines.push((label.to_owned(), line));
        }
        if self.old == self.new {
            lines.push((
                "note".to_owned(),
                "it is so already: the file would not change".to_owned(),
            ));
        }
        lines.push((
            "tried".to_owned(),
            "nginx takes the whole configuration with it".to_owned(),
        ));
        lines.push(("then".to_owned(), "it is placed, nginx loads it, each name is asked for; where one does not answer, the file is put back".to_owned()));
        lines
    }

    /// The placed file loaded and asked for; put back where that fails.
    async fn loaded(&self, note: &Note) -> Outcome {
        match self.load(self.new.as_deref(), self.old.as_deref()).await {
            Ok(rows) => {
                let site = self.path.display();
                let what = &self.what;
                let data = json!({
                    "path": self.path, "kept": note.id, "sha256": note.after, "was_there": note.before.is_some(), "names": rows,
                });
                Outcome::of(
                    End::Done,
                    format!(
                        "{what}: done, {site} is loaded; as it was before it is kept as {}",
                        note.id
                    ),
                    data,
                )
            }
            Err(Refused(why)) => self.put_back(note, &why).await,
        }
    }

    async fn put_back(&self, note: &Note, why: &str) -> Outcome {
        let data = json!({"path": self.path, "kept": note.id, "why": why});
        let what = &self.what;
        if let Err(Refused(worse)) = keep::put(&self.path, self.old.as_deref()) {
            let text = format!(
                "{what}: {why}; and it could not be put back ({worse}): what was there is in {} under {}",
                self.order.kept, note.id
            );
            return Outcome::of(End::Failed, text, data);
        }
        let text = match reload(self.terms).await {
            Err(Refused(also)) => {
                format!(
                    "{what}: {why}; the file is put back as it was; nginx did not load it again: {also}"
                )
            }
            Ok(()) => match self.answers_as_before().await {
                None => {
                    format!("{what}: {why}; the file is put back as it was and nginx runs with it")
                }
                Some(also) => format!("{what}: {why}; the file is put back as it was, and {also}"),
            },
        };
        Outcome::of(End::Undone, text, data)
    }

    /// What is wrong with the site that was there before.
    async fn answers_as_before(&self) -> Option<String> {
        let Some(Origin::Ours(site)) = self.old.as_deref().map(text::origin) else {
            return None;
        };
        match asked::all(&site, self.terms).await {
            Ok((_, wrong)) => wrong,
            Err(Refused(why)) => Some(why),
        }
    }

    async fn load(&self, new: Option<&str>, old: Option<&str>) -> Result<Vec<Value>, Refused> {
        reload(self.terms).await?;
        if let Some(Origin::Ours(site)) = new.map(text::origin) {
            let (rows, wrong) = asked::all(&site, self.terms).await?;
            return match wrong {
                None => Ok(rows),
                Some(why) => Err(why.into()),
            };
        }
        if let (None, Some(Origin::Ours(site))) = (new, old.map(text::origin))
            && !asked::none(&site, self.terms).await?
        {
            return Err("it still answers after it was taken away".into());
        }
        Ok(Vec::new())
    }
}

/// Has nginx read its settings, once it says that they are good.
async fn reload(terms: &SiteTerms) -> Result<(), Refused> {
    let main = terms.config.as_str();
    let tested = trial::test(Path::new(main)).await?;
    if !tested.good {
        return Err(format!(
            "nginx refuses the configuration: {}",
            trial::lines(&tested.complained)
        )
        .into());
    }
    let args = ["-s", "reload", "-e", "stderr", "-c", main];
    let ran = run(Program::Nginx, &args, &[], RELOAD).await?;
    match ran.good {
        true => Ok(()),
        false => Err(format!("nginx does not load it, does it run? {}", ran.why()).into()),
    }
}
