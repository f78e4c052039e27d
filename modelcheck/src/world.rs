//! The world that effects change, and the executors that change it. An executor is a process of its
//! own: it may outlive its agent, but not its deadline.

use protocol::effect::EffectClass;
use std::collections::BTreeSet;

/// How long after its deadline, or its agent's death, an executor may still act, in milliseconds.
/// The watch in it looks ten times a second.
pub const LATE_MS: u64 = 100;

/// A running call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Executor {
    /// Which agent started it, and in which of its lives.
    pub of: (usize, u64),
    /// Under which claim.
    pub epoch: u64,
    /// The step it carries out.
    pub step: u8,
    /// The key it sends along.
    pub key: (u8, u64),
    /// Its deadline, by the clock.
    pub until: u64,
}

/// The world.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct World {
    /// How often the effect of each step is there.
    pub made: Vec<u8>,
    /// Keys that the other side has seen.
    pub keys: BTreeSet<(u8, u64)>,
    /// Calls under way.
    pub running: Vec<Executor>,
}

impl World {
    /// Where nothing was done yet.
    pub fn new(steps: usize) -> Self {
        Self {
            made: vec![0; steps],
            ..Self::default()
        }
    }

    /// What a snapshot of the clone holds: the effects of contained and probed steps.
    pub fn tree(&self, classes: &[EffectClass]) -> String {
        let inside = |(made, class): (&u8, &EffectClass)| match class {
            EffectClass::Contained | EffectClass::Probed | EffectClass::Idempotent => *made,
            _ => 0,
        };
        self.made
            .iter()
            .zip(classes)
            .map(|pair| inside(pair).to_string())
            .collect()
    }

    /// Puts the clone back to a snapshot.
    pub fn reset(&mut self, classes: &[EffectClass], tree: &str) {
        for ((made, class), seen) in self.made.iter_mut().zip(classes).zip(tree.bytes()) {
            if matches!(
                class,
                EffectClass::Contained | EffectClass::Probed | EffectClass::Idempotent
            ) {
                *made = seen - b'0';
            }
        }
    }

    /// One call has its effect.
    pub fn act(&mut self, call: &Executor, class: EffectClass) {
        let made = &mut self.made[usize::from(call.step)];
        match class {
            EffectClass::Pure => {}
            EffectClass::Idempotent => *made = 1,
            EffectClass::Keyed => {
                if self.keys.insert(call.key) {
                    *made += 1;
                }
            }
            EffectClass::Probed | EffectClass::Contained | EffectClass::Once => *made += 1,
        }
    }

    /// Time has come to `now`: what is past its deadline is dead.
    pub fn bury(&mut self, now: u64) {
        self.running
            .retain(|call| now < call.until.saturating_add(LATE_MS));
    }
}
