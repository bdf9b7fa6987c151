//! The use cases that exist on Android only: the methods of enrollment, and what each of them begins with.

pub mod agent;
pub mod certificate;
pub mod identity;
pub mod launcher;
pub mod method;
pub mod passcode;
