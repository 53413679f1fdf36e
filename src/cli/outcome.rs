//! How a subcommand ends.

use super::{cluster::ClusterError, manifests::ReadError};
use crate::{connection::ConnectionError, controller::RunError, offline::Unclear, telemetry::LogError};
use std::{io, path::PathBuf, process::ExitCode};

/// How a subcommand ends, as its exit code says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is accepted and valid: 0.
    Valid,
    /// Something was refused or invalid, or failed: 1.
    Refused,
    /// Usage, or input that cannot be read: 2.
    Unreadable,
}

impl Outcome {
    /// The exit code.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Valid => 0,
            Self::Refused => 1,
            Self::Unreadable => 2,
        }
    }
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(outcome.code())
    }
}

/// Why a subcommand cannot do its work, whatever the manifests are.
#[derive(Debug, thiserror::Error)]
pub enum CommandFailure {
    /// The log cannot be set up as asked for.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The cluster cannot be reached.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// A cluster cannot be looked at.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The controller ended by itself.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A part of the operating system fails.
    #[error("{action}: {error}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        error: io::Error,
    },
    /// A file cannot be written.
    #[error("{}: it cannot be written: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The manifests cannot be read, whatever they are.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The arguments do not go together, or name something that there is not.
    #[error("{0}")]
    Usage(String),
    /// What is asked for is clear, and cannot be.
    #[error("{0}")]
    Impossible(String),
    /// Nothing can be answered where the exit code is an answer.
    #[error("{0}")]
    Unanswered(Box<Self>),
    /// Plain data has no JSON.
    #[error("a result cannot be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<Unclear> for CommandFailure {
    fn from(unclear: Unclear) -> Self {
        match unclear {
            Unclear::Usage(sentence) => Self::Usage(sentence),
            Unclear::Impossible(sentence) => Self::Impossible(sentence),
        }
    }
}

impl CommandFailure {
    /// The exit code's meaning.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Log(_) | Self::Cluster(_) | Self::Usage(_) | Self::Unanswered(_) => Outcome::Unreadable,
            _ => Outcome::Refused,
        }
    }
}
