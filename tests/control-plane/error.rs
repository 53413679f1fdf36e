//! Why a control plane could not do what was asked of it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What went wrong with a control plane.
#[derive(Debug)]
pub enum PlaneError {
    /// A program of the control plane is not there.
    NotBuilt {
        /// The program's name.
        program: &'static str,
        /// Where it was looked for.
        looked_for: Vec<PathBuf>,
    },
    /// The operating system refused something.
    Io {
        /// What was being done, to which file.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// A key could not be made.
    Key(rcgen::Error),
    /// A folder that was named belongs to a control plane that runs.
    InUse(PathBuf),
    /// No free pair of ports was found.
    NoPorts,
    /// A program ended that should run.
    Ended {
        /// The program's name.
        program: &'static str,
        /// Its log.
        log: PathBuf,
        /// The last lines of its log.
        said: String,
    },
    /// Something did not come about in time.
    Late {
        /// What was waited for.
        awaited: &'static str,
        /// For how long.
        within: Duration,
        /// What was seen last.
        last: String,
    },
    /// kubectl failed.
    Kubectl {
        /// Its arguments.
        arguments: String,
        /// What it wrote to standard error.
        said: String,
    },
}

impl PlaneError {
    /// Makes an error of what the system said of `doing` something to `path`.
    pub fn io(doing: &str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let doing = format!("{doing} {}", path.display());
        |source| Self::Io { doing, source }
    }
}

impl fmt::Display for PlaneError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotBuilt { program, looked_for } => {
                write!(out, "{program} is not there: looked for")?;
                for path in looked_for {
                    write!(out, " {}", path.display())?;
                }
                write!(out, "; build it with `make control-plane` (tests/control-plane/build.sh)")
            }
            Self::Io { doing, source } => write!(out, "{doing}: {source}"),
            Self::Key(source) => write!(out, "making a key: {source}"),
            Self::InUse(folder) => write!(
                out,
                "{} is in use by a control plane that runs; stop that one, or name another folder",
                folder.display()
            ),
            Self::NoPorts => write!(
                out,
                "no free ports on 127.0.0.1 between 20000 and 29999; stop what uses them, \
                 and remove what was kept in target/control-plane/run"
            ),
            Self::Ended { program, log, said } => {
                write!(out, "{program} ended by itself; the end of {}:\n{said}", log.display())
            }
            Self::Late { awaited, within, last } => {
                write!(out, "{awaited}: not so within {} s; last seen: {last}", within.as_secs())
            }
            Self::Kubectl { arguments, said } => write!(out, "kubectl {arguments}: {said}"),
        }
    }
}

impl std::error::Error for PlaneError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Io { source, .. } => Some(source),
            Self::Key(source) => Some(source),
            _ => None,
        }
    }
}
