//! The one control plane that stays until it is taken down.

use std::env;
use std::error::Error;
use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use crate::plane::{PlaneError, place, poll, programs};
use crate::serve::{self, PROCESS_FILE, say};

/// Longer than a plane's own deadlines for its processes, which say more when they pass.
const START: Duration = Duration::from_secs(400);
const STOP: Duration = Duration::from_secs(30);

fn folder() -> PathBuf {
    programs::home().join("cluster")
}

/// Starts it, and returns when it is at work. One that runs already is left alone.
///
/// # Errors
/// It does not start; the message has what it said.
pub fn up() -> Result<ExitCode, Box<dyn Error>> {
    let folder = folder();
    if place::is_in_use(&folder)? {
        let id = process(&folder).ok_or("the control plane is starting or stopping: try again")?;
        say(&format!("The control plane runs already, as process {id}.\n{}", usage(&folder)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let log = programs::home().join("cluster.log");
    let mut child = serve_detached(&folder, &log)?;
    let id = child.id();
    poll::until(START, || {
        if process(&folder) == Some(id) {
            return Ok(Ok(()));
        }
        match child.try_wait() {
            Ok(None) => Err("it does not run yet"),
            _ => Ok(Err(said(&log))),
        }
    })??;
    say(&format!("The control plane runs, as process {id}.\n{}", usage(&folder)?))?;
    Ok(ExitCode::SUCCESS)
}

/// Stops it, and removes its data.
///
/// # Errors
/// It does not end.
pub fn down() -> Result<ExitCode, Box<dyn Error>> {
    let folder = folder();
    if place::is_in_use(&folder)? {
        let id = process(&folder).ok_or("the control plane is starting or stopping: try again")?;
        let status = Command::new("kill").arg(id.to_string()).status()?;
        if !status.success() {
            return Err(format!("process {id} cannot be stopped").into());
        }
        poll::until(STOP, || match place::is_in_use(&folder) {
            Ok(true) => Err(format!("process {id} does not end")),
            other => Ok(other),
        })??;
        say("The control plane is stopped.\n")?;
    } else {
        say("No control plane runs.\n")?;
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(PlaneError::io("removing", &folder))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn serve_detached(folder: &Path, log: &Path) -> Result<Child, Box<dyn Error>> {
    // A number in it from before a crash of the machine may be another process' today.
    let process_file = folder.join(PROCESS_FILE);
    if process_file.exists() {
        fs::remove_file(&process_file).map_err(PlaneError::io("removing", &process_file))?;
    }
    fs::create_dir_all(programs::home()).map_err(PlaneError::io("creating", log))?;
    let output = File::create(log).map_err(PlaneError::io("creating", log))?;
    let tool = env::current_exe()?;
    let child = Command::new("sh")
        // Else it would end with the terminal.
        .args(["-c", r#"trap "" HUP; exec "$@""#, "serve"])
        .arg(tool)
        .args(["serve", "--folder"])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .process_group(0)
        .spawn()?;
    Ok(child)
}

/// The process that serves the folder, once it does.
fn process(folder: &Path) -> Option<u32> {
    let text = fs::read_to_string(folder.join(PROCESS_FILE)).ok()?;
    text.parse().ok()
}

/// What a process wrote that has ended.
fn said(log: &Path) -> String {
    let said = fs::read_to_string(log).unwrap_or_default();
    format!("it did not start:\n{}", said.trim())
}

fn usage(folder: &Path) -> Result<String, Box<dyn Error>> {
    let reach = serve::how_to_reach(&folder.join("kubeconfig"));
    let tool = env::current_exe()?;
    Ok(format!("{reach}Stop it: {} down\n", tool.display()))
}
