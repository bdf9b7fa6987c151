//! Everything that is reached over HTTP.

pub mod page;
pub mod portal;
