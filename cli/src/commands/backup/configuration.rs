//! The job `configuration`: settings, agents, playbooks in step with a plain git repository. Here is who
//! judges what comes in: the finder of secrets, `config check`, the playbooks' grammar, and a comparison
//! of what would be permitted.

use super::beside;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::text::{count, safe};
use crate::terminal;
use backup::error::BackupError;
use backup::history::History;
use backup::store::target::Target;
use backup::sync::{Judge, Objection, Place, Report, alone, sync};
use config::backup::BackupWhat;
use config::home::Home;
use config::secret::{self, Secret};
use config::settings::Settings;
use inspect::secret_rules;
use jiff::Timestamp;
use pai::playbook::Playbook;
use std::path::Path;

/// Shorter secrets of the home are not looked for: they would be found in ordinary words.
const SHORTEST: usize = 8;
/// Most paths shown of each kind.
const SHOWN: usize = 10;

/// Where the configuration is kept in step; `None` where no git repository is named for it.
///
/// # Errors
/// When there is no such job, or its place cannot be read.
pub fn place(settings: &Settings) -> Result<Option<(String, Place)>, Failure> {
    let mut jobs = settings.backup.jobs.iter();
    let job = jobs.find(|(_, job)| job.what == BackupWhat::Configuration);
    let Some((name, job)) = job else {
        return Err(Failure::usage(
            "no job of config/backup.yaml keeps the configuration in step",
        )
        .hint("add to it:  jobs: {configuration: {what: configuration, target: \"https://github.com/me/team.git\"}}"));
    };
    let written = job.target.as_ref().or(settings.backup.remote.as_ref());
    let target = written.map(|written| Target::read(written)).transpose()?;
    Ok(match target {
        Some(Target::Git(url)) => Some((name.clone(), of(settings, url))),
        _ => None,
    })
}

/// The same, where it must be there.
pub fn wanted(settings: &Settings) -> Result<(String, Place), Failure> {
    place(settings)?.ok_or_else(|| {
        Failure::usage("the configuration goes both ways, so its place is a git repository, and none is named for it")
            .hint("in config/backup.yaml:  jobs: {configuration: {what: configuration, target: \"https://github.com/me/team.git\"}}")
    })
}

/// Where the configuration goes, where it is meant and has a place.
pub fn meant(settings: &Settings, name: Option<&str>) -> Result<Option<(String, Place)>, Failure> {
    let jobs = &settings.backup.jobs;
    match name {
        Some(name) => match jobs.get(name).map(|job| job.what) {
            Some(BackupWhat::Configuration) => wanted(settings).map(Some),
            _ => Ok(None),
        },
        None if jobs
            .values()
            .any(|job| job.what == BackupWhat::Configuration) =>
        {
            place(settings)
        }
        None => Ok(None),
    }
}

/// Brings the configuration in step; a place that does not answer keeps the other jobs from nothing.
pub async fn job(
    context: &Context,
    job: String,
    place: Place,
    json: bool,
) -> Result<(u8, Option<Report>), Failure> {
    let folder = context.home.backup();
    let _alone = alone(&context.home)?;
    let done = in_step(context, place).await;
    History::change(&folder, |history| match &done {
        Ok(_) => history.well(&job, Timestamp::now()),
        Err(failure) => history.failed(&job, Timestamp::now(), failure.message.clone()),
    })?;
    match done {
        Ok(report) => {
            if !json {
                terminal::print(&said(&job, &report));
            }
            Ok((exit(&report), Some(report)))
        }
        Err(failure) => {
            terminal::complain(&format!("✗ {}: {}\n", safe(&job), safe(&failure.message)));
            for hint in &failure.hints {
                terminal::complain(&format!("  {}\n", safe(hint)));
            }
            Ok((failure.exit, None))
        }
    }
}

fn of(settings: &Settings, url: String) -> Place {
    Place {
        url,
        login: super::login(settings),
        host: settings.host.clone(),
    }
}

/// Brings both sides in step.
pub async fn in_step(context: &Context, place: Place) -> Result<Report, Failure> {
    let settings = context.settings()?;
    let note = super::github::not_public(context, &settings, &place.url).await?;
    let context = context.clone();
    let mut report = beside(move || {
        judged(&context, |judge| {
            sync(&context.home, &place, judge, &mut |_| Ok(()))
        })
    })
    .await?;
    report.notes.extend(note);
    Ok(report)
}

