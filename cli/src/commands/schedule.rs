//! `schedule`: jobs that begin by themselves.

use super::run::{Handed, hand_in_or_said, left};
use super::strange;
use crate::args::{AddArgs, ScheduleCommand};
use crate::context::Context;
use crate::failure::Failure;
use crate::{render, terminal};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pai::schedule::{Schedule, grammar};
use protocol::control::{Answer, Verb};
use protocol::exit;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use supervisor::backups::jobs;
use supervisor::client;

/// Largest file that is looked at, in bytes.
const LARGEST: u64 = 1024 * 1024;

/// Does one of them.
pub async fn run(context: &Context, command: ScheduleCommand) -> Result<u8, Failure> {
    match command {
        ScheduleCommand::List { json } => {
            let answer = client::ask(&context.home, Verb::ScheduleList).await?;
            let Answer::Schedules { list } = answer else {
                return Err(strange());
            };
            if json {
                return super::json(&list);
            }
            terminal::print(&render::schedule::list(&list, Timestamp::now()));
            Ok(exit::DONE)
        }
        ScheduleCommand::Show { name, json } => {
            let answer = client::ask(&context.home, Verb::ScheduleShow { name }).await?;
            let Answer::Schedule { page } = answer else {
                return Err(strange());
            };
            if json {
                return super::json(&page);
            }
            terminal::print(&render::schedule::page(&page, Timestamp::now()));
            Ok(exit::DONE)
        }
        ScheduleCommand::Add(args) => add(context, &args).await,
        ScheduleCommand::Run {
            name,
            request_id,
            json,
        } => {
            let request_id = request_id.unwrap_or_default();
            let verb = Verb::ScheduleRun { name, request_id };
            match hand_in_or_said(context, verb).await? {
                Handed::Task(line, again) => left(&line, again, json),
                Handed::Said(message) if json => {
                    let version = protocol::document::DOCUMENT_VERSION;
                    super::json(&serde_json::json!({"version": version, "message": message}))
                }
                Handed::Said(message) => {
                    terminal::line(&message);
                    Ok(exit::DONE)
                }
            }
        }
        ScheduleCommand::Pause { name } => say(context, Verb::SchedulePause { name }).await,
        ScheduleCommand::Resume { name } => say(context, Verb::ScheduleResume { name }).await,
        ScheduleCommand::Check { files } => check(context, files),
    }
}

async fn say(context: &Context, verb: Verb) -> Result<u8, Failure> {
    let Answer::Ok { message } = client::ask(&context.home, verb).await? else {
        return Err(strange());
    };
    terminal::line(&message);
    Ok(exit::DONE)
}

/// Writes the file of a schedule that can be used, never over another.
async fn add(context: &Context, args: &AddArgs) -> Result<u8, Failure> {
    let workspace = args.workspace.as_deref().map(absolute).transpose()?;
    let text = written(args, workspace.as_deref());
    let schedule = grammar::parse(&text, &TimeZone::system())
        .map_err(|error| Failure::usage(format!("that is no schedule: {error}")))?;
    context.home.ensure()?;
    let path = context
        .home
        .schedules()
        .join(format!("{}.yaml", schedule.name));
    let failed = |error: std::io::Error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::usage(format!(
            "there is a schedule {} already: change {}, or choose another name",
            schedule.name,
            path.display()
        )),
        _ => Failure::new(
            exit::FAILED,
            format!("{} cannot be written: {error}", path.display()),
        ),
    };
    let folder = context.home.schedules();
    let mut file = tempfile::NamedTempFile::new_in(&folder).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist_noclobber(&path)
        .map_err(|error| failed(error.error))?;
    terminal::line(&format!("schedule {}: {}", schedule.name, path.display()));
    terminal::line(&coming(&schedule));
    // A running team looks at once; one that is down does at its next start.
    match client::ask(&context.home, Verb::ScheduleList).await {
        Ok(_) => {}
        Err(_) => {
            terminal::complain("the team is not up: it takes the schedule up when it is started\n")
        }
    }
    Ok(exit::DONE)
}

