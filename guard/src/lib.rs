//! The safety core. A call becomes an [`act::Act`] by a pure [`plan`]; the [`gate`] judges it and is
//! the only maker of a `Leave`; the [`executor`] takes act and leave and carries it out inside a
//! [`sandbox`] over a [`clone`] of the workspace. [`apply`] brings a patch home, [`redact`] keeps
//! secrets out of what leaves, and [`masks`] puts them back where they stood.
//!
//! Walls kept here: a tool runs only with a leave that is bound to that very act; workspace code
//! (git included) runs only in the sandbox; nothing in a sandbox is uid 0 or holds a capability;
//! what is inside dies with its holder's pipe or when the holder stops extending the deadline.

pub mod act;
pub mod apply;
pub mod bring;
pub mod clone;
pub mod control_files;
pub mod deadline;
pub mod duty;
pub mod executor;
pub mod gate;
pub mod host_view;
pub mod launcher;
pub mod masks;
pub mod outside;
pub mod plan;
pub mod proxy;
pub mod redact;
pub mod sandbox;
mod shown;
pub mod trial;
