//! Checks, asked of manifests.

mod answers;
mod examples;
mod laws;
mod list;
mod options;
mod scene;
mod uses;
