//! What handlers ask for in their arguments.

pub mod caller;
