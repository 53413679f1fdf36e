//! The command `entitlement-operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    entitlement_operator::cli::execute(std::env::args_os())
}
