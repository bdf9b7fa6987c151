//! What is shipped beside the program: the unit, the container, the configuration, the proxy.

mod files;
mod nginx;
mod notify;

use std::path::{Path, PathBuf};

/// A file of the repository.
fn source(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file of the repository.
fn text(path: &str) -> String {
    std::fs::read_to_string(source(path)).unwrap()
}
