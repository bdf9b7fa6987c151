//! Android devices: Enlist's own agent on the port for devices.

mod agent;
mod certificates;
mod hostile;
mod servers;
