//! Documents into text for people. Pure: nothing here writes or asks. Everything that came from
//! elsewhere goes through [`text::safe`], so that it cannot drive the terminal.

pub mod answer;
pub mod apart;
pub mod approvals;
pub mod audit;
pub mod clarify;
pub mod costs;
pub mod dead;
pub mod fold;
pub mod list;
pub mod live;
pub mod markdown;
pub mod page;
pub mod paint;
pub mod plain;
pub mod plan;
pub mod playbook;
pub mod proposal;
pub mod question;
pub mod result;
pub mod schedule;
pub mod sheet;
pub mod status;
pub mod table;
pub mod text;
pub mod turn;
pub mod wrap;
