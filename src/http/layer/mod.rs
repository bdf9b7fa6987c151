//! What happens to every request before and after its handler.

pub mod body;
pub mod guard;
pub mod pages;
pub mod refusals;
pub mod trace;