fn absolute(folder: &Path) -> Result<PathBuf, Failure> {
    std::fs::canonicalize(folder)
        .map_err(|error| Failure::usage(format!("the workspace {}: {error}", folder.display())))
}

/// The file of a schedule, for a person to read and change. Texts are JSON, which is YAML.
fn written(args: &AddArgs, workspace: Option<&Path>) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let mut lines = vec![
        "schedule: 1".to_owned(),
        format!("name: {}", quoted(&args.name)),
        format!("when: {}", quoted(&args.when)),
    ];
    let mut put = |key: &str, value: Option<String>| {
        lines.extend(value.map(|value| format!("{key}: {value}")));
    };
    put("zone", args.zone.as_deref().map(quoted));
    put("ask", args.request.as_deref().map(quoted));
    put("playbook", args.playbook.as_deref().map(quoted));
    let workspace = workspace.map(|path| quoted(&path.to_string_lossy()));
    put("workspace", workspace);
    put(
        "agent",
        args.agent.as_ref().map(|role| quoted(role.as_str())),
    );
    put("budget_usd", args.budget.map(|usd| usd.to_string()));
    lines.push(String::new());
    lines.join("\n")
}

fn coming(schedule: &Schedule) -> String {
    let zone = schedule.calendar.zone();
    let next = schedule.calendar.after(Timestamp::now());
    match next {
        Some(next) => format!(
            "it comes round next {}",
            next.to_zoned(zone.clone())
                .strftime("%A %Y-%m-%d at %H:%M %Z")
        ),
        None => "it never comes round again".to_owned(),
    }
}

/// Says of each file what is wrong with it, or when it comes round next.
fn check(context: &Context, files: Vec<PathBuf>) -> Result<u8, Failure> {
    let own = files.is_empty();
    let files = match own {
        true => of_home(&context.home.schedules())?,
        false => files,
    };
    let mut wrong = 0;
    let backups = match own {
        true => of_backups(context, &mut wrong)?,
        false => Vec::new(),
    };
    if files.is_empty() && backups.is_empty() {
        terminal::line("no schedules: `ai-infra schedule add` writes one");
    }
    backups.iter().for_each(|line| terminal::line(line));
    for path in &files {
        let shown = path.display();
        match checked(path) {
            Ok(schedule) => terminal::line(&format!("✓ {shown}: {}", coming(&schedule))),
            Err(why) => {
                wrong += 1;
                terminal::line(&format!("✗ {shown}: {}", render::plain::plain(&why)));
            }
        }
    }
    Ok(if wrong == 0 { exit::DONE } else { exit::USAGE })
}

/// The same of the backups that begin by themselves, which stand in the settings; counts what is wrong.
fn of_backups(context: &Context, wrong: &mut usize) -> Result<Vec<String>, Failure> {
    let settings = context.settings()?;
    let path = context.home.config().join("backup.yaml");
    let shown = path.display();
    let (good, problems) = jobs::schedules(&settings.backup, &TimeZone::system());
    *wrong += problems.len();
    let good = good
        .iter()
        .map(|schedule| format!("✓ {shown}: {}: {}", schedule.name, coming(schedule)));
    let bad = problems.iter().map(|why| format!("✗ {shown}: {why}"));
    Ok(good.chain(bad).collect())
}

fn of_home(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            let problem = format!("{} cannot be read: {error}", folder.display());
            return Err(Failure::new(exit::FAILED, problem));
        }
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|e| e == "yaml" || e == "yml"))
        .collect();
    files.sort();
    Ok(files)
}

fn checked(path: &Path) -> Result<Schedule, String> {
    let about = std::fs::metadata(path).map_err(|error| error.to_string())?;
    if !about.is_file() || about.len() > LARGEST {
        return Err("is no file of a schedule".to_owned());
    }
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let schedule = grammar::parse(&text, &TimeZone::system()).map_err(|e| e.to_string())?;
    match path
        .file_stem()
        .is_some_and(|stem| stem == schedule.name.as_str())
    {
        true => Ok(schedule),
        false => Err(format!(
            "it is called `{}`, so its file must be {}.yaml",
            schedule.name, schedule.name
        )),
    }
}
