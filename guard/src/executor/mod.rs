//! Carries acts out inside a sandbox. The holder's side ([`Executor`], [`Pulse`]) and the side
//! within ([`serve`]) talk length-prefixed JSON over a pipe ([`wire`]).
//!
//! Nothing outlives a call: when a tool's own process ends, times out or is cancelled, every
//! process it left behind is killed. Nothing outlives the holder: the inside ends when its pipe
//! closes or its deadline passes without an extension, and the kernel kills the rest with it.

mod greeting;
mod holder;
mod inside;
mod launched;
mod link;
pub mod orphans;
mod places;
mod process;
pub mod wire;

pub use holder::{Executor, ExecutorError, Outcome};
pub use inside::{landlock, serve};
pub use launched::Launched;
pub use link::Pulse;
