//! `task`: look at tasks, stop them, take or leave their changes.

use super::follow::{self, Ended, Follow};
use super::run::{hand_in, left};
use super::strange;
use crate::args::TaskCommand;
use crate::context::Context;
use crate::failure::Failure;
use crate::render::{list, page, text};
use crate::terminal;
use jiff::Timestamp;
use protocol::control::{Answer, Verb};
use protocol::document::DOCUMENT_VERSION;
use protocol::ids::TaskRef;
use protocol::question::{Choice, Said};
use supervisor::client;

/// Does one of them.
pub async fn run(context: &Context, command: TaskCommand) -> Result<u8, Failure> {
    match command {
        TaskCommand::List { limit, json } => list_tasks(context, limit, json).await,
        TaskCommand::Show { task, json } => show(context, task, json).await,
        TaskCommand::Follow { task, json } => follow_task(context, task, json).await,
        TaskCommand::Logs { task, follow, json } => {
            super::logs::of_task(context, task, follow, json).await
        }
        TaskCommand::Diff { task } => {
            let text = said(context, Verb::TaskDiff { task }).await?;
            // A pipe gets the patch to the byte; a terminal must not be driven by it.
            match terminal::is_terminal() {
                true => terminal::exact(&text::safe(&text)),
                false => terminal::exact(&text),
            }
            Ok(protocol::exit::DONE)
        }
        TaskCommand::Cancel { task } => tell(context, Verb::TaskCancel { task }).await,
        TaskCommand::Answer {
            task,
            answer,
            text,
            question,
        } => {
            let said = Said {
                choice: answer.map(Choice::from),
                text,
            };
            let verb = Verb::TaskAnswer {
                task,
                question,
                said,
            };
            tell(context, verb).await
        }
        TaskCommand::Tell { task, words } => {
            tell(context, Verb::TaskTell { task, text: words }).await
        }
        TaskCommand::Budget { task, usd } => tell(context, Verb::TaskBudget { task, usd }).await,
        TaskCommand::Rate {
            task,
            number,
            words,
            text,
        } => {
            let said = (!words.is_empty()).then(|| words.join(" "));
            let remark = text.or(said);
            let verb = Verb::TaskRate {
                task,
                number,
                remark,
            };
            tell(context, verb).await
        }
        TaskCommand::Pause { task } => tell(context, Verb::TaskPause { task }).await,
        TaskCommand::Resume { task } => tell(context, Verb::TaskResume { task }).await,
        TaskCommand::Retry {
            task,
            request_id,
            json,
        } => {
            let request_id = request_id.unwrap_or_default();
            let verb = Verb::TaskRetry { task, request_id };
            let (line, again) = hand_in(context, verb).await?;
            left(&line, again, json)
        }
        TaskCommand::Apply {
            task,
            with_control_files: control_files,
        } => {
            let verb = Verb::TaskApply {
                task,
                control_files,
            };
            tell(context, verb).await
        }
        TaskCommand::Discard { task } => tell(context, Verb::TaskDiscard { task }).await,
        TaskCommand::Gc { dry_run: dry } => tell(context, Verb::Gc { dry }).await,
    }
}

async fn said(context: &Context, verb: Verb) -> Result<String, Failure> {
    match client::ask(&context.home, verb).await? {
        Answer::Text { text } | Answer::Ok { message: text } => Ok(text),
        _ => Err(strange()),
    }
}

async fn tell(context: &Context, verb: Verb) -> Result<u8, Failure> {
    let said = said(context, verb).await?;
    terminal::line(text::safe(&said).trim_end());
    Ok(protocol::exit::DONE)
}

async fn list_tasks(context: &Context, limit: usize, json: bool) -> Result<u8, Failure> {
    let Answer::Tasks { tasks } = client::ask(&context.home, Verb::TaskList { limit }).await?
    else {
        return Err(strange());
    };
    if json {
        return super::json(&serde_json::json!({"version": DOCUMENT_VERSION, "tasks": tasks}));
    }
    terminal::print(&list::tasks(&tasks, Timestamp::now()));
    Ok(protocol::exit::DONE)
}

async fn show(context: &Context, task: TaskRef, json: bool) -> Result<u8, Failure> {
    let Answer::Task { page } = client::ask(&context.home, Verb::TaskShow { task }).await? else {
        return Err(strange());
    };
    if json {
        return super::json(&serde_json::json!({"version": DOCUMENT_VERSION, "task": page}));
    }
    terminal::print(&page::text(&page, terminal::sheet(&context.env)));
    Ok(protocol::exit::DONE)
}

async fn follow_task(context: &Context, task: TaskRef, json: bool) -> Result<u8, Failure> {
    let answer = client::ask(&context.home, Verb::TaskShow { task }).await?;
    let Answer::Task { page } = answer else {
        return Err(strange());
    };
    let document = &page.document;
    let follow = Follow::new(document.short_id, document.agent.clone(), json, None);
    match follow.run(context).await? {
        Ended::Rests(document) => follow::told(context, &document, json, None),
        Ended::Left | Ended::Cancelled | Ended::TimedOut => Ok(protocol::exit::CANCELLED),
    }
}
