//! Whether this host has room for another task. A pure decision over one reading: what was over its
//! limit stays so until it has fallen well below it, so that the gate does not swing. What cannot be
//! read holds nobody back: this spares the host, it guards nothing.

mod read;

use config::settings::PressureSettings;
use std::fmt;
use std::time::{Duration, Instant};

/// How long a look is good for.
const FRESH: Duration = Duration::from_secs(1);

/// What was read of the host; `None` where it does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Reading {
    /// Load over a minute, for each core.
    pub load: Option<f64>,
    /// Memory in use, in percent.
    pub memory: Option<f64>,
    /// Time in which everything waits for memory, in percent of ten seconds.
    pub memory_stall: Option<f64>,
    /// Time in which everything waits for a disk, in percent of ten seconds.
    pub io_stall: Option<f64>,
}

/// One thing that is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// See [`Reading::load`].
    Load,
    /// See [`Reading::memory`].
    Memory,
    /// See [`Reading::memory_stall`].
    MemoryStall,
    /// See [`Reading::io_stall`].
    IoStall,
}

/// A measure that holds work back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Over {
    /// Which.
    pub measure: Measure,
    /// What was read.
    pub value: f64,
    /// Its limit.
    pub limit: f64,
}

impl Measure {
    const ALL: [Measure; 4] = [
        Measure::Load,
        Measure::Memory,
        Measure::MemoryStall,
        Measure::IoStall,
    ];

    fn of(self, reading: &Reading) -> Option<f64> {
        match self {
            Measure::Load => reading.load,
            Measure::Memory => reading.memory,
            Measure::MemoryStall => reading.memory_stall,
            Measure::IoStall => reading.io_stall,
        }
    }

    fn limit(self, limits: &PressureSettings) -> f64 {
        match self {
            Measure::Load => limits.load_per_core,
            Measure::Memory => limits.memory_percent,
            Measure::MemoryStall => limits.memory_stall_percent,
            Measure::IoStall => limits.io_stall_percent,
        }
    }

    /// What it must have fallen to before it lets go: of memory half of what the limit leaves free
    /// must be free again on top, of anything else a quarter must be gone.
    fn release(self, limit: f64) -> f64 {
        match self {
            Measure::Memory => (limit - (100.0 - limit) / 2.0).max(limit * 0.75),
            _ => limit * 0.75,
        }
    }
}

impl fmt::Display for Over {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Over { value, limit, .. } = self;
        let also = if value > limit { "over" } else { "was over" };
        match self.measure {
            Measure::Load => write!(f, "load {value:.1} a core ({also} {limit})"),
            Measure::Memory => write!(f, "memory {value:.0} % in use ({also} {limit} %)"),
            Measure::MemoryStall => {
                write!(
                    f,
                    "waiting for memory {value:.0} % of the time ({also} {limit} %)"
                )
            }
            Measure::IoStall => {
                write!(
                    f,
                    "waiting for disks {value:.0} % of the time ({also} {limit} %)"
                )
            }
        }
    }
}

/// What holds work back now, given what did a moment ago.
pub fn decide(limits: &PressureSettings, before: &[Over], reading: &Reading) -> Vec<Over> {
    let over = |measure: Measure| {
        let limit = measure.limit(limits);
        let value = measure.of(reading).filter(|_| limit > 0.0)?;
        let held = before.iter().any(|one| one.measure == measure);
        let least = if held { measure.release(limit) } else { limit };
        (value > least).then_some(Over {
            measure,
            value,
            limit,
        })
    };
    match limits.enabled {
        true => Measure::ALL.into_iter().filter_map(over).collect(),
        false => Vec::new(),
    }
}

/// The gate of one process: reads the host at most once a second, and remembers what it held.
#[derive(Debug, Default)]
pub struct Gate {
    held: Vec<Over>,
    looked: Option<Instant>,
}

