//! Temporary folders that remove themselves.

use std::path::{Path, PathBuf};

/// A new folder, removed with everything in it when this is dropped.
#[derive(Debug)]
pub struct TempFolder(PathBuf);

impl TempFolder {
    /// A new folder whose name begins with this word.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("enlist-{name}-{}", uuid::Uuid::new_v4().simple()));
        std::fs::create_dir_all(&path).expect("a temporary folder can be made");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        // A test may have removed it already, which is as good.
        drop(std::fs::remove_dir_all(&self.0));
    }
}
