//! Other hosts of the team: `roll` is who was invited, `invite` lets a host in and puts it out.

pub mod invite;
pub mod roll;
