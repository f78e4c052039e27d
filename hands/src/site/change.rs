//! One change of the file of a site: shown, placed, loaded and asked for; where any of that fails, put back as it was.

use super::text::{self, Origin};
use super::{asked, trial};
use crate::keep::{self, Note};
use crate::place::Place;
use crate::program::{Program, run_whole};
use crate::{Refused, diff, digest, halt, unchanged};
use protocol::duty::order::{End, Order, Outcome, Wish};
use protocol::duty::terms::SiteTerms;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

const RELOAD: Duration = Duration::from_secs(30);

/// One change of one file.
pub struct Change<'a> {
    pub order: &'a Order,
    pub terms: &'a SiteTerms,
    pub path: PathBuf,
    pub what: String,
    pub old: Option<String>,
    pub new: Option<String>,
}

impl Change<'_> {
    pub async fn carried_out(self) -> Result<Outcome, Refused> {
        let sum = |text: &Option<String>| text.as_ref().map(|text| digest(text.as_bytes()));
        let bound = json!({"path": self.path, "old": sum(&self.old), "new": sum(&self.new)});
        match self.order.wish {
            Wish::Look => {
                self.tried().await?;
                let (shown, unshown) = self.shown();
                let seen = json!({"bound": bound, "unshown": unshown});
                Ok(Outcome::look(shown, seen))
            }
            Wish::Make => {
                unchanged(self.order, &json!({"bound": bound}))?;
                self.tried().await?;
                let place = Place::led(&self.path)?;
                let note = keep::keep(
                    self.order,
                    &place,
                    self.old.as_deref(),
                    self.new.as_deref(),
                    &self.what,
                )?;
                place.put(self.new.as_deref(), None)?;
                Ok(self.loaded(&note).await)
            }
            Wish::Settle => {
                let now = sum(&self.old);
                self.settled(now).await
            }
        }
    }

    pub async fn tried(&self) -> Result<(), Refused> {
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

    /// What a person is shown, and how many lines are too many for that.
    fn shown(&self) -> (Vec<(String, String)>, usize) {
        let mut lines = vec![
            ("do".to_owned(), self.what.clone()),
            ("file".to_owned(), self.path.display().to_string()),
        ];
        let (changes, unshown) = diff::lines(
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
        (lines, unshown)
    }

    /// The placed file loaded and asked for; put back where that fails.
    pub async fn loaded(&self, note: &Note) -> Outcome {
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

    pub async fn put_back(&self, note: &Note, why: &str) -> Outcome {
        halt::finishing();
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
pub async fn reload(terms: &SiteTerms) -> Result<(), Refused> {
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
    let ran = run_whole(Program::Nginx, &args, &[], RELOAD).await?;
    match ran.good {
        true => Ok(()),
        false => Err(format!("nginx does not load it, does it run? {}", ran.why()).into()),
    }
}
