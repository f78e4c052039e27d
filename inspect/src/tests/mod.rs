//! Test suites of foreign projects: `detect` finds them, `command` says how to run one, and `parse` reads what the run
//! printed and wrote into exact names. One file a kind: `cargo`, `npm` (with `npm_script` and `npm_report`), `pytest`, `go`, `make`;
//! `tap` is a format several of them share. The caller runs the command and writes and reads the files it names.

pub mod cargo;
pub mod command;
pub mod detect;
pub mod go;
pub mod make;
pub mod npm;
pub mod npm_report;
pub mod npm_script;
pub mod parse;
pub mod pytest;
pub mod report;
pub mod tap;

pub use command::{TestCommand, command};
pub use detect::{Suite, SuiteKind, detect};
pub use parse::{finish, parse};
pub use report::{FailingTest, SuiteReport, TestsReport, total};
