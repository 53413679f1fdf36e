//! What the command line asks for.

use std::ffi::OsString;
use std::path::PathBuf;

/// Printed for `--help`, and after an error in the arguments.
pub const USAGE: &str = "\
Runs a real Kubernetes control plane on this machine: etcd, kube-apiserver, kube-controller-manager.

  control-plane exec [--] COMMAND [ARGUMENT...]
      Starts one, runs the command with KUBECONFIG set and kubectl on its PATH, stops it,
      and exits with the command's code.
      With CLUSTER=current in the environment: runs the command against the current context
      of your own kubeconfig, and starts nothing.
  control-plane serve [--folder FOLDER] [--while-stdin-open]
      Runs one until ^C or SIGTERM; with --while-stdin-open also until the standard input ends.
      FOLDER is made, stays, and may be served again.
  control-plane up
      Starts one that stays, and says how to reach it.
  control-plane down
      Stops that one, and removes its data.

KUBEBUILDER_ASSETS  a folder with programs to use in place of the built ones
CONTROL_PLANE_KEEP  if set, the folder of a stopped control plane (logs, data) stays
";

/// A subcommand with its arguments.
#[derive(Debug)]
pub enum Subcommand {
    /// Run a control plane in the foreground.
    Serve {
        /// Where it lives.
        folder: Option<PathBuf>,
        /// Whether the end of standard input stops it.
        while_stdin_open: bool,
    },
    /// Start one that stays.
    Up,
    /// Stop that one.
    Down,
    /// Run a command against one.
    Exec {
        /// The program.
        program: OsString,
        /// Its arguments.
        arguments: Vec<OsString>,
    },
    /// Say how this is used.
    Help,
}

/// Reads the arguments behind the program's name.
///
/// # Errors
/// What is wrong with them.
pub fn parse(mut arguments: impl Iterator<Item = OsString>) -> Result<Subcommand, String> {
    let Some(name) = arguments.next() else {
        return Err("a subcommand is missing".to_owned());
    };
    match name.to_str() {
        Some("serve") => serve(arguments),
        Some("exec") => exec(arguments),
        Some("up") => alone(arguments, Subcommand::Up),
        Some("down") => alone(arguments, Subcommand::Down),
        Some("help" | "--help" | "-h") => Ok(Subcommand::Help),
        _ => Err(format!("there is no subcommand {}", name.display())),
    }
}

fn serve(mut arguments: impl Iterator<Item = OsString>) -> Result<Subcommand, String> {
    let mut folder = None;
    let mut while_stdin_open = false;
    while let Some(argument) = arguments.next() {
        match argument.to_str() {
            Some("--folder") => {
                let value = arguments.next().ok_or("--folder needs a folder")?;
                folder = Some(PathBuf::from(value));
            }
            Some("--while-stdin-open") => while_stdin_open = true,
            _ => return Err(format!("serve has no argument {}", argument.display())),
        }
    }
    Ok(Subcommand::Serve { folder, while_stdin_open })
}

fn exec(arguments: impl Iterator<Item = OsString>) -> Result<Subcommand, String> {
    let mut arguments = arguments.peekable();
    let _ = arguments.next_if(|argument| argument == "--");
    let program = arguments.next().ok_or("exec needs a command")?;
    Ok(Subcommand::Exec { program, arguments: arguments.collect() })
}

fn alone(mut arguments: impl Iterator<Item = OsString>, subcommand: Subcommand) -> Result<Subcommand, String> {
    match arguments.next() {
        None => Ok(subcommand),
        Some(argument) => Err(format!("unexpected argument {}", argument.display())),
    }
}
