//! Other hosts of the team: `roll` is who was invited, `invite` lets a host in and puts it out,
//! `watch` looks whether they are there, `fate` decides what that means, `lines` shows them.

pub mod fate;
pub mod invite;
pub mod lines;
pub mod roll;
pub mod watch;
