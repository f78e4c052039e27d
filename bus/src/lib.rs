//! The bus: how the team's processes hand each other work over Redis and never lose or double it.
//! Start at `connect` (the handle everything hangs on) and `keys` (every Redis key, named once).
//! A task's way: `publish` queues it, `claim` makes one process its holder, `lease` keeps or gives
//! back the claim, `assignment` says who works on what, `park` lets it wait, `words` are what people say to it, `finish` ends it, `journal` remembers its steps, `cancel`
//! stops it, `dead_letter` keeps what nobody can read. The supervisor reads results through
//! `outflow` and questions through `ask`; `brakes` freeze and pause; `broadcast` is a hint,
//! `presence` a sign of life, `budget` the only maker of a `Reservation`,
//! `address` is where Redis is, `blob` carries what is too large for a message from another host,
//! `host` is the word of another host's daemon and `orders` what it is to do there, `queue` counts what waits, `room` is the memory that is left, `place` is where a task may lie, `acl` says who may touch which key. Every decision that must be
//! atomic is a Lua script beside `scripts`; `group_reader` is the blocking read they share;
//! `examine` looks at a Redis of the person's own; `incarnation` says whether this Redis is the one the ledger knows; `spoiled` puts right what an agent made unreadable; `fault` leaves a guarantee out where a test asks for it.

pub mod acl;
pub mod address;
pub mod anchor;
pub mod ask;
pub mod assignment;
pub mod blob;
pub mod brakes;
pub mod broadcast;
pub mod budget;
pub mod cancel;
pub mod claim;
pub mod connect;
pub mod dead_letter;
pub mod error;
pub mod examine;
mod fault;
pub mod finish;
mod group_reader;
pub mod hand_off;
pub mod host;
pub mod incarnation;
pub mod journal;
pub mod keys;
pub mod lease;
pub mod orders;
pub mod outflow;
pub mod park;
mod place;
pub mod presence;
pub mod publish;
pub mod queue;
pub mod room;
pub mod scripts;
mod spoiled;
pub mod words;
