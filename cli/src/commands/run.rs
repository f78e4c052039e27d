//! `run`: give the team a task, watch it, print its result.

use super::follow::{self, Ended, Follow};
use super::{clarify, strange, team, workspace};
use crate::args::RunArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::files::{self, Picked};
use crate::render::plan as plan_text;
use crate::render::text::{self, one_line};
use crate::terminal;
use jiff::Timestamp;
use pai::plan::grammar;
use protocol::control::{Answer, Reply, Submit, Verb};
use protocol::document::{DOCUMENT_VERSION, ProcessLine, RunDocument, TaskLine};
use protocol::ids::{Role, ShortId, TaskRef};
use protocol::plan::Plan;
use protocol::report::Progress;
use protocol::task_state::TaskState;
use serde_json::{Map, Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;
use supervisor::client::{self, Client, ClientError};
use supervisor::daemon::start;
use tokio::time::{Instant, sleep};

/// How long a supervisor may be away while a task is handed in; the request id makes it one task.
const AWAY: Duration = Duration::from_secs(60);

/// How long a task that is stopped may take to end before its document is printed as it is.
const ENDING: Duration = Duration::from_secs(15);

/// Hands in the task and, unless told otherwise, waits for its end.
pub async fn run(context: &Context, mut args: RunArgs) -> Result<u8, Failure> {
    let now = Timestamp::now();
    if let (Some(given), None) = (&args.workspace, &args.host)
        && let Some((folder, host)) = workspace::named(context, given).await?
    {
        (args.workspace, args.host) = (Some(folder), Some(host));
    }
    let mut submit = submit(&args, now)?;
    submit.trace = context.env.trace();
    if let (None, None, Some(here)) = (&args.workspace, &args.host, &submit.workspace)
        && let Err(why) = guard::clone::check_workspace(here, &context.home.root)
    {
        // Whoever stands in their home may ask about the host all the same.
        terminal::complain(&format!(
            "note: the task has no folder: {}\n",
            one_line(&why.to_string(), 300)
        ));
        submit.workspace = None;
    }
    let Some(files) = attached(context, &args)? else {
        terminal::complain("nothing was started\n");
        return Ok(protocol::exit::CANCELLED);
    };
    let later = submit.due.is_some();
    team::ensure(context).await?;
    team::warn_of_differences(context);
    team::warn_of_its_version(context).await;
    for file in &files {
        let kept = client::keep(&context.home, &file.name, &file.content).await?;
        submit.attachments.push(kept);
    }
    let Some((line, again)) = accepted(context, &args, submit).await? else {
        terminal::complain("nothing was started\n");
        return Ok(protocol::exit::CANCELLED);
    };
    let began = Instant::now();
    if args.no_wait || later {
        return left(&line, again, args.json);
    }
    if !args.json {
        terminal::line(&headline(&line, again));
        show_plan(context, &line).await?;
    }
    warn_of_its_agent(context, &line).await;
    let left = args.timeout.map(|t| t.saturating_sub(began.elapsed()));
    let follow = Follow::new(line.short_id, line.agent.clone(), args.json, left);
    match follow.run(context).await? {
        Ended::Rests(document) => {
            let took = (!again).then(|| began.elapsed());
            follow::told(context, &document, args.json, took)
        }
        ended => {
            if args.json {
                super::json(&last_word(context, line.short_id).await?)?;
            }
            Ok(match ended {
                Ended::TimedOut => protocol::exit::DEADLINE,
                _ => protocol::exit::CANCELLED,
            })
        }
    }
}

/// The files that go with the request; `None` where the person would rather not.
fn attached(context: &Context, args: &RunArgs) -> Result<Option<Vec<Picked>>, Failure> {
    if args.attach.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let picked = files::read_all(&args.attach, context.settings()?.team.attach_mb)?;
    let worrying: Vec<&Picked> = picked.iter().filter(|file| file.worry.is_some()).collect();
    if args.even_secrets || worrying.is_empty() {
        return Ok(Some(picked));
    }
    if args.json || !clarify::can_ask() {
        return Err(files::refusal(&worrying));
    }
    for file in worrying {
        let why = file.worry.as_deref().unwrap_or_default();
        let question = format!(
            "{}: {why}. Attach it all the same? yes or no [no]: ",
            one_line(&file.name, 200)
        );
        if !matches!(
            clarify::ask(&question)?.to_lowercase().as_str(),
            "y" | "yes"
        ) {
            return Ok(None);
        }
    }
    Ok(Some(picked))
}

/// Shows what a plan is going to do, before what it does.
async fn show_plan(context: &Context, line: &TaskLine) -> Result<(), Failure> {
    if line.agent != Role::supervisor() {
        return Ok(());
    }
    let task = TaskRef::Short(line.short_id);
    if let Answer::Task { page } = client::ask(&context.home, Verb::TaskShow { task }).await?
        && let Some(plan) = &page.document.plan
    {
        terminal::print(&plan_text::before(plan));
    }
    Ok(())
}

/// Says on standard error when the agent that is to do the task was given up: it would wait.
async fn warn_of_its_agent(context: &Context, line: &TaskLine) {
    let Ok(status) = start::status(&context.home).await else {
        return;
    };
    let given_up = |p: &ProcessLine| p.name == line.agent.as_str() && p.state == "crash loop";
    if status.processes.iter().any(given_up) {
        terminal::complain(&format!(
            "warning: {} died too often and was stopped; {} waits until: ai-infra restart\n",
            line.agent, line.short_id
        ));
    }
}

/// The document of a task that is not followed any more; one that is being stopped is given a
/// moment to end.
async fn last_word(context: &Context, task: ShortId) -> Result<RunDocument, Failure> {
    let began = Instant::now();
    loop {
        let task = TaskRef::Short(task);
        let answer = client::ask(&context.home, Verb::TaskShow { task }).await?;
        let Answer::Task { page } = answer else {
            return Err(strange());
        };
        let stopping = matches!(page.document.state, TaskState::Cancelling);
        if !stopping || began.elapsed() > ENDING {
            return Ok(page.document);
        }
        sleep(Duration::from_millis(50)).await;
    }
}

fn headline(line: &TaskLine, again: bool) -> String {
    let again = if again { " (handed in before)" } else { "" };
    format!(
        "task {}: {}{again}",
        line.short_id,
        one_line(&line.request, 100)
    )
}

/// Says its number and leaves it.
pub fn left(line: &TaskLine, again: bool, json: bool) -> Result<u8, Failure> {
    if json {
        return super::json(&json!({
            "version": DOCUMENT_VERSION, "task_id": line.task_id, "short_id": line.short_id,
            "again": again, "due": line.due,
        }));
    }
    let id = line.short_id;
    let due = line.due.map_or(String::new(), |due| {
        format!("\nit begins {}", text::until(due, Timestamp::now()))
    });
    terminal::line(&format!(
        "{}{due}\nfollow it: ai-infra task follow {id}   see it: ai-infra task show {id}",
        headline(line, again)
    ));
    Ok(protocol::exit::DONE)
}

/// Hands the request in until nothing is open about it; `None` where the person wants none of what
/// it could mean.
async fn accepted(
    context: &Context,
    args: &RunArgs,
    mut submit: Submit,
) -> Result<Option<(TaskLine, bool)>, Failure> {
    loop {
        match handed(context, Verb::Submit(Box::new(submit.clone()))).await {
            Err(ClientError::Asks {
                message,
                proposal,
                hints,
            }) => match clarify::answered(args, &message, &proposal, &hints)? {
                Some(chosen) => submit.playbook = Some(chosen),
                None => return Ok(None),
            },
            Ok(Handed::Task(line, again)) => return Ok(Some((*line, again))),
            Ok(Handed::Said(_)) => return Err(super::strange()),
            Err(error) => return Err(error.into()),
        }
    }
}

/// Hands a task in, by whatever verb makes one, until it is accepted or refused; a supervisor that is started again meanwhile
/// is waited for.
pub async fn hand_in(context: &Context, verb: Verb) -> Result<(TaskLine, bool), Failure> {
    match handed(context, verb).await? {
        Handed::Task(line, again) => Ok((*line, again)),
        Handed::Said(_) => Err(super::strange()),
    }
}

/// The same for what may begin no task.
pub async fn hand_in_or_said(context: &Context, verb: Verb) -> Result<Handed, Failure> {
    Ok(handed(context, verb).await?)
}

/// What came of a verb that was handed in.
pub enum Handed {
    /// A task, and whether it was there already.
    Task(Box<TaskLine>, bool),
    /// A sentence.
    Said(String),
}

async fn handed(context: &Context, verb: Verb) -> Result<Handed, ClientError> {
    let began = Instant::now();
    loop {
        match once(context, verb.clone()).await {
            Err(error) if error.may_ask_again(&verb) && began.elapsed() < AWAY => {
                sleep(Duration::from_millis(50)).await;
            }
            Err(error) => return Err(error),
            Ok(Some(accepted)) => return Ok(accepted),
            Ok(None) => return Err(ClientError::Strange { who: "supervisor" }),
        }
    }
}

async fn once(context: &Context, verb: Verb) -> Result<Option<Handed>, ClientError> {
    let mut client = Client::connect(&context.home).await?;
    client.send(verb).await?;
    loop {
        match client.next().await? {
            Reply::Accepted { task, again } => return Ok(Some(Handed::Task(task, again))),
            // Such as: redis does not answer, the task is kept and starts later.
            Reply::Event { progress } => say_note(&progress),
            Reply::Done { answer } => {
                return Ok(match *answer {
                    Answer::Ok { message } => Some(Handed::Said(message)),
                    _ => None,
                });
            }
            _ => {}
        }
    }
}

/// A word about the task as a whole; on standard error, because documents may go to a pipe.
fn say_note(progress: &Progress) {
    if let Progress::Note { text } = progress {
        terminal::complain(&format!("note: {}\n", one_line(text, 300)));
    }
}

fn submit(args: &RunArgs, now: Timestamp) -> Result<Submit, Failure> {
    let params = params(&args.params);
    let playbook = args.playbook.clone().map(|name| (name, params));
    let plan = args.plan.as_deref().map(read_plan).transpose()?;
    let request = match (&args.request, &playbook, &plan) {
        (Some(request), _, _) => request.clone(),
        (None, Some((name, _)), _) => format!("playbook {name}"),
        (None, None, Some(plan)) => format!("plan {}", plan.name),
        (None, None, None) => return Err(Failure::usage("say what you want: ai-infra run \"…\"")),
    };
    let due = match (args.at, args.after) {
        (Some(at), _) if at <= now => {
            return Err(Failure::usage(format!(
                "{} has passed already: leave --at out to begin now",
                text::clock(at)
            )));
        }
        (Some(at), _) => Some(at),
        (None, after) => after.and_then(|after| now.checked_add(after).ok()),
    };
    let deadline = args
        .timeout
        .and_then(|timeout| due.unwrap_or(now).checked_add(timeout).ok());
    Ok(Submit {
        request,
        request_id: args.request_id.clone().unwrap_or_default(),
        agent: args.agent.clone(),
        playbook,
        plan: plan.map(Box::new),
        script: args.script.as_deref().map(absolute).transpose()?,
        workspace: Some(match (&args.host, &args.workspace) {
            // A folder of another disk: nothing here can say what it is.
            (Some(_), Some(there)) => there.clone(),
            (_, here) => absolute(here.as_deref().unwrap_or(Path::new(".")))?,
        }),
        host: args.host.clone(),
        effort: args.effort.into(),
        budget_usd: args.budget,
        priority: args.priority,
        deadline,
        due,
        trace: None,
        attachments: Vec::new(),
    })
}

fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let shown = path.display();
    let wrong = |why: &dyn std::fmt::Display| Failure::usage(format!("{shown}: {why}"));
    let file = std::fs::File::open(path).map_err(|e| wrong(&format!("cannot be read: {e}")))?;
    let mut yaml = String::new();
    file.take(grammar::LARGEST as u64 + 1)
        .read_to_string(&mut yaml)
        .map_err(|e| wrong(&format!("cannot be read: {e}")))?;
    grammar::parse(&yaml).map_err(|e| wrong(&e))
}

