//! What the stories need: a team in a home of its own, small projects of several languages, and
//! eyes on the process table. `cases/` holds one story a file; `tidy` keeps the walls.

pub mod processes;
pub mod projects;
pub mod team;
