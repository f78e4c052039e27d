//! The sandbox: what it is made of ([`spec`]), what of the machine it may show ([`surroundings`],
//! [`profile`], [`modules`]), how that becomes arguments of `bwrap` ([`bwrap`], pure), which system calls are
//! denied ([`seccomp`], pure), what Landlock repeats ([`rules`], pure) and how the process is started ([`spawn`]).

pub mod bwrap;
#[cfg(test)]
mod bwrap_tests;
pub mod environment;
pub mod modules;
pub mod profile;
pub mod rules;
pub mod seccomp;
pub mod spawn;
pub mod spec;
pub mod surroundings;
