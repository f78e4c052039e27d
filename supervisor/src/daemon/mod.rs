//! The daemon, one a home: it starts Redis, the supervisor, the agents and the tmux windows, starts
//! again what dies, and stops everything on `down`. It holds no work of its own: killed at any
//! moment, the next one adopts what lives.
//!
//! `run` is the process and its one loop, `roster` what it knows of each process and what follows
//! from that (pure, with `restart`), `status` what it answers of that, `restart_one` an agent that a person wants anew, `place` how a process is started in a window or as a child,
//! `ready` how it is seen to be ready, `stop` how all is ended. `redis_server` and `redis_conf`
//! make the managed Redis, `certificates` lets other hosts know it; `team` says which processes
//! there are, `joined` is the daemon of another host; `serve` answers on `run/daemon.sock`; `start` is what `up` does, `unit` asks systemd where an
//! installation wants that;
//! `watch` is how the supervisor, and every agent where
//! that is dead too, brings a dead daemon back; `release` frees what a dead agent held; `disk`, `identity`, `mode`, `lock`, `process`
//! and `environment` are the small facts they share.

pub mod certificates;
pub mod disk;
pub mod environment;
pub mod error;
pub mod handed;
pub mod identity;
mod joined;
mod ledger;
pub mod lock;
pub mod mode;
mod own;
pub mod place;
pub mod process;
pub mod ready;
pub mod redis_conf;
pub mod redis_server;
pub mod release;
pub mod restart;
mod restart_one;
pub mod roster;
pub mod run;
pub mod serve;
pub mod start;
mod status;
pub mod stop;
mod team;
pub mod unit;
pub mod watch;

pub use run::run;

pub use config::own::instance as instance_name;
