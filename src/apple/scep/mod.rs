//! SCEP.
