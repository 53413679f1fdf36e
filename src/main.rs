//! The command `entitlement-operator`.

use clap::Parser;
use entitlement_operator::cli::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    Arguments::parse().execute()
}
