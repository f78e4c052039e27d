//! Documents into text for people. Pure: nothing here writes or asks. Everything that came from
//! elsewhere goes through [`text::safe`], so that it cannot drive the terminal.

pub mod clarify;
pub mod dead;
pub mod list;
pub mod live;
pub mod page;
pub mod plan;
pub mod question;
pub mod result;
pub mod status;
pub mod text;
