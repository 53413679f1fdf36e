//! A command that runs against a control plane which ends with it.

use std::env;
use std::error::Error;
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::ControlFlow;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode, ExitStatus};
use std::time::Duration;

use crate::events::{Event, Events};
use crate::plane::programs;
use crate::serve;

/// How long a command may go on after SIGTERM.
const GRACE: Duration = Duration::from_secs(10);

/// Runs the command, and returns its code.
///
/// # Errors
/// The control plane or the command does not start.
pub fn run(program: &OsStr, arguments: &[OsString]) -> Result<ExitCode, Box<dyn Error>> {
    let mut command = Command::new(program);
    command.args(arguments);
    match env::var("CLUSTER").unwrap_or_default().as_str() {
        "" => run_in_own(command),
        "current" => run_in_current(command),
        other => Err(format!(
            "CLUSTER={other} in the environment: the one value is `current`, \
             for the current context of your kubeconfig"
        )
        .into()),
    }
}

/// Becomes the command, so this returns at all only when that is not possible.
fn run_in_current(mut command: Command) -> Result<ExitCode, Box<dyn Error>> {
    // The user's own kubectl fits their cluster better.
    let usual = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(env::split_paths(&usual).chain(programs::folders()))?;
    let context = Command::new("kubectl")
        .args(["config", "current-context"])
        .env("PATH", &path)
        .output()
        .map_err(|error| format!("kubectl, to learn the current context: {error}"))?;
    if !context.status.success() {
        return Err("CLUSTER=current, and your kubeconfig has no current context: \
                    choose one with `kubectl config use-context`, or leave CLUSTER out"
            .into());
    }
    let context = String::from_utf8_lossy(&context.stdout);
    eprintln!("control-plane: using your cluster, context {}", context.trim());
    let error = command.env("PATH", path).exec();
    Err(cannot_run(&command, &error).into())
}

fn run_in_own(mut command: Command) -> Result<ExitCode, Box<dyn Error>> {
    let events = Events::listen()?;
    let plane = match serve::start(&events, None)? {
        ControlFlow::Continue(plane) => plane,
        ControlFlow::Break(code) => return Ok(code),
    };
    command
        .env("KUBECONFIG", plane.kubeconfig())
        // Else kubectl would remember under the user's home what an earlier plane at the same port served.
        .env("KUBECACHEDIR", plane.folder().join("cache"))
        .env("PATH", path()?);
    let child = command.spawn().map_err(|error| cannot_run(&command, &error))?;
    let status = await_end(&events, child)?;
    drop(plane);
    Ok(code(status))
}

/// A PATH on which the control plane's own kubectl comes first.
fn path() -> Result<OsString, env::JoinPathsError> {
    let usual = env::var_os("PATH").unwrap_or_default();
    env::join_paths(programs::folders().into_iter().chain(env::split_paths(&usual)))
}

fn cannot_run(command: &Command, error: &io::Error) -> String {
    format!("running {}: {error}", command.get_program().display())
}

/// Waits for the command. ^C has reached it as well, and is its own to judge; SIGTERM is passed on.
fn await_end(events: &Events, mut child: Child) -> io::Result<ExitStatus> {
    let id = child.id();
    events.after(move || Event::Ended(child.wait()));
    loop {
        match events.next() {
            Event::Ended(status) => return status,
            Event::Terminate => break,
            _ => {}
        }
    }
    send("TERM", id)?;
    while let Some(event) = events.next_within(GRACE) {
        if let Event::Ended(status) = event {
            return status;
        }
    }
    send("KILL", id)?;
    loop {
        if let Event::Ended(status) = events.next() {
            return status;
        }
    }
}

/// Sends a signal to the command, which is not waited for yet, so that its number is still its own.
fn send(signal: &str, id: u32) -> io::Result<()> {
    Command::new("kill").args(["-s", signal, &id.to_string()]).status().map(drop)
}

/// The command's code; for a signal, 128 and its number, as shells have it.
fn code(status: ExitStatus) -> ExitCode {
    let code =
        status.code().or_else(|| status.signal().map(|signal| 128 + signal)).and_then(|code| u8::try_from(code).ok());
    code.map_or(ExitCode::FAILURE, ExitCode::from)
}