impl Gate {
    /// Why only urgent tasks are to be begun, as a sentence; `None` while there is room.
    pub fn look(&mut self, limits: &PressureSettings) -> Option<String> {
        let fresh = self.looked.is_some_and(|at| at.elapsed() < FRESH);
        if limits.enabled && !fresh {
            self.held = decide(limits, &self.held, &read::now());
            self.looked = Some(Instant::now());
        }
        let why: Vec<String> = self.held.iter().map(Over::to_string).collect();
        (!why.is_empty()).then(|| why.join(", "))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const LIMITS: PressureSettings = PressureSettings {
        enabled: true,
        load_per_core: 4.0,
        memory_percent: 90.0,
        memory_stall_percent: 10.0,
        io_stall_percent: 60.0,
    };

    fn reading(load: f64, memory: f64, memory_stall: f64, io_stall: f64) -> Reading {
        Reading {
            load: Some(load),
            memory: Some(memory),
            memory_stall: Some(memory_stall),
            io_stall: Some(io_stall),
        }
    }

    fn check(limits: &PressureSettings, readings: &[Reading], expected: &str) {
        let mut held = Vec::new();
        for reading in readings {
            held = decide(limits, &held, reading);
        }
        let said: Vec<String> = held.iter().map(Over::to_string).collect();
        assert_eq!(said.join(", "), expected, "{readings:?}");
    }

    #[test]
    fn a_host_holds_back_over_a_limit_and_lets_go_well_below_it() {
        let calm = reading(0.5, 40.0, 0.0, 0.0);
        let memory = |percent| reading(0.5, percent, 0.0, 0.0);
        check(&LIMITS, &[calm], "");
        check(&LIMITS, &[memory(90.0)], "");
        check(&LIMITS, &[memory(94.4)], "memory 94 % in use (over 90 %)");
        let near = "memory 86 % in use (was over 90 %)";
        check(&LIMITS, &[memory(94.0), memory(86.0)], near);
        check(&LIMITS, &[memory(94.0), memory(85.0)], "");
        check(&LIMITS, &[memory(94.0), memory(85.0), memory(89.0)], "");
        check(
            &LIMITS,
            &[reading(9.25, 40.0, 12.0, 75.0)],
            "load 9.2 a core (over 4), waiting for memory 12 % of the time (over 10 %), \
             waiting for disks 75 % of the time (over 60 %)",
        );
        // One that let go is not held by another that still is.
        let two = [reading(9.0, 99.0, 0.0, 0.0), reading(3.5, 80.0, 0.0, 0.0)];
        check(&LIMITS, &two, "load 3.5 a core (was over 4)");
    }

    #[test]
    fn what_is_switched_off_or_not_said_holds_nobody_back() {
        let all = reading(99.0, 99.0, 99.0, 99.0);
        let off = PressureSettings {
            enabled: false,
            ..LIMITS
        };
        check(&off, &[all], "");
        let memory_only = PressureSettings {
            load_per_core: 0.0,
            memory_stall_percent: 0.0,
            io_stall_percent: 0.0,
            ..LIMITS
        };
        check(&memory_only, &[all], "memory 99 % in use (over 90 %)");
        check(&LIMITS, &[all, Reading::default()], "");
    }

    #[test]
    fn this_host_says_what_it_can() {
        let mut gate = Gate::default();
        let any = PressureSettings {
            memory_percent: 0.001,
            ..LIMITS
        };
        let why = gate.look(&any).unwrap();
        assert!(why.contains("% in use (over 0.001 %)"), "{why}");
        // A second look within the second is the first one's.
        assert_eq!(gate.look(&any), Some(why));
    }

    proptest! {
        /// Over its limit a measure always holds, at its release it never does, and in between it
        /// stays as it was: that is what keeps the gate from swinging.
        #[test]
        fn each_measure_has_two_edges(
            limit in 0.1..100.0f64,
            values in prop::collection::vec(0.0..200.0f64, 1..40),
            which in 0..4usize,
        ) {
            let measure = Measure::ALL[which];
            let limits = PressureSettings {
                enabled: true,
                load_per_core: if measure == Measure::Load { limit } else { 0.0 },
                memory_percent: if measure == Measure::Memory { limit } else { 0.0 },
                memory_stall_percent: if measure == Measure::MemoryStall { limit } else { 0.0 },
                io_stall_percent: if measure == Measure::IoStall { limit } else { 0.0 },
            };
            let release = measure.release(limit);
            prop_assert!(0.0 < release && release < limit);
            let mut held = Vec::new();
            for value in values {
                let was = !held.is_empty();
                held = decide(&limits, &held, &reading(value, value, value, value));
                let expected = value > limit || (was && value > release);
                prop_assert_eq!(!held.is_empty(), expected, "{} of {}", value, limit);
            }
        }
    }
}
