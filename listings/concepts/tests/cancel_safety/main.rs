//! Drops each call of the cancel-safety table before it ends, makes it again, and compares what is lost with
//! what the table says (cancel_safety.toml).

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
