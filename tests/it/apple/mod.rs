//! Apple devices, played against a whole server.

mod invariants;
