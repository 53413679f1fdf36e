//! `completion`: what a shell has to know to complete the command, and the answers to kubectl's questions.

pub mod names;

use super::{
    outcome::{CommandFailure, Outcome},
    print,
    program::CommandName,
};
use clap::Args;
use clap_complete::{CompleteEnv, CompletionCandidate, Shell, engine, env::Shells};
use std::{env, ffi::OsString, io};

/// Prints the script by which a shell completes the command
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  entitlement-operator completion bash > ~/.local/share/bash-completion/completions/entitlement-operator
  entitlement-operator completion zsh > \"${fpath[1]}/_entitlement-operator\"
  entitlement-operator completion fish > ~/.config/fish/completions/entitlement-operator.fish

kubectl completes its plugins by itself, if the program has a second name in the PATH:
  ln -s kubectl-entitlements kubectl_complete-entitlements")]
pub struct CompletionArguments {
    /// Which shell
    shell: Shell,
}

/// What a shell sets, to its own name, when it asks how a command line goes on.
const VARIABLE: &str = "ENTITLEMENT_OPERATOR_COMPLETE";

/// Prints a shell's completion.
pub fn completion(arguments: &CompletionArguments, program: CommandName) -> Result<Outcome, CommandFailure> {
    let shells = Shells::builtins();
    let mut script = Vec::new();
    // This completes the name of a file, and so never `kubectl entitlements`, which kubectl completes.
    let name = program.file_name();
    if let Some(shell) = shells.completer(&arguments.shell.to_string()) {
        let written = shell.write_registration(VARIABLE, name, name, name, &mut script);
        written.map_err(|error| CommandFailure::System { action: "completion", error })?;
    }
    print(&script).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(Outcome::Valid)
}

/// Answers a shell that asks how a command line goes on; otherwise nothing is done.
pub fn complete_for_shell(program: CommandName, words: &[OsString]) -> Option<Result<Outcome, CommandFailure>> {
    let folder = env::current_dir().ok();
    let answer = CompleteEnv::with_factory(|| program.command()).var(VARIABLE).try_complete(words, folder.as_deref());
    match answer {
        Ok(false) => None,
        Ok(true) => Some(Ok(Outcome::Valid)),
        Err(error) => Some(Err(CommandFailure::System { action: "completion", error: io::Error::other(error) })),
    }
}

/// kubectl is not to offer files besides.
const NO_FILES: u8 = 4;
/// kubectl is not to add a space.
const NO_SPACE: u8 = 2;

/// Prints how the last one of the plugin's arguments could go on, as kubectl wants it: a line for each, and one that says
/// what to do with them.
pub fn complete_for_kubectl(arguments: Vec<OsString>) -> Result<Outcome, CommandFailure> {
    let system = |error| CommandFailure::System { action: "completion", error };
    let last = arguments.len().saturating_sub(1);
    let is_option = arguments.last().is_some_and(|word| word.to_string_lossy().starts_with('-'));
    let folder = env::current_dir().ok();
    let candidates = engine::complete(&mut CommandName::Plugin.command(), arguments, last, folder.as_deref());
    let candidates: Vec<CompletionCandidate> = candidates
        .map_err(system)?
        .into_iter()
        .filter(|candidate| !candidate.is_hide_set() && (is_option || !names_option(candidate)))
        .collect();
    let is_folder = |candidate: &CompletionCandidate| candidate.get_value().to_string_lossy().ends_with('/');
    let directive = if candidates.iter().any(is_folder) { NO_FILES | NO_SPACE } else { NO_FILES };
    let lines: String = candidates.iter().map(line).collect();
    print(format!("{lines}:{directive}\n")).map_err(system)?;
    Ok(Outcome::Valid)
}

/// kubectl offers options only where one is begun.
fn names_option(candidate: &CompletionCandidate) -> bool {
    candidate.get_value().to_string_lossy().starts_with('-')
}

fn line(candidate: &CompletionCandidate) -> String {
    let value = candidate.get_value().to_string_lossy();
    match candidate.get_help().map(ToString::to_string) {
        Some(help) => format!("{value}\t{}\n", help.lines().next().unwrap_or_default()),
        None => format!("{value}\n"),
    }
}
