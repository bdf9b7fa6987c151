//! Enlist.
