//! What handlers ask for in their arguments.

pub mod admin;
pub mod caller;
pub mod form;
