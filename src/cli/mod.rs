//! The command `entitlement-operator`: its arguments, and what each subcommand does with them.

mod change;
mod check;
mod checks;
mod cluster;
mod columns;
mod completion;
mod concern;
mod connection;
mod crds;
mod days;
mod diagnostics;
mod documents;
mod environment;
mod explain;
mod grant;
mod installation;
mod judgement;
mod leadership;
mod man;
pub mod manifests;
mod moment;
mod objects;
mod observability;
mod offline;
mod outcome;
mod overrides;
mod program;
mod progress;
mod prometheus;
mod render;
mod run;
mod schema;
mod served;
mod show;
mod size;
mod store;
mod suggestions;
mod swallowed;
mod terminal;
mod text;
mod time_zones;
mod timeline;
mod usage;
mod validate;
mod webhook;

use clap::{FromArgMatches, Parser, Subcommand};
use outcome::{CommandFailure, Outcome};
use program::CommandName;
use std::{
    ffi::OsString,
    io::{self, Write},
    process::ExitCode,
};
use time_zones::{TimeZoneArguments, ZonesInUse};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Turns what clients are entitled to into configuration in their namespaces.
#[derive(Debug, Parser)]
#[command(
    name = "entitlement-operator",
    version = VERSION,
    disable_version_flag = true,
    about = "Turns what clients are entitled to into configuration in their namespaces",
    after_help = "Exit codes: 0 all accepted and valid, 1 something was refused or invalid, or failed, 2 usage, unreadable input, or a cluster that cannot be looked at.",
    arg_required_else_help = true,
    max_term_width = 0,
    disable_help_subcommand = true
)]
pub struct Arguments {
    /// Prints the version, and the release of the time zone data that is used
    #[arg(short = 'V', long)]
    version: bool,
    #[command(flatten)]
    time_zones: TimeZoneArguments,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(Box<run::RunArguments>),
    Manifests(installation::ManifestsArguments),
    Crds(crds::CrdsArguments),
    Schema(schema::SchemaArguments),
    Render(render::RenderArguments),
    Validate(validate::ValidateArguments),
    Timeline(timeline::TimelineArguments),
    Explain(explain::ExplainArguments),
    Check(check::CheckArguments),
    Show(show::ShowArguments),
    Grant(grant::GrantArguments),
    Suspend(grant::SuspendArguments),
    Resume(grant::ResumeArguments),
    Cancel(grant::CancelArguments),
    Extend(grant::ExtendArguments),
    Renew(grant::RenewArguments),
    Change(grant::PlanChangeArguments),
    Approve(overrides::ApproveArguments),
    Deny(overrides::DenyArguments),
    Overrides(overrides::OverridesArguments),
    Store(store::StoreArguments),
    Usage(usage::UsageArguments),
    Completion(completion::CompletionArguments),
    Man(man::ManArguments),
}

/// Does what a command line asks for. Its first word is the name of the program.
#[must_use]
pub fn execute(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = words.into_iter().collect();
    let program = CommandName::of(words.first().map(OsString::as_os_str));
    let outcome = if program == CommandName::PluginCompletion {
        completion::complete_for_kubectl(words)
    } else if let Some(answered) = completion::complete_for_shell(program, &words) {
        answered
    } else {
        match program.command().try_get_matches_from(&words) {
            Ok(matches) => Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit()).execute(program),
            Err(error) => match environment::told(&error, &words) {
                Some(sentence) => Err(CommandFailure::Usage(sentence)),
                None => swallowed::told(error, &words).exit(),
            },
        }
    };
    let outcome = outcome.unwrap_or_else(|failure| {
        say(&format!("{}: {failure}", program.name()));
        failure.outcome()
    });
    outcome.into()
}

impl Arguments {
    fn execute(self, program: CommandName) -> Result<Outcome, CommandFailure> {
        let zones = self.time_zones.take_into_use();
        if self.version {
            return version(program, &zones?);
        }
        let Some(command) = self.command else { return Ok(told_usage(program)) };
        match command {
            Command::Run(arguments) => run::run(*arguments, &zones.unwrap_or_else(ZonesInUse::from)),
            Command::Manifests(arguments) => installation::manifests(&arguments),
            Command::Crds(arguments) => crds::crds(&arguments),
            Command::Schema(arguments) => schema::schema(&arguments),
            Command::Render(arguments) => {
                zones?;
                render::render(&arguments)
            }
            Command::Validate(arguments) => {
                zones?;
                validate::validate(&arguments)
            }
            Command::Timeline(arguments) => {
                zones?;
                timeline::timeline(&arguments)
            }
            Command::Explain(arguments) => {
                zones?;
                explain::explain(&arguments)
            }
            Command::Check(arguments) => {
                zones?;
                check::check(&arguments)
            }
            Command::Show(arguments) => {
                zones?;
                show::show(&arguments)
            }
            Command::Grant(arguments) => {
                zones?;
                grant::grant(&arguments)
            }
            Command::Suspend(arguments) => {
                zones?;
                grant::suspend(&arguments)
            }
            Command::Resume(arguments) => {
                zones?;
                grant::resume(&arguments)
            }
            Command::Cancel(arguments) => {
                zones?;
                grant::cancel(&arguments)
            }
            Command::Extend(arguments) => {
                zones?;
                grant::extend(&arguments)
            }
            Command::Renew(arguments) => {
                zones?;
                grant::renew(&arguments)
            }
            Command::Change(arguments) => {
                zones?;
                grant::change_plan(&arguments)
            }
            Command::Approve(arguments) => {
                zones?;
                overrides::approve(&arguments)
            }
            Command::Deny(arguments) => {
                zones?;
                overrides::deny(&arguments)
            }
            Command::Overrides(arguments) => {
                zones?;
                overrides::overrides(&arguments)
            }
            Command::Store(arguments) => store::store(&arguments),
            Command::Usage(arguments) => usage::usage(&arguments),
            Command::Completion(arguments) => completion::completion(&arguments, program),
            Command::Man(arguments) => man::man(&arguments, program),
        }
    }
}

fn version(program: CommandName, zones: &ZonesInUse) -> Result<Outcome, CommandFailure> {
    let line = format!("{} {VERSION} ({})\n", program.file_name(), zones.short());
    print(line).map_err(|error| CommandFailure::System { action: "standard output", error })?;
    Ok(Outcome::Valid)
}

/// No subcommand, and nothing else that was asked for: what clap says where no argument is given at all.
fn told_usage(program: CommandName) -> Outcome {
    let help = program.command().render_help();
    say(&help.to_string());
    Outcome::Unreadable
}

/// Writes a line to standard error. Nothing can be done about a standard error that is closed.
fn say(line: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", terminal::harmless(line));
}

/// Writes to standard output. A reader that has seen enough, such as `head`, is no failure.
fn print(text: impl AsRef<[u8]>) -> io::Result<()> {
    let mut output = io::stdout().lock();
    match output.write_all(text.as_ref()).and_then(|()| output.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}
