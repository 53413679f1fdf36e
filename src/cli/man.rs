//! `man`: manual pages.

use super::{
    outcome::{CommandFailure, Outcome},
    print,
    program::CommandName,
};
use clap::{Args, Command};
use clap_mangen::Man;
use std::{fs, path::PathBuf};

/// Prints the manual page, or writes those of all subcommands
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator man | man -l -
  entitlement-operator man --output /usr/local/share/man/man1")]
pub struct ManArguments {
    /// A folder to write into: a page for each subcommand, and one for the whole
    #[arg(short, long, value_name = "FOLDER")]
    output: Option<PathBuf>,
}

/// Prints or writes manual pages.
pub fn man(arguments: &ManArguments, program: CommandName) -> Result<Outcome, CommandFailure> {
    let mut command = program.command();
    command.build();
    let Some(folder) = &arguments.output else {
        print(&page(command)?).map_err(|error| CommandFailure::System { action: "standard output", error })?;
        return Ok(Outcome::Valid);
    };
    let failed = |path: &PathBuf| {
        let path = path.clone();
        move |error| CommandFailure::Write { path, error }
    };
    fs::create_dir_all(folder).map_err(failed(folder))?;
    let subcommands: Vec<Command> =
        command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()).cloned().collect();
    for command in subcommands.into_iter().chain([command]) {
        let name = command.get_display_name().unwrap_or_else(|| command.get_name());
        let path = folder.join(format!("{name}.1"));
        let page = page(command)?;
        fs::write(&path, page).map_err(failed(&path))?;
    }
    Ok(Outcome::Valid)
}

fn page(command: Command) -> Result<Vec<u8>, CommandFailure> {
    let mut page = Vec::new();
    let written = Man::new(command).manual("Entitlement Operator").render(&mut page);
    written.map_err(|error| CommandFailure::System { action: "the manual page", error })?;
    Ok(page)
}
