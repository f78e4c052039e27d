//! Other hosts of the team: `roll` is who was invited, `invite` lets a host in and puts it out,
//! `watch` looks whether they are there, `fate` decides what that means, `lines` shows them.
//! `carry_out` is the other end: what a host that joined does by order.

pub(crate) mod carry_out;
pub mod fate;
pub mod invite;
pub mod lines;
pub mod roll;
pub mod watch;
