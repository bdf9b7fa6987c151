//! Enlist.

pub mod simulator;
