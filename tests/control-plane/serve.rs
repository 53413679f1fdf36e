//! A control plane in the foreground.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write as _};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::time::Duration;

use crate::events::{Event, Events};
use crate::plane::{Plane, PlaneError, PlaneOptions, programs};

/// The file in a plane's folder that has the number of the process which serves it, from the moment it is at work.
pub const PROCESS_FILE: &str = "serve.pid";

/// Serves until ^C, SIGTERM, or the end of standard input where that is asked for.
///
/// # Errors
/// The control plane does not start.
pub fn run(folder: Option<PathBuf>, while_stdin_open: bool) -> Result<ExitCode, Box<dyn Error>> {
    let folder = folder.map(std::path::absolute).transpose()?;
    let events = Events::listen()?;
    if while_stdin_open {
        events.watch_stdin();
    }
    let plane = match start(&events, folder)? {
        ControlFlow::Continue(plane) => plane,
        ControlFlow::Break(code) => return Ok(code),
    };
    let process_file = plane.folder().join(PROCESS_FILE);
    fs::write(&process_file, process::id().to_string()).map_err(PlaneError::io("writing", &process_file))?;
    say(&format!("{}Stop it: ^C\n", how_to_reach(plane.kubeconfig())))?;
    while matches!(events.next(), Event::Started(_) | Event::Ended(_)) {}
    fs::remove_file(&process_file).map_err(PlaneError::io("removing", &process_file))?;
    drop(plane);
    Ok(ExitCode::SUCCESS)
}

/// Starts a control plane. A signal before it is at work breaks off, with the exit code that shells give to it.
///
/// # Errors
/// It does not start.
pub fn start(events: &Events, folder: Option<PathBuf>) -> Result<ControlFlow<ExitCode, Box<Plane>>, PlaneError> {
    let options = PlaneOptions { folder, ..PlaneOptions::default() };
    events.after(|| Event::Started(Plane::start(options).map(Box::new)));
    let code = loop {
        match events.next() {
            Event::Started(plane) => return plane.map(ControlFlow::Continue),
            Event::Interrupt => break 130,
            Event::Terminate => break 143,
            Event::StdinEnded => break 0,
            Event::Ended(_) => {}
        }
    };
    give_up(events);
    Ok(ControlFlow::Break(ExitCode::from(code)))
}

/// Waits for a start that is under way, so that its processes have ended when this one does. A further signal ends the
/// waiting; they end in any case, soon after.
fn give_up(events: &Events) {
    while let Some(event) = events.next_within(Duration::from_secs(10)) {
        match event {
            Event::Started(_) | Event::Interrupt | Event::Terminate => return,
            Event::StdinEnded | Event::Ended(_) => {}
        }
    }
}

/// The lines that make a shell's kubectl speak to a control plane.
pub fn how_to_reach(kubeconfig: &Path) -> String {
    let mut lines = format!("export KUBECONFIG={}\n", kubeconfig.display());
    for folder in programs::folders().iter().rev() {
        let _ = writeln!(lines, "export PATH={}:$PATH", folder.display());
    }
    lines
}

/// Writes to standard output; `println` would panic where nobody reads it any more.
///
/// # Errors
/// It cannot be written.
pub fn say(text: &str) -> Result<(), PlaneError> {
    let mut stdout = io::stdout().lock();
    stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
        .map_err(PlaneError::io("writing to", Path::new("standard output")))
}
