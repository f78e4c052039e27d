//! `logs` and `task logs`: what every process of the home wrote, as one.

use crate::args::LogsArgs;
use crate::context::Context;
use crate::failure::Failure;
use crate::logs::filter::{About, Filter};
use crate::logs::flow::Flow;
use crate::logs::history::{History, logs};
use crate::logs::line::{Level, LogLine};
use crate::terminal;
use jiff::tz::TimeZone;
use protocol::ids::TaskRef;
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

/// Lines shown of a log that is asked for without any other wish.
const NEWEST: usize = 200;
/// Between two looks while it is followed.
const EVERY: Duration = Duration::from_millis(250);

/// Prints the lines that are wanted; with `--follow` also those to come.
pub async fn run(context: &Context, args: &LogsArgs) -> Result<u8, Failure> {
    let folder = context.home.logs();
    let mut filter = filter(args);
    check(context, args, &filter)?;
    if let Some(about) = &mut filter.about {
        // Whoever names a task under another name may come later than the line that is looked for.
        History::open(&folder).for_each(|line| about.learn(&line));
    }
    let all = args.task.is_some() || args.trace.is_some() || args.since.is_some();
    let newest = match (args.lines, all) {
        (Some(lines), _) => lines,
        (None, true) => usize::MAX,
        (None, false) => NEWEST,
    };
    let printer = Printer {
        json: args.json,
        colour: terminal::is_terminal() && context.env.colour(),
        zone: TimeZone::system(),
    };
    let mut history = History::open(&folder);
    let mut many = 0_usize;
    let wanted = history.by_ref().filter(|line| filter.wants(line));
    let wanted = wanted.inspect(|_| many += 1);
    match newest {
        usize::MAX => wanted.for_each(|line| printer.print(&line)),
        most => last(wanted, most)
            .iter()
            .for_each(|line| printer.print(line)),
    }
    if many == 0 && !args.follow {
        terminal::complain("no line is like that\n");
    }
    if args.follow {
        follow(Flow::after(&folder, history), filter, &printer).await;
    }
    Ok(protocol::exit::DONE)
}

/// The logs of one task: `task logs`.
pub async fn of_task(
    context: &Context,
    task: TaskRef,
    follow: bool,
    json: bool,
) -> Result<u8, Failure> {
    let args = LogsArgs {
        task: Some(task),
        follow,
        json,
        ..LogsArgs::default()
    };
    run(context, &args).await
}

fn filter(args: &LogsArgs) -> Filter {
    let about = match (&args.task, &args.trace) {
        (Some(task), _) => Some(About::task(&task.to_string())),
        (None, Some(trace)) => Some(About::trace(trace)),
        (None, None) => None,
    };
    Filter {
        process: args.agent.clone(),
        level: args.level.map(Level::from),
        since: args.since,
        grep: args.grep.clone(),
        about,
    }
}

/// A process that has no log is named, with those that have one.
fn check(context: &Context, args: &LogsArgs, filter: &Filter) -> Result<(), Failure> {
    let mut known: Vec<String> = logs(&context.home.logs())
        .into_iter()
        .map(|log| log.process)
        .collect();
    known.dedup();
    let place = context.home.logs();
    if known.is_empty() && !args.follow {
        let said = format!("there are no logs in {} yet", place.display());
        return Err(Failure::usage(said).hint("start the team: ai-infra up"));
    }
    match &filter.process {
        Some(process) if !known.contains(process) && !args.follow => Err(Failure::usage(format!(
            "`{process}` has written no log; there are logs of: {}",
            known.join(", ")
        ))),
        _ => Ok(()),
    }
}

fn last(lines: impl Iterator<Item = LogLine>, most: usize) -> VecDeque<LogLine> {
    let mut kept = VecDeque::new();
    for line in lines {
        kept.push_back(line);
        if kept.len() > most {
            kept.pop_front();
        }
    }
    kept
}

/// Prints what is added, until Ctrl-C ends the process.
async fn follow(mut flow: Flow, mut filter: Filter, printer: &Printer) {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        for line in flow.look() {
            if let Some(about) = &mut filter.about {
                about.learn(&line);
            }
            if filter.wants(&line) {
                printer.print(&line);
            }
        }
    }
}

struct Printer {
    json: bool,
    colour: bool,
    zone: TimeZone,
}

impl Printer {
    fn print(&self, line: &LogLine) {
        terminal::line(&match self.json {
            true => line.document().to_string(),
            false => self.text(line),
        });
    }

    fn text(&self, line: &LogLine) -> String {
        if !self.colour {
            return line.pretty(&self.zone, true);
        }
        let (clock, process, level) = line.columns(&self.zone, true);
        let painted = match line.level {
            Some(Level::Error) => format!("\x1b[31m{level}\x1b[0m"),
            Some(Level::Warn) => format!("\x1b[33m{level}\x1b[0m"),
            _ => level,
        };
        format!(
            "\x1b[2m{clock}\x1b[0m \x1b[36m{process}\x1b[0m {painted} {}",
            line.text
        )
    }
}
