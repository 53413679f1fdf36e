//! The name under which the command runs: its own, or as a plugin of kubectl.

use super::{Arguments, environment};
use clap::{Command, CommandFactory};
use std::{ffi::OsStr, path::Path};

/// What the command is run as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandName {
    /// `entitlement-operator`.
    Operator,
    /// `kubectl-entitlements`, which kubectl runs as `kubectl entitlements`.
    Plugin,
    /// `kubectl_complete-entitlements`, which kubectl asks how the plugin's arguments go on.
    PluginCompletion,
}

impl CommandName {
    /// The program that the name of its file says.
    #[must_use]
    pub fn of(executable: Option<&OsStr>) -> Self {
        let name = executable.and_then(|path| Path::new(path).file_stem()).and_then(OsStr::to_str);
        match name {
            Some("kubectl-entitlements") => Self::Plugin,
            Some("kubectl_complete-entitlements") => Self::PluginCompletion,
            _ => Self::Operator,
        }
    }

    /// What people type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "entitlement-operator",
            Self::Plugin | Self::PluginCompletion => "kubectl entitlements",
        }
    }

    /// The name of the file.
    #[must_use]
    pub fn file_name(self) -> &'static str {
        match self {
            Self::Operator => "entitlement-operator",
            Self::Plugin | Self::PluginCompletion => "kubectl-entitlements",
        }
    }

    /// The command as its users know it.
    #[must_use]
    pub fn command(self) -> Command {
        let command = environment::read(Arguments::command());
        if self == Self::Operator {
            return command;
        }
        let command = command.name(self.file_name()).display_name(self.file_name()).bin_name(self.name());
        let command = command.mut_subcommands(|subcommand| self.with_examples(subcommand));
        // Nobody runs the operator by way of kubectl, though nothing keeps them from it.
        command.mut_subcommand("run", |run| run.hide(true))
    }

    fn with_examples(self, command: Command) -> Command {
        let Some(help) = command.get_after_help().map(ToString::to_string) else { return command };
        let own = format!("{} ", Self::Operator.name());
        command.after_help(help.replace(&own, &format!("{} ", self.name())))
    }
}
