//! How records are found. `embedded` is a full-text index inside this process; it is made from
//! the files and never holds what they do not.

pub mod embedded;
