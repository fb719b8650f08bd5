//! Drops each call of the cancel-safety table before it completes, makes the call again, and compares what is lost
//! with the table (cancel_safety.toml).

mod channels;
mod clients;
mod reading;
mod row;
mod streams;
mod system;
mod tasks;
mod time;
mod waiting;
mod writing;
