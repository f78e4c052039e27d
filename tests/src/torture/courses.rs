//! What is tried: plugs at random, a death at every boundary of a journal, and for each guarantee
//! the short course in which leaving it out must be seen.

use super::ROLES;
use super::account::{self, Account};
use super::effects::Kind;
use super::line::Line;
use super::plugs::{self, Plan};
use super::rig::{Handed, Rig};
use crate::processes::{self, wait_until};
use nix::sys::signal::Signal;
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Number of the first task of [`stood_still`], behind those of any other course.
const STILL: usize = 1_000_000_000;
/// Tasks in hand at a time.
const BACKLOG: usize = 3 * ROLES.len();
/// How long nothing at all may come to an end before the rest counts as lost.
const PATIENCE: Duration = Duration::from_secs(240);
/// How long an agent may take until it waits for work.
const READY: Duration = Duration::from_millis(500);
/// How long nothing may come to an end after one plug.
const SHORT: Duration = Duration::from_secs(8);

/// Everything is killed and stopped at random, `kills` times, while `tasks` tasks are handed in and
/// worked on; both come to an end together.
pub fn at_random(rig: &Rig, tasks: usize, kills: usize, seed: u64) -> Account {
    let handed = Mutex::new(Vec::new());
    let (ended, pulled) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let over = AtomicBool::new(false);
    // How many tasks belong to this many plugs.
    let share = |plugs: usize| (plugs * tasks).checked_div(kills).unwrap_or(tasks);
    rig.spare("code");
    rig.spare("qa");
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut line = rig.line();
            for at in 0..tasks {
                let due = || at < share(pulled.load(Ordering::Relaxed)) + BACKLOG;
                wait_until(Duration::from_secs(600), due);
                let role = ROLES[at % ROLES.len()];
                let kind = [Kind::Fast, Kind::Outside][at / ROLES.len() % 2];
                let task = rig.hand_in(&mut line, kind, role, at);
                lock(&handed).push(task);
            }
        });
        scope.spawn(|| count_ends(rig, &handed, &ended, &over));
        let mut stopped = Vec::new();
        for plug in Plan::new(seed, rig.setup.lease, rig.setup.tmux) {
            if pulled.load(Ordering::Relaxed) >= kills {
                break;
            }
            std::thread::sleep(plug.after);
            let behind = share(pulled.load(Ordering::Relaxed)).saturating_sub(BACKLOG);
            wait_until(PATIENCE, || ended.load(Ordering::Relaxed) >= behind);
            rig.mend_spares();
            if plugs::pull(rig, &plug, &mut stopped) {
                let many = pulled.fetch_add(1, Ordering::Relaxed) + 1;
                if many.is_multiple_of(50) {
                    let ended = ended.load(Ordering::Relaxed);
                    eprintln!("{many} plugs pulled, {ended} of {tasks} tasks ended");
                }
            }
        }
        for stopped in stopped {
            stopped.join().expect("it goes on");
        }
        over.store(true, Ordering::Relaxed);
    });
    let handed = handed.into_inner().unwrap_or_else(PoisonError::into_inner);
    rig.mend_spares();
    account::close(rig, &handed, PATIENCE)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps count of the tasks that have come to an end.
