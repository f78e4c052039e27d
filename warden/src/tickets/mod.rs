//! Tickets: leave for one act, given by a person, used once. What is asked and what becomes of it is in
//! `ticket`, the file in `store`, what a person is shown in `shown`, who may answer in `pin`.

pub mod pin;
pub mod shown;
pub mod store;
pub mod ticket;
