//! The words everyone shares: plain types, the one table of legal moves, and the wire forms.
//! No IO lives here (a tidy test keeps it so). Open `envelope` for what travels on the bus,
//! `task_state` for how a task may move, `criterion` for what "done" means, `control` for what
//! the command line says to the supervisor, `document` for what `--json` prints.

pub mod acts;
pub mod answer;
pub mod approval;
pub mod attachment;
pub mod audit;
pub mod backup;
pub mod board;
pub mod branch;
pub mod control;
pub mod costs;
pub mod criterion;
pub mod document;
pub mod duty;
pub mod effect;
pub mod envelope;
pub mod exit;
pub mod fault;
pub mod ids;
pub mod journal;
pub mod level;
pub mod limits;
pub mod memory;
pub mod money;
pub mod order;
pub mod peer;
pub mod phase;
pub mod plan;
pub mod postgres;
pub mod prices;
pub mod proposal;
pub mod question;
pub mod rating;
pub mod registry;
pub mod report;
pub mod schedule;
pub mod submit;
pub mod talk;
pub mod task;
pub mod task_state;
pub mod text;
pub mod tool;
pub mod trace;
pub mod walls;
pub mod word;
pub mod workspace;
