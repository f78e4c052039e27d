//! Walks the model by hand: `modelcheck FAULTS [AGENTS] [MOST MOVES] [CLASS,CLASS]`.

use modelcheck::state::Left;
use modelcheck::team::{Broken, Team};
use protocol::effect::EffectClass;
use std::process::ExitCode;
use std::time::Instant;

fn main() -> ExitCode {
    match walk() {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn walk() -> Result<(), String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, or: usize| words.get(at).map_or(Ok(or), |w| w.parse());
    let wrong = |e: std::num::ParseIntError| format!("not a number: {e}");
    let faults = number(0, 1).map_err(wrong)? as u8;
    let agents = number(1, 2).map_err(wrong)?;
    let most = number(2, 20_000_000).map_err(wrong)?;
    let classes = words.get(3).map_or("contained,keyed", String::as_str);
    let classes: Vec<EffectClass> = classes
        .split(',')
        .map(|name| serde_json::from_value(name.into()).map_err(|e| format!("{name}: {e}")))
        .collect::<Result<_, _>>()?;
    let began = Instant::now();
    let walk = Team::new(&classes, agents, Left::any(faults), Broken::default())?.walk(most);
    let cut = if walk.moves >= most { " (cut off)" } else { "" };
    println!(
        "{classes:?}, {agents} agents, {faults} faults: {} states{cut}, {} moves, depth {}, ledger {:?}, {:.1} s",
        walk.states,
        walk.moves,
        walk.depth,
        walk.ledger,
        began.elapsed().as_secs_f64()
    );
    match walk.found {
        None => Ok(()),
        Some((promise, way)) => Err(format!("broken: {promise}\n{way}")),
    }
}
