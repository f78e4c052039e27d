//! The sandbox: what it is made of ([`spec`]), what of the machine it may show ([`surroundings`],
//! [`profile`], `cargo_settings`, [`modules`]), how that becomes arguments of `bwrap` ([`bwrap`], pure), which system calls are
//! denied ([`seccomp`], pure), what Landlock repeats ([`rules`], pure), what bounds all of it together
//! ([`cgroup`]) and how the process is started ([`spawn`]).

pub mod bwrap;
#[cfg(test)]
mod bwrap_tests;
mod cargo_settings;
pub mod cgroup;
pub mod environment;
mod hierarchy;
pub mod modules;
pub mod profile;
pub mod rules;
pub mod seccomp;
pub mod spawn;
pub mod spec;
pub mod surroundings;
