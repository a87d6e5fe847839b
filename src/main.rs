//! The `podgrace` binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    podgrace::cli::run()
}
