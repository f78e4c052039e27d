//! Tickets: leave for one act, given by a person, used once. What is asked and what becomes of it is in
//! `ticket`, the file in `store` (written anew by `compact`), which tasks are over in `over`, what a person is shown in `shown`, what one signs in
//! `signed`, who may answer in `pin`.

mod compact;
pub mod over;
pub mod pin;
pub mod shown;
pub mod signed;
pub mod store;
pub mod ticket;
