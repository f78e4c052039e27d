//! The sandbox: what it is made of ([`spec`]), what of the machine it may show ([`surroundings`],
//! [`profile`]), how that becomes arguments of `bwrap` ([`bwrap`], pure), which system calls are
//! denied ([`seccomp`], pure) and how the process is started ([`spawn`]).

pub mod bwrap;
pub mod environment;
pub mod profile;
pub mod seccomp;
pub mod spawn;
pub mod spec;
pub mod surroundings;
