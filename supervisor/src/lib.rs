//! The supervisor: the one writer of the ledger, the owner of MEMORY, and the front desk of a team.
//!
//! A request walks `control` (the unix socket) -> `intake` (checked) -> `route` (who, and how) ->
//! `ledger` (kept) -> `dispatch` (to the bus, again and again until it is there). What agents
//! report walks `settle` -> `ledger` -> `follow` (woken by `hub`). `run` is the process
//! and its loops, `desk` what they share, `bus_link` the way to a Redis that may be away,
//! `compare` whether it is the one the ledger knows, `month` what it must know of the money, `ledger_watch` whether a ledger on a server would take a write, `retention` lets go of what is old.
//! `again` does an ended task once more, `approvals` lets tasks go on whose ticket the warden has settled, `notices` tells a person elsewhere that something waits, `deadlines` is the clock of tasks, `assigned` tells the bus what it was not told of tasks of an older team, `anchor` remembers how far the record of acts goes, `brakes` freeze the team and pause roles, `paused` is about single tasks, `rate` is what people think of results, `spoiled` keeps what one role made unreadable in Redis from holding up the others, `dead` lists and replays what nobody could finish, `schedules` begins jobs by themselves.
//! `daemon` starts and restarts every process, `tmux` gives them windows, `client` is how the
//! command line talks to both.

pub mod again;
mod anchor;
mod approvals;
mod assigned;
pub(crate) mod attached;
pub mod backups;
pub mod board;
pub mod brakes;
pub mod bus_link;
pub mod client;
pub mod compare;
pub mod control;
mod costs;
pub mod daemon;
pub mod dead;
pub mod deadlines;
pub mod desk;
pub mod dispatch;
pub mod follow;
pub mod handoff;
pub mod hosts;
pub mod hub;
pub mod intake;
pub mod ledger;
mod ledger_watch;
mod masked;
pub mod memory_owner;
mod month;
mod notices;
pub mod patches;
pub mod paused;
mod pinned;
pub mod plans;
pub mod principal;
pub mod propose;
pub mod rate;
pub mod recent;
pub mod restored;
mod retention;
pub mod route;
pub mod run;
pub mod schedules;
pub mod settle;
mod spoiled;
mod standing;
pub mod status;
pub(crate) mod talk;
pub mod tmux;
mod words;
pub mod workspaces;
mod yaml_folder;
