//! The command `entitlement-operator`.

use std::process::ExitCode;

fn main() -> ExitCode {
    let _kill_points = entitlement_operator::kill_points::listen();
    entitlement_operator::cli::execute(std::env::args_os())
}
