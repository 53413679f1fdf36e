//! Runs a real Kubernetes control plane on this machine, for as long as a command runs, or until told otherwise.
#![allow(clippy::print_stderr, reason = "a tool talks to its user")]

mod arguments;
mod cluster;
mod events;
mod exec;
#[path = "plane.rs"]
mod plane;
mod serve;

use std::env;
use std::error::Error;
use std::process::ExitCode;

use arguments::{Subcommand, USAGE};

fn main() -> ExitCode {
    let subcommand = match arguments::parse(env::args_os().skip(1)) {
        Ok(subcommand) => subcommand,
        Err(message) => {
            eprintln!("control-plane: {message}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(subcommand) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("control-plane: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(subcommand: Subcommand) -> Result<ExitCode, Box<dyn Error>> {
    match subcommand {
        Subcommand::Serve { folder, while_stdin_open } => serve::run(folder, while_stdin_open),
        Subcommand::Up => cluster::up(),
        Subcommand::Down => cluster::down(),
        Subcommand::Exec { program, arguments } => exec::run(&program, &arguments),
        Subcommand::Help => {
            serve::say(USAGE)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}
