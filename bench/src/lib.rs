//! Measurements: they print one table, measure what stands beside them in the same run, and
//! assert nothing. `bus` measures the bus beside redis-benchmark, `agent` a whole team, `queue` one with much to do,
//! `backup` backups beside restic, `walls` the sandbox.

pub mod agent;
pub mod backup;
pub mod bus;
pub mod machine;
pub mod memory_use;
pub mod numbers;
pub mod queue;
mod record;
pub mod table;
mod team;
pub mod walls;

pub use team::cut_off;
