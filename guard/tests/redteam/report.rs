//! What came of it, for people and as one JSON document.

use super::case::Case;
use serde_json::{Value, json};

pub enum Verdict {
    /// It failed, and without the walls it succeeded: what showed that.
    Denied(String),
    /// It succeeded: what showed it.
    Escaped(String),
    /// It failed with the walls and without them: it proves nothing.
    Blunt,
    /// It could not be tried.
    Broken(String),
    /// This machine lacks something for it.
    Skipped(String),
}

#[derive(Default)]
pub struct Report {
    attempts: u64,
    denied: u64,
    escaped: Vec<String>,
    blunt: Vec<String>,
    broken: Vec<String>,
    skipped: Vec<String>,
    classes: std::collections::BTreeMap<String, u64>,
}

impl Report {
    pub fn add(&mut self, case: &Case, verdict: Verdict) {
        let who = match nix::unistd::geteuid().is_root() {
            true => "root",
            false => "user",
        };
        let name = format!("{} as {who}", case.name);
        if !matches!(verdict, Verdict::Skipped(_)) {
            self.attempts += 1;
            *self.classes.entry(case.class().to_owned()).or_default() += 1;
        }
        match verdict {
            Verdict::Denied(proof) => {
                self.denied += 1;
                if super::attempt::verbose() {
                    eprintln!("{name}: without the wall it {proof}");
                }
            }
            Verdict::Escaped(proof) => self.escaped.push(format!("{name}: {proof} ({})", case.why)),
            Verdict::Blunt => self
                .blunt
                .push(format!("{name}: fails without {} too", case.without)),
            Verdict::Broken(why) => self.broken.push(format!("{name}: {why}")),
            Verdict::Skipped(why) if why.starts_with("only as") => {}
            Verdict::Skipped(why) => self.skipped.push(format!("{name}: {why}")),
        }
    }

    /// Adds what another run found.
    pub fn join(&mut self, other: Report) {
        self.attempts += other.attempts;
        self.denied += other.denied;
        self.escaped.extend(other.escaped);
        self.blunt.extend(other.blunt);
        self.broken.extend(other.broken);
        self.skipped.extend(other.skipped);
        for (class, count) in other.classes {
            *self.classes.entry(class).or_default() += count;
        }
    }

    pub fn good(&self) -> bool {
        self.escaped.is_empty() && self.blunt.is_empty() && self.broken.is_empty()
    }

    pub fn tell(&self, json: bool) {
        if json {
            println!("{}", self.document());
            return;
        }
        for (what, names) in [
            ("ESCAPED", &self.escaped),
            ("proves nothing", &self.blunt),
            ("could not be tried", &self.broken),
            ("skipped", &self.skipped),
        ] {
            names.iter().for_each(|name| println!("{what}: {name}"));
        }
        println!(
            "red team: {} attempts in {} classes, {} denied, {} escaped; every denied one succeeds without its wall",
            self.attempts,
            self.classes.len(),
            self.denied,
            self.escaped.len()
        );
    }

    fn document(&self) -> Value {
        json!({
            "v": 1,
            "attempts": self.attempts,
            "denied": self.denied,
            "escaped": self.escaped.len(),
            // Nothing keeps a record of acts yet that a denial could be missing from.
            "unaudited": null,
            "classes": self.classes,
            "escapes": self.escaped,
            "blunt": self.blunt,
            "broken": self.broken,
            "skipped": self.skipped,
        })
    }

    /// A document that another run printed.
    pub fn read(said: &str) -> Option<Report> {
        let document: Value = serde_json::from_str(said.lines().last()?).ok()?;
        let list = |key: &str| -> Option<Vec<String>> {
            let all = document[key].as_array()?;
            Some(
                all.iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned)
                    .collect(),
            )
        };
        Some(Report {
            attempts: document["attempts"].as_u64()?,
            denied: document["denied"].as_u64()?,
            escaped: list("escapes")?,
            blunt: list("blunt")?,
            broken: list("broken")?,
            skipped: list("skipped")?,
            classes: document["classes"]
                .as_object()?
                .iter()
                .map(|(name, count)| (name.clone(), count.as_u64().unwrap_or_default()))
                .collect(),
        })
    }
}
