//! What Apple devices speak.

pub mod scep;
