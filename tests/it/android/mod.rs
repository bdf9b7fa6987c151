//! Android devices, each by its own protocol.

mod agent;
mod certificate;
mod certificates;
mod command_line;
mod hostile;
mod launcher;
mod launcher_answers;
mod launcher_code;
mod launcher_hostile;
mod launcher_package;
pub mod launcher_stage;
mod orders;
mod servers;
mod story;