pub(super) fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    path.canonicalize().map_err(|error| {
        Failure::usage(format!("cannot find {}: {error}", path.display()))
            .hint("name one that is there, such as `.` for where you are")
    })
}

/// Parameters as data: numbers and truth values as such, lists and objects as JSON, the rest as
/// text. The playbook's own types have the last word.
fn params(pairs: &[(String, String)]) -> Map<String, Value> {
    pairs
        .iter()
        .map(|(key, value)| {
            let value = match serde_json::from_str(value) {
                Ok(Value::Null | Value::String(_)) | Err(_) => Value::String(value.clone()),
                Ok(data) => data,
            };
            (key.clone(), value)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::args::{Args, Command};
    use clap::Parser;

    fn parsed(line: &[&str]) -> RunArgs {
        let words = ["ai-infra", "run"].iter().chain(line);
        match Args::parse_from(words).command {
            Command::Run(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    fn submit_now(args: &RunArgs) -> Result<Submit, Failure> {
        submit(args, Timestamp::now())
    }

    #[test]
    fn a_due_time_is_in_the_future_and_the_deadline_counts_from_it() {
        let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
        let made = submit(&parsed(&["w", "--in", "10m", "--timeout", "1m"]), now).unwrap();
        assert_eq!(made.due.unwrap().to_string(), "2026-11-20T10:10:00Z");
        assert_eq!(made.deadline.unwrap().to_string(), "2026-11-20T10:11:00Z");
        let made = submit(&parsed(&["w", "--at", "2026-11-20T10:00:01Z"]), now).unwrap();
        assert_eq!(made.due.unwrap().to_string(), "2026-11-20T10:00:01Z");
        let past = submit(&parsed(&["w", "--at", "2026-11-20T10:00:00Z"]), now).unwrap_err();
        assert_eq!(past.exit, protocol::exit::USAGE);
    }

    #[test]
    fn flags_become_a_request() {
        let made = submit_now(&parsed(&[
            "look",
            "--effort",
            "quick",
            "--request-id",
            "r1",
        ]))
        .unwrap();
        assert_eq!(made.request, "look");
        assert_eq!(made.request_id.as_str(), "r1");
        assert!(made.workspace.unwrap().is_absolute());
        assert!(made.deadline.is_none());
        let made = submit_now(&parsed(&[
            "--playbook",
            "p",
            "--param",
            "n=3",
            "--timeout",
            "1h",
        ]));
        let made = made.unwrap();
        assert_eq!(made.request, "playbook p");
        assert_eq!(made.playbook.unwrap().1["n"], json!(3));
        assert!(made.deadline.is_some());
        let missing = submit_now(&parsed(&["look", "--workspace", "/no/such/folder"]));
        assert_eq!(missing.unwrap_err().exit, protocol::exit::USAGE);
    }

    #[test]
    fn parameters_are_data_where_they_look_like_it() {
        let pair = |value: &str| params(&[("k".to_owned(), value.to_owned())])["k"].clone();
        for (given, expected) in [
            ("3", json!(3)),
            ("true", json!(true)),
            ("[1,2]", json!([1, 2])),
            ("shop", json!("shop")),
            ("\"x\"", json!("\"x\"")),
            ("null", json!("null")),
            ("", json!("")),
            ("a=b", json!("a=b")),
        ] {
            assert_eq!(pair(given), expected, "{given}");
        }
    }
}