fn count_ends(rig: &Rig, handed: &Mutex<Vec<Handed>>, ended: &AtomicUsize, over: &AtomicBool) {
    let mut line = rig.line();
    let (mut open, mut taken) = (Vec::new(), 0);
    while !over.load(Ordering::Relaxed) {
        let fresh = lock(handed)[taken..].to_vec();
        taken += fresh.len();
        open.extend(fresh);
        open.retain(|task: &Handed| {
            let page = line.page(&task.id).unwrap_or_default();
            rig.world.answer(&mut line, &task.id, task.number, &page);
            let is_over = account::is_final(&state(&page));
            if is_over {
                ended.fetch_add(1, Ordering::Relaxed);
            }
            !is_over
        });
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn state(page: &Value) -> String {
    let state = page["document"]["state"].as_str();
    state.unwrap_or_default().to_owned()
}

fn attempts(page: &Value) -> usize {
    page["attempts"].as_array().map_or(0, Vec::len)
}

/// What came of a walk over the boundaries.
#[derive(Debug)]
pub struct Walk {
    /// The sums.
    pub account: Account,
    /// How many writes a task makes, its end included.
    pub writes: usize,
    /// How many holders died.
    pub deaths: usize,
}

/// Each task's first holder dies at another boundary of its journal, right before or right after
/// one of its writes, until every boundary had its death. The team has the fault
/// `die-at=journal:each`, or `die-at=journal:each:again` for the second holder too.
pub fn every_boundary(rig: &Rig, kind: Kind) -> Walk {
    let mut line = rig.line();
    let first = rig.hand_in(&mut line, kind, ROLES[0], 0);
    account::close(rig, std::slice::from_ref(&first), SHORT);
    let page = line.page(&first.id).unwrap_or_default();
    let id = page["task"]["id"].as_str().unwrap_or_default();
    let journal = format!("XLEN {{main}}:journal:{}:{id}\n", ROLES[0]);
    let length = account::redis(rig, &journal).and_then(|said| said.trim().parse::<usize>().ok());
    // It died before its first write, so that none of them is there twice.
    let writes = length.unwrap_or(0);
    let rest = (1..2 * writes).map(|at| {
        let role = ROLES[at % ROLES.len()];
        rig.hand_in(&mut line, kind, role, at)
    });
    let tasks: Vec<Handed> = std::iter::once(first.clone()).chain(rest).collect();
    let account = account::close(rig, &tasks, SHORT);
    let mut deaths = 0;
    for task in &tasks {
        deaths += line
            .page(&task.id)
            .map_or(0, |page| attempts(&page).saturating_sub(1));
    }
    Walk {
        account,
        writes,
        deaths,
    }
}

/// The course in which the lack of a guarantee must be seen; `None` for an unknown fault.
pub fn of_fault(fault: &str) -> Option<fn(&Rig) -> Account> {
    match fault {
        "no-epoch-check" => Some(stopped_beyond_its_lease),
        "ack-before-journal" | "orphaned-child" => Some(killed_in_the_middle),
        "no-key" => Some(cut_off_in_flight),
        "lost-timer" => Some(killed_unwatched),
        _ => None,
    }
}

/// Hands a task in and waits for its middle; says who holds it.
fn middle(rig: &Rig, line: &mut Line, kind: Kind, role: &str, number: usize) -> (Handed, u32) {
    let task = rig.hand_in(line, kind, role, number);
    assert!(rig.in_the_middle(&task.id), "{task:?} has no middle");
    let holder = holder(rig, line, &task);
    (task, holder)
}

fn holder(rig: &Rig, line: &mut Line, task: &Handed) -> u32 {
    let mut holder = None;
    wait_until(SHORT, || {
        holder = rig.holder(line, &task.id);
        holder.is_some()
    });
    holder.expect("it has a holder")
}

fn until_attempt(line: &mut Line, task: &Handed, many: usize, patience: Duration) {
    wait_until(patience, || {
        let page = line.page(&task.id);
        page.is_some_and(|page| attempts(&page) >= many)
    });
}

/// A holder is stopped until another one has its task, and then goes on.
pub fn stopped_beyond_its_lease(rig: &Rig) -> Account {
    let mut line = rig.line();
    rig.spare("code");
    let mut tasks = Vec::new();
    for (number, kind) in [Kind::Fast, Kind::Slow, Kind::Fast].into_iter().enumerate() {
        let (task, holder) = middle(rig, &mut line, kind, "code", number);
        processes::send(holder, Signal::SIGSTOP);
        until_attempt(&mut line, &task, 2, 4 * rig.setup.lease);
        processes::send(holder, Signal::SIGCONT);
        wait_until(SHORT, || {
            line.page(&task.id)
                .is_some_and(|page| account::is_final(&state(&page)))
        });
        tasks.push(task);
    }
    account::close(rig, &tasks, SHORT)
}

/// A holder is killed in the middle of an effect.
pub fn killed_in_the_middle(rig: &Rig) -> Account {
    let (task, holder) = middle(rig, &mut rig.line(), Kind::Slow, "code", 0);
    processes::send(holder, Signal::SIGKILL);
    account::close(rig, &[task], SHORT)
}

/// A holder that the daemon does not know is killed in the middle of an effect, so that nothing but
/// the end of its lease brings the task to the next one.
pub fn killed_unwatched(rig: &Rig) -> Account {
    let (task, _) = unwatched(rig, 0);
    account::close(rig, &[task], SHORT)
}

/// The same, and how long it took until the task had its next holder. The daemon stands still
/// meanwhile, and its own agent of the role is dead: a stopped one would still be handed what it
/// had asked for before.
fn unwatched(rig: &Rig, number: usize) -> (Handed, Duration) {
    let mut line = rig.line();
    // An agent that starts asks the daemon for its settings, so both are there before that stands still.
    rig.spare("code");
    rig.spare("code");
    std::thread::sleep(READY);
    let daemon = rig.pid("daemon").expect("a daemon");
    processes::send(daemon, Signal::SIGSTOP);
    let kept = rig.pid("agent-code").expect("the daemon's agent");
    processes::send(kept, Signal::SIGKILL);
    let (task, holder) = middle(rig, &mut line, Kind::Slow, "code", number);
    processes::send(holder, Signal::SIGKILL);
    let killed = Instant::now();
    until_attempt(&mut line, &task, 2, rig.setup.lease + SHORT);
    let took = killed.elapsed();
    processes::send(daemon, Signal::SIGCONT);
    (task, took)
}

/// A holder is killed after its request has reached the server and before the answer is back.
pub fn cut_off_in_flight(rig: &Rig) -> Account {
    let mut line = rig.line();
    let hooks = &rig.world.hooks;
    hooks.hold(true);
    let task = rig.hand_in(&mut line, Kind::Outside, "code", 0);
    let arrived = wait_until(SHORT * 2, || hooks.requests("keyed/0") > 0);
    assert!(arrived, "no request reached the server");
    processes::send(holder(rig, &mut line, &task), Signal::SIGKILL);
    hooks.hold(false);
    account::close(rig, &[task], SHORT)
}

/// How long a task of an idle queue stood still after its holder was killed: with the daemon, which
/// sees the death, and with a stopped daemon, when only the lease runs out.
pub fn stood_still(rig: &Rig) -> (Duration, Duration) {
    let mut line = rig.line();
    let (task, holder) = middle(rig, &mut line, Kind::Slow, "data", STILL);
    processes::send(holder, Signal::SIGKILL);
    let killed = Instant::now();
    until_attempt(&mut line, &task, 2, rig.setup.lease + SHORT);
    let seen = killed.elapsed();
    let (task, alone) = unwatched(rig, STILL + 1);
    account::close(rig, &[task], SHORT);
    (seen, alone)
}
