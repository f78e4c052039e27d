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
    /// How many calls were made through the agents' own door, and those of them that the record does
    /// not tell whole; `None` where nobody looked.
    record: Option<(u64, Vec<String>)>,
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

    /// Takes what the story about the record wrote.
    pub fn take_record(&mut self, file: &std::path::Path) {
        let text = std::fs::read_to_string(file).expect("the record's story has written its file");
        let document: Value = serde_json::from_str(&text).expect("it is JSON");
        let acts = document["acts"].as_u64().expect("it counts its calls");
        let missing = document["missing"]
            .as_array()
            .expect("it names what is missing");
        let names = missing.iter().filter_map(Value::as_str).map(str::to_owned);
        self.record = Some((acts, names.collect()));
    }

    pub fn good(&self) -> bool {
        let told = self
            .record
            .as_ref()
            .is_none_or(|(_, missing)| missing.is_empty());
        told && self.escaped.is_empty() && self.blunt.is_empty() && self.broken.is_empty()
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
            (
                "NOT IN THE RECORD",
                &self.record.as_ref().map_or(Vec::new(), |(_, m)| m.clone()),
            ),
        ] {
            names.iter().for_each(|name| println!("{what}: {name}"));
        }
        if let Some((acts, missing)) = &self.record {
            let told = acts - missing.len() as u64;
            println!(
                "record: {told} of {acts} calls of a real team stand in it, refused or begun and ended"
            );
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
            "unaudited": self.record.as_ref().map(|(_, missing)| missing.len()),
            "audited_calls": self.record.as_ref().map(|(acts, _)| acts),
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
            record: None,
        })
    }
}
