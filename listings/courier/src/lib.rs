//! courier accepts events over HTTP, stores them durably, and delivers each one to its subscribers' URLs at least once, in
//! order for each key, however slow, broken, or hostile the receivers are.

// ANCHOR: modules
pub mod config;
pub mod deliver;
pub mod destinations;
pub mod dispatch;
pub mod event;
pub mod http;
pub mod listener;
pub mod metrics;
pub mod retry;
pub mod service;
pub mod sign;
pub mod store;
// ANCHOR_END: modules
