//! A site gets a certificate, or a newer one: its file shows an authority what it asks for, certbot gets the certificate,
//! the site is served with it. Where the authority gives none, or the site does not answer with it, the file is put back
//! as it was, and the site answers as before.

use super::change::{Change, reload};
use super::text::{self, CHALLENGES, Origin, render};
use super::{able, asked, trial};
use crate::certificate::{self, Certificate};
use crate::keep::{self, Note};
use crate::place::Place;
use crate::{Refused, acme, diff, digest, halt, unchanged};
use jiff::Timestamp;
use protocol::duty::Duty;
use protocol::duty::names::SiteName;
use protocol::duty::order::{End, Order, Outcome, Wish};
use protocol::duty::site::Site;
use protocol::duty::terms::{CertificateTerms, SiteTerms};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

/// Most sites that are listed.
const LISTED: usize = 100;

/// What is to be done for one site.
struct Wanted<'a> {
    order: &'a Order,
    sites: &'a SiteTerms,
    terms: &'a CertificateTerms,
    name: &'a SiteName,
    renews: bool,
    path: PathBuf,
    /// As the file is.
    old: String,
    /// As it shows the authority what it asks for.
    proving: String,
    /// As it is served with the certificate.
    new: String,
    site: Site,
    target: Site,
}

fn ipv6() -> bool {
    Path::new("/proc/net/if_inet6").exists()
}

fn file_of(sites: &SiteTerms, name: &SiteName) -> String {
    format!("{}/{name}/fullchain.pem", sites.certificates)
}

/// Gets one for a site, or renews it.
pub async fn certify(order: &Order, name: &SiteName, renews: bool) -> Result<Outcome, Refused> {
    let sites = super::terms(order)?;
    let terms = order.terms.certificates.as_ref();
    let terms = terms.ok_or("certificates are not granted")?;
    let path = trial::file(sites, name);
    if order.wish == Wish::Settle {
        return settled(order, sites, name, renews, path).await;
    }
    able(sites)?;
    acme::able(sites, terms)?;
    let there = keep::read(&path)?;
    let old = there.ok_or_else(|| format!("there is no site {name}: make it first"))?;
    let wanted = Wanted::of(order, sites, terms, name, renews, path, old)?;
    wanted.fits()?;
    match order.wish {
        Wish::Look => wanted.looked().await,
        _ => wanted.made().await,
    }
}

impl<'a> Wanted<'a> {
    fn of(
        order: &'a Order,
        sites: &'a SiteTerms,
        terms: &'a CertificateTerms,
        name: &'a SiteName,
        renews: bool,
        path: PathBuf,
        old: String,
    ) -> Result<Self, Refused> {
        let Origin::Ours(site) = text::origin(&old) else {
            let shown = path.display();
            return Err(format!(
                "{shown} was written or changed by somebody else: put the site again first"
            )
            .into());
        };
        let site = *site;
        let target = match renews {
            true => site.clone(),
            false => Site {
                certificate: Some(name.clone()),
                only_https: true,
                ..site.clone()
            },
        };
        let challenges = terms.challenges();
        // A site that is served, and shows an authority what it asks for, goes on as it is: nginx only loads what was given.
        let stays = renews && text::shows_challenges(&old, &challenges);
        let text = |site: &Site| match stays {
            true => old.clone(),
            false => render(name, site, sites, ipv6(), Some(&challenges)),
        };
        Ok(Self {
            proving: text(&site),
            new: text(&target),
            order,
            sites,
            terms,
            name,
            renews,
            path,
            old,
            site,
            target,
        })
    }

    /// Whether it can be done for this site at all.
    fn fits(&self) -> Result<(), Refused> {
        let name = self.name;
        self.order.terms.allow(&Duty::PutSite {
            name: name.clone(),
            site: self.target.clone(),
            over: false,
        })?;
        if self.new != self.old {
            // Written anew: what nginx would show nothing of any more is not.
            super::folder_is_there(&self.target, self.sites)?;
        }
        if let Some(wild) = self.site.names.iter().find(|name| name.is_wild()) {
            return Err(format!("{wild} cannot be proven over HTTP: an authority gives certificates for such names by DNS alone, which is not done here").into());
        }
        let folder = acme::folder(self.sites)?;
        let keeps = folder
            .join("renewal")
            .join(format!("{name}.conf"))
            .is_file();
        let there = Path::new(&file_of(self.sites, name)).exists();
        match (&self.site.certificate, self.renews) {
            (None, true) => Err(format!("the site {name} is served without a certificate: CertifySite gets it one").into()),
            (Some(other), _) if other != name => Err(format!("the site {name} is served with the certificate {other}, which is not its own: it is left alone").into()),
            _ if there && !keeps => Err(format!("the certificate {name} in {} is none of certbot's: it is left alone", self.sites.certificates).into()),
            (_, true) if !keeps => Err(format!("certbot keeps no certificate {name} in {}", folder.display()).into()),
            _ => Ok(()),
        }
    }

