//! One program of a control plane, which cannot outlive the process that started it.
//!
//! The shell script beside this file waits on a pipe. The kernel closes the pipe when the owner ends, be it by SIGKILL,
//! and std opens it with `CLOEXEC`, so no other child of the owner can hold it open.

use std::ffi::{OsStr, OsString};
use std::io::{self, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::place::Place;

/// The script's text, to be written to [`script`] before the first start.
pub const SCRIPT: &str = include_str!("supervise.sh");

/// Where a plane has its copy of the script: an edit of the original must not reach a shell that runs it.
pub fn script(place: &Place) -> PathBuf {
    place.folder.join("supervise.sh")
}

/// How a program is asked to end.
#[derive(Clone, Copy, Debug)]
pub enum Order {
    /// SIGTERM, and SIGKILL after three seconds.
    Stop,
    /// SIGKILL.
    Kill,
}

/// A program that runs, or has run.
pub struct Supervised {
    shell: Child,
}

impl Supervised {
    /// Starts a program, whose output goes to `<name>.log` in the place's folder.
    pub fn start(place: &Place, name: &str, program: &Path, arguments: &[OsString]) -> io::Result<Self> {
        let (slot, folder) = place.locks()?;
        let abandoned = if place.lasting { "stop" } else { "discard" };
        let shell = Command::new("sh")
            .arg(script(place))
            .args([place.folder.as_os_str(), OsStr::new(name), OsStr::new(abandoned)])
            .arg(program)
            .args(arguments)
            // A plane lives for minutes on a machine with more memory than time: what it throws away is collected seldom.
            .envs([("GOGC", "400"), ("GOMEMLIMIT", "1GiB")])
            .stdin(Stdio::piped())
            .stdout(slot)
            .stderr(folder)
            // ^C goes to the whole group of the terminal: a plane ends when its owner does, and not before.
            .process_group(0)
            .spawn()?;
        Ok(Self { shell })
    }

    /// Ends the program and waits until it is gone.
    pub fn end(mut self, order: Order) -> io::Result<()> {
        if let Some(pipe) = &mut self.shell.stdin {
            let line: &[u8] = match order {
                Order::Stop => b"stop\n",
                Order::Kill => b"kill\n",
            };
            // A program that has ended by itself takes no orders.
            match pipe.write_all(line) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(error),
                _ => {}
            }
        }
        self.shell.wait().map(drop)
    }

    /// Lets the program end as it would if the owner were gone, without waiting.
    pub fn abandon(&mut self) {
        self.shell.stdin = None;
    }

    /// Waits until the program is gone.
    pub fn wait(&mut self) -> io::Result<()> {
        self.shell.wait().map(drop)
    }

    /// Whether the program has ended.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        Ok(self.shell.try_wait()?.is_some())
    }
}
