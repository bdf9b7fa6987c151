//! The `enlist` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    enlist::cli::run()
}