    fn current(&self) -> Result<Option<Certificate>, Refused> {
        certificate::read(&file_of(self.sites, self.name))
    }

    fn change(&self, new: &str) -> Change<'a> {
        Change {
            order: self.order,
            terms: self.sites,
            path: self.path.clone(),
            what: self.order.duty.title(),
            old: Some(self.old.clone()),
            new: Some(new.to_owned()),
        }
    }

    fn seen(&self, now: Option<&Certificate>) -> Value {
        let sum = |text: &str| digest(text.as_bytes());
        json!({"bound": {
            "path": self.path, "old": sum(&self.old), "new": sum(&self.new), "names": self.site.names,
            "directory": self.terms.directory, "mail": self.terms.mail, "certificate": now.map(|now| &now.sha256),
        }})
    }

    async fn looked(&self) -> Result<Outcome, Refused> {
        let now = self.current()?;
        if let (true, Some(now)) = (self.renews, &now) {
            self.is_worth_it(now).await?;
        }
        self.change(&self.proving).tried().await?;
        let mut lines = vec![
            ("do".to_owned(), self.order.duty.title()),
            ("names".to_owned(), self.site.names_line()),
            (
                "asked of".to_owned(),
                format!(
                    "{} by certbot, as {}",
                    self.terms.directory, self.terms.mail
                ),
            ),
            ("file".to_owned(), self.path.display().to_string()),
        ];
        let (changes, unshown) = diff::lines(&self.old, &self.new);
        for (at, line) in changes.into_iter().enumerate() {
            let label = if at == 0 { "diff" } else { "" };
            lines.push((label.to_owned(), line));
        }
        if let Some(now) = &now {
            lines.push((
                "now".to_owned(),
                format!("one by {} that ends {}", now.issuer, now.ends),
            ));
        }
        lines.push(("then".to_owned(), "the authority visits each name over HTTP; nginx loads what it gave, and each name is asked for; where any of it fails, the file is put back".to_owned()));
        let mut seen = self.seen(now.as_ref());
        seen["unshown"] = unshown.into();
        Ok(Outcome::look(lines, seen))
    }

    /// One that is good for long, and served, is not asked for again: authorities count.
    async fn is_worth_it(&self, now: &Certificate) -> Result<(), Refused> {
        let moment = Timestamp::now();
        if now.is_due(moment) || !asked::is_served(&self.site, self.sites).await {
            return Ok(());
        }
        Err(format!(
            "the certificate of {} is good for {} more days, until {}: it is not renewed yet",
            self.name,
            now.days_left(moment),
            now.ends
        )
        .into())
    }

    async fn made(&self) -> Result<Outcome, Refused> {
        let before = self.current()?;
        unchanged(self.order, &self.seen(before.as_ref()))?;
        self.change(&self.proving).tried().await?;
        let shown = acme::ready(self.terms)?;
        let (old, new) = (Some(self.old.as_str()), Some(self.new.as_str()));
        let what = self.order.duty.title();
        let note = keep::keep(self.order, &Place::led(&self.path)?, old, new, &what)?;
        let change = self.change(&self.new);
        if let Err(Refused(why)) = self.proven(&shown, before.as_ref()).await {
            return Ok(change.put_back(&note, &why).await);
        }
        Ok(self.switched(change, &note).await)
    }

    /// The certificate is had: the site shows what is asked for, and the authority asked.
    async fn proven(&self, shown: &Path, before: Option<&Certificate>) -> Result<(), Refused> {
        let due = before.is_none_or(|now| now.is_due(Timestamp::now()));
        if self.proving != self.old {
            keep::put(&self.path, Some(&self.proving))?;
            reload(self.sites).await?;
        }
        // One that somebody renewed meanwhile only waits to be loaded.
        if self.renews && !due {
            return Ok(());
        }
        let probe = format!("ai-infra-{}", text::mark(&self.site));
        let file = shown.join(&probe);
        keep::put(&file, Some(&probe))?;
        let seen = asked::shows(
            &self.site,
            self.sites,
            &format!("{CHALLENGES}{probe}"),
            &probe,
        )
        .await;
        let _is_nothing = fs::remove_file(&file);
        seen?;
        let names = &self.site.names;
        acme::ask(self.sites, self.terms, self.name, names, self.renews).await
    }

    /// The site is served with it.
    async fn switched(&self, change: Change<'a>, note: &Note) -> Outcome {
        if let Err(Refused(why)) = self.placed(&change).await {
            return change.put_back(note, &why).await;
        }
        let mut outcome = change.loaded(note).await;
        if outcome.end == End::Done {
            outcome.data["certificate"] = json!(self.current().ok().flatten());
            outcome.data["name"] = json!(self.name);
        }
        outcome
    }

    async fn placed(&self, change: &Change<'a>) -> Result<(), Refused> {
        halt::check()?;
        change.tried().await?;
        keep::put(&self.path, Some(&self.new))
    }
}

