//! Enlist.
fn main() {}
