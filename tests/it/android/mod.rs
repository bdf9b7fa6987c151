//! Android devices, each by its own protocol.

mod certificate;
mod launcher;
mod launcher_answers;
mod launcher_code;
mod launcher_hostile;
mod launcher_package;
mod launcher_stage;
mod orders;
