//! The command `entitlement-operator`: arguments, and what each subcommand does with them.

mod crds;
pub mod finding;
mod judgement;
pub mod manifests;
mod objects;
mod offline;
mod outcome;
mod render;
mod run;
mod validate;
mod webhook;

use crate::core::calendar::tz_release;
use clap::{Parser, Subcommand};
use std::{
    io::{self, Write},
    process::ExitCode,
    sync::LazyLock,
};

/// The version, with that of the time zone data that terms are reckoned with.
static VERSION: LazyLock<String> =
    LazyLock::new(|| format!("{} (time zones {})", env!("CARGO_PKG_VERSION"), tz_release()));

/// Turns what clients are entitled to into configuration in their namespaces.
#[derive(Debug, Parser)]
#[command(
    name = "entitlement-operator",
    version = VERSION.as_str(),
    about = "Turns what clients are entitled to into configuration in their namespaces",
    after_help = "Exit codes: 0 all accepted and valid, 1 something was refused or invalid, or failed, 2 usage or unreadable input.",
    arg_required_else_help = true,
    disable_help_subcommand = true
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(run::RunArguments),
    Crds(crds::CrdsArguments),
    Render(render::RenderArguments),
    Validate(validate::ValidateArguments),
}

impl Arguments {
    /// Does what the arguments ask for.
    #[must_use]
    pub fn execute(self) -> ExitCode {
        let outcome = match self.command {
            Command::Run(arguments) => run::run(arguments),
            Command::Crds(arguments) => crds::crds(&arguments),
            Command::Render(arguments) => render::render(&arguments),
            Command::Validate(arguments) => validate::validate(&arguments),
        };
        outcome
            .unwrap_or_else(|failure| {
                say(&format!("entitlement-operator: {failure}"));
                failure.outcome()
            })
            .into()
    }
}

/// Writes a line to standard error. Nothing can be done about a standard error that is closed.
fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{line}");
}

/// Writes to standard output. A reader that has seen enough, such as `head`, is no failure.
fn print(text: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_bytes()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
