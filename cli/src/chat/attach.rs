//! Files for the next request: `/attach`. They are read and handed over when they are attached, so
//! what goes with the request is what the file held then.

use super::place;
use super::standing::Dialog;
use super::turn::Chat;
use crate::failure::Failure;
use crate::files::{self, Picked};
use crate::render::proposal::file;
use crate::render::text::one_line;
use protocol::attachment::{Attachment, check};
use std::path::PathBuf;
use supervisor::client;

/// What is done about files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attach {
    /// Say which there are.
    Say,
    /// Take these, as typed.
    Take(Vec<String>),
    /// Drop them.
    Drop,
}

impl Chat {
    pub(super) async fn attach(&mut self, what: Attach) -> Result<(), Failure> {
        match what {
            Attach::Say => {
                let words = said(&self.standing.attached);
                self.sup(&words);
                Ok(())
            }
            Attach::Drop => {
                self.standing.attached.clear();
                self.sup("no file goes with your next request");
                Ok(())
            }
            Attach::Take(typed) => {
                let user_home = self.context.env.get("HOME");
                let paths = typed
                    .iter()
                    .map(|typed| place::expand(typed, &self.from, user_home));
                let paths: Vec<PathBuf> = paths.collect();
                let limit = self.context.settings()?.team.attach_mb;
                let picked = files::read_all(&paths, limit)?;
                let worrying: Vec<String> = picked.iter().filter_map(worry).collect();
                if worrying.is_empty() {
                    return self.keep(picked).await;
                }
                self.sup(&format!(
                    "{}. The agent, with a key also the provider of its model, would see it: attach it? yes or no",
                    worrying.join("; ")
                ));
                self.standing.dialog = Some(Dialog::Attach { picked });
                Ok(())
            }
        }
    }

    /// Hands files over, to go with the next request. One of a name that is there takes its place.
    pub(super) async fn keep(&mut self, picked: Vec<Picked>) -> Result<(), Failure> {
        let mut all = self.standing.attached.clone();
        for file in picked {
            let kept = client::keep(&self.context.home, &file.name, &file.content).await?;
            self.voice.tell("attached", &kept);
            all.retain(|known| known.name != kept.name);
            all.push(kept);
        }
        check(&all).map_err(Failure::usage)?;
        self.standing.attached = all;
        if !self.voice.is_json() {
            self.sup(&said(&self.standing.attached));
        }
        Ok(())
    }
}

fn worry(picked: &Picked) -> Option<String> {
    let why = picked.worry.as_ref()?;
    Some(format!("{}: {why}", one_line(&picked.name, 80)))
}

fn said(attached: &[Attachment]) -> String {
    let names: Vec<String> = attached.iter().map(file).collect();
    match names.as_slice() {
        [] => "no file goes with your next request: /attach FILE".to_owned(),
        [one] => format!("{one} goes with your next request"),
        all => format!("{} go with your next request", all.join(", ")),
    }
}