/// Does something with those who judge.
pub fn judged<T>(
    context: &Context,
    work: impl FnOnce(&Judge<'_>) -> Result<T, BackupError>,
) -> Result<T, BackupError> {
    let known = known(context)?;
    let secrets = |text: &str| {
        let mut found: Vec<(u64, String)> = (secret_rules::find(text).into_iter())
            .map(|found| (found.line, found.rule.to_owned()))
            .collect();
        for (line, words) in (1..).zip(text.lines()) {
            for (name, secret) in &known {
                if words.contains(secret.reveal()) {
                    found.push((line, format!("the value of secret {name}")));
                }
            }
        }
        found.sort_by_key(|(line, _)| *line);
        found
    };
    let now = config::load::load(&context.home, &context.env, &[]).ok();
    let weigh = |laid: &Home| weigh(context, now.as_ref(), laid);
    work(&Judge {
        secrets: &secrets,
        weigh: &weigh,
    })
}

/// The secrets of the home that are long enough to be looked for.
fn known(context: &Context) -> Result<Vec<(String, Secret)>, BackupError> {
    let mut known = Vec::new();
    for name in secret::list(&context.home)? {
        if let Some(secret) = secret::find(&context.home, &context.env, &name)?
            && secret.reveal().len() >= SHORTEST
        {
            known.push((name, secret));
        }
    }
    Ok(known)
}

fn weigh(context: &Context, now: Option<&Settings>, laid: &Home) -> Vec<Objection> {
    let root = format!("{}/", laid.root.display());
    // The file may be one of the home in force, which is then gone from the other.
    let below = |path: &Path| {
        let here = path.strip_prefix(&laid.root).ok();
        let path = here.or_else(|| path.strip_prefix(&context.home.root).ok())?;
        Some(path.to_string_lossy().into_owned())
    };
    let mut objections = Vec::new();
    for problem in config::check::check(laid, &context.env) {
        // A place is a file of that home, with a line and a column behind it.
        let without_number = |place| {
            let parts = str::rsplit_once(place, ':');
            let parts = parts.filter(|(_, last)| last.bytes().all(|b| b.is_ascii_digit()));
            parts.map_or(place, |(file, _)| file)
        };
        let file = problem.place.strip_prefix(&root);
        let file = file.map(|place| without_number(without_number(place)).to_owned());
        objections.push(Objection {
            path: file,
            broken: true,
            why: problem.to_string().replace(&root, ""),
        });
    }
    for (origin, text) in config::playbooks::all(laid).unwrap_or_default() {
        let own = origin.strip_prefix(&root).map(str::to_owned);
        if let (Some(path), Err(error)) = (own, Playbook::parse(&text)) {
            objections.push(Objection {
                why: format!("{path}: {error}"),
                path: Some(path),
                broken: true,
            });
        }
    }
    if let (Some(now), Ok(then)) = (now, config::load::load(laid, &context.env, &[])) {
        for wider in config::widened::widened(now, &then) {
            objections.push(Objection {
                path: wider.file.as_deref().and_then(below),
                broken: false,
                why: wider.why,
            });
        }
    }
    objections
}

/// How a run ends, for whoever started it without looking.
pub fn exit(report: &Report) -> u8 {
    match (report.waiting.is_empty(), report.kept_back.is_empty()) {
        (false, _) => protocol::exit::WAITS,
        (true, false) => protocol::exit::FAILED,
        (true, true) => protocol::exit::DONE,
    }
}

/// What a person reads.
pub fn said(job: &str, report: &Report) -> String {
    let parts: Vec<String> = [
        (report.sent.len(), "sent"),
        (report.came.len(), "came in"),
        (report.merged.len(), "merged"),
    ]
    .into_iter()
    .filter(|(many, _)| *many > 0)
    .map(|(many, what)| format!("{} {what}", count(many as u64, "file", "files")))
    .collect();
    let done = match parts.is_empty() {
        true => "both sides have the same".to_owned(),
        false => parts.join(", "),
    };
    let mark = match exit(report) {
        protocol::exit::DONE => "✓",
        _ => "!",
    };
    let mut text = format!("{mark} {}: {done}; {}\n", safe(job), safe(&report.place));
    for (word, paths) in [
        ("sent", &report.sent),
        ("came in", &report.came),
        ("merged", &report.merged),
    ] {
        for path in paths.iter().take(SHOWN) {
            text.push_str(&format!("  {word}: {}\n", safe(path)));
        }
        if paths.len() > SHOWN {
            text.push_str(&format!("  … and {} more\n", paths.len() - SHOWN));
        }
    }
    for note in report.notes.iter().take(SHOWN) {
        text.push_str(&format!("  note: {}\n", safe(note)));
    }
    for kept in report.kept_back.iter().take(SHOWN) {
        let (path, why) = (safe(&kept.path), safe(&kept.why));
        text.push_str(&format!("  not sent: {path}: {why}\n"));
    }
    for waiting in report.waiting.iter().take(SHOWN) {
        let (path, why) = (safe(&waiting.path), safe(&waiting.why));
        text.push_str(&format!("  waits: {path}: {why}\n"));
    }
    if !report.waiting.is_empty() {
        text.push_str("  nothing of these was changed on either side: ai-infra backup conflicts\n");
    }
    let settings = |path: &&String| path.starts_with("config/") || path.starts_with("agents/");
    if report
        .came
        .iter()
        .chain(&report.merged)
        .any(|path| settings(&path))
    {
        text.push_str(
            "  a running team takes new settings and agents at its next start: ai-infra restart\n",
        );
    }
    text
}
