//! Inside the sandbox: the first process of its own process namespace. It gives up what it does
//! not need, checks that the walls stand, and serves its holder's questions one after the other.
//! When it ends, the kernel kills everything inside.

mod analyse;
mod changes;
mod commit;
mod data;
mod files;
mod forward;
mod frost;
mod gather;
mod git;
pub mod landlock;
mod lifeline;
mod limits;
mod linters;
mod locks;
mod only;
mod output;
mod outside;
mod place;
mod program;
mod quick;
mod repositories;
mod search;
mod serve;
mod snapshot;
mod suites;
mod walls;

use super::wire::{self, FromInside, Hello, ToInside, WIRE_VERSION};
use crate::deadline::Deadline;
use crate::host_view::Right;
use lifeline::Lifeline;
use protocol::walls::Wall;
use std::io::{Stdin, Stdout, Write};
use std::process::ExitCode;
use std::sync::mpsc;

/// Questions that may wait; the holder asks one at a time.
const QUEUE: usize = 16;

/// Entry of `ai-infra executor`. Speaks frames on its standard input and output and ends when the
/// input closes or the deadline passes. Refuses to serve anywhere but in a sandbox.
pub fn serve() -> ExitCode {
    let mut stdin = std::io::stdin();
    let mut stdout = std::io::stdout();
    match begin(&mut stdin, &mut stdout) {
        Ok((hello, until)) => answer_all(hello, until, stdin, stdout),
        Err(why) => {
            let _ = say(&mut stdout, &FromInside::Refused { why: why.clone() });
            let _ = writeln!(std::io::stderr(), "executor: {why}");
            ExitCode::from(protocol::exit::REFUSED)
        }
    }
}

fn begin(stdin: &mut Stdin, stdout: &mut Stdout) -> Result<(Hello, Deadline), String> {
    let hello: Hello = wire::read(stdin)
        .map_err(|e| format!("the first frame is not readable: {e}"))?
        .ok_or("nobody spoke: `ai-infra executor` is started by an agent, not by hand")?;
    if hello.v != WIRE_VERSION {
        return Err(format!(
            "the holder speaks version {}, this is {WIRE_VERSION}",
            hello.v
        ));
    }
    walls::become_owner(&hello)?;
    walls::check(&hello)?;
    limits::set(&hello)?;
    // Whoever is under Landlock sees no program but its own: this reader puts it on when it has
    // seen them, before it walks over a disk.
    if !hello.keep.contains(&Right::SeePrograms) {
        landlock::put_on(&hello)?;
    }
    program::keep_leftovers(!hello.limits.faults.stands(Wall::Leftovers));
    place::check_links(hello.limits.faults.stands(Wall::Links));
    outside::push_from_its_own(hello.limits.faults.stands(Wall::OwnRepository));
    place::prepare(hello.host || hello.reach.is_some())
        .map_err(|e| format!("the folders inside cannot be used: {e}"))?;
    if hello.online {
        place::prepare_caches(&hello).map_err(|e| format!("the caches cannot be used: {e}"))?;
        forward::start()?;
    }
    let until = match wire::read(stdin) {
        Ok(Some(ToInside::Extend { until })) => until,
        _ => return Err("nobody said until when it lives".to_owned()),
    };
    say(stdout, &FromInside::Ready).map_err(|e| format!("the holder is gone: {e}"))?;
    Ok((hello, until))
}

fn answer_all(hello: Hello, until: Deadline, stdin: Stdin, mut stdout: Stdout) -> ExitCode {
    let lifeline = Lifeline::start(until, hello.limits.faults);
    let (sender, questions) = mpsc::sync_channel(QUEUE);
    let listener = lifeline.clone();
    let listening = std::thread::Builder::new()
        .name("listener".to_owned())
        .spawn(move || listen(stdin, &listener, &sender));
    if listening.is_err() {
        return ExitCode::FAILURE;
    }
    let mut only = only::Only::of(&hello);
    for (id, ask) in questions {
        lifeline.frost.begin(|| ());
        let reply = match only.takes(&ask) {
            Ok(()) => serve::answer(&hello, &lifeline, id, ask),
            Err(why) => wire::Reply::Failed { why },
        };
        if say(&mut stdout, &FromInside::Reply { id, reply }).is_err() {
            break;
        }
    }
    lifeline.linger();
    ExitCode::SUCCESS
}

/// Reads frames until the pipe closes, then ends the process at once, whatever it was doing.
fn listen(mut stdin: Stdin, lifeline: &Lifeline, questions: &mpsc::SyncSender<(u64, wire::Ask)>) {
    while let Ok(Some(frame)) = wire::read::<ToInside>(&mut stdin) {
        match frame {
            ToInside::Extend { until } => lifeline.extend(until),
            ToInside::Cancel { id } => lifeline.cancel(id),
            ToInside::Freeze { frozen } => {
                match frozen {
                    true => lifeline.frost.freeze(),
                    false => lifeline.frost.thaw(),
                }
                // A frame is one write under the lock of the stream, so it falls between answers.
                if say(&mut std::io::stdout(), &FromInside::Frozen { frozen }).is_err() {
                    break;
                }
            }
            ToInside::Ask { id, ask } => {
                if questions.try_send((id, *ask)).is_err() {
                    break;
                }
            }
        }
    }
    lifeline.linger();
    std::process::exit(0);
}

/// Sends a frame; an answer too large for one becomes a sentence that says so.
fn say(stdout: &mut Stdout, frame: &FromInside) -> std::io::Result<()> {
    match (wire::encode(frame), frame) {
        (Ok(bytes), _) => {
            stdout.write_all(&bytes)?;
            stdout.flush()
        }
        (Err(e), FromInside::Reply { id, .. }) => wire::write(
            stdout,
            &FromInside::Reply {
                id: *id,
                reply: wire::Reply::Failed {
                    why: format!("the answer is too large: {e}"),
                },
            },
        ),
        (Err(e), _) => Err(e),
    }
}