/// An interrupted one: where it is served it is brought to its end, else the file is put back. A certificate that was
/// given meanwhile stays with certbot, which does not ask for a second one.
async fn settled(
    order: &Order,
    sites: &SiteTerms,
    name: &SiteName,
    renews: bool,
    path: PathBuf,
) -> Result<Outcome, Refused> {
    let untouched = "it was interrupted before anything was changed";
    let id = order.id.clone().ok_or("it has no number")?;
    let terms = order.terms.certificates.as_ref();
    let terms = terms.ok_or("certificates are not granted")?;
    let Ok((note, Some(old))) = keep::kept(order, &id) else {
        return Ok(Outcome::not(untouched));
    };
    let now = keep::read(&path)?.unwrap_or_default();
    let wanted = Wanted::of(order, sites, terms, name, renews, path, old)?;
    let had = order.before["bound"]["certificate"].as_str();
    let got = wanted
        .current()?
        .is_some_and(|now| Some(now.sha256.as_str()) != had);
    let change = wanted.change(&wanted.new);
    if now == wanted.new && (got || !renews) {
        return Ok(wanted.switched(change, &note).await);
    }
    if now == wanted.old {
        let why = if got {
            "a certificate was given, and the site is not served with it yet: ask again"
        } else {
            untouched
        };
        return Ok(Outcome::not(why));
    }
    if now == wanted.proving || now == wanted.new {
        let why = "it was interrupted while the certificate was asked for";
        return Ok(change.put_back(&note, why).await);
    }
    let text = format!(
        "{} is neither as it was before nor as it was to be: somebody changed it",
        wanted.path.display()
    );
    Ok(Outcome::of(End::Unknown, text, json!({"kept": id})))
}

/// Lists the certificates that sites are served with.
pub async fn list(order: &Order) -> Result<Outcome, Refused> {
    let sites = super::terms(order)?;
    let folder = Path::new(sites.folder.as_str());
    let entries = fs::read_dir(folder)
        .map_err(|error| format!("{} cannot be read: {error}", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let now = Timestamp::now();
    let (mut rows, mut due) = (Vec::new(), Vec::new());
    for path in paths {
        let Ok(name) = super::site_of(&path, sites) else {
            continue;
        };
        let text = keep::read(&path).ok().flatten();
        let Some(Origin::Ours(site)) = text.as_deref().map(text::origin) else {
            continue;
        };
        let Some(own) = &site.certificate else {
            continue;
        };
        if rows.len() == LISTED {
            return Err(format!("more than {LISTED} sites have certificates").into());
        }
        let lineage = acme::folder(sites)
            .map(|folder| folder.join("renewal").join(format!("{own}.conf")).is_file());
        let of_certbot = *own == name && lineage.unwrap_or(false);
        let read = certificate::read(&file_of(sites, own));
        let (one, why) = match read {
            Ok(Some(one)) => (Some(one), None),
            Ok(None) => (None, Some("its file is missing".to_owned())),
            Err(Refused(why)) => (None, Some(why)),
        };
        let served = asked::is_served(&site, sites).await;
        let is_due = one.as_ref().is_none_or(|one| one.is_due(now)) || !served;
        if is_due && of_certbot {
            due.push(name.clone());
        }
        rows.push(json!({
            "name": name, "names": site.names, "certificate": own, "of_certbot": of_certbot, "why": why, "served": served, "due": is_due,
            "ends": one.as_ref().map(|one| one.ends),
            "issuer": one.as_ref().map(|one| &one.issuer), "sha256": one.as_ref().map(|one| &one.sha256),
        }));
    }
    let text = match (rows.len(), due.len()) {
        (0, _) => "no site is served with a certificate".to_owned(),
        (all, 0) => format!("{all} certificates of sites, none of them ends soon"),
        (all, some) => format!("{all} certificates of sites, {some} to be renewed"),
    };
    Ok(Outcome::of(
        End::Done,
        text,
        json!({"certificates": rows, "due": due}),
    ))
}
