//! Checks, asked of manifests.

mod answers;
mod examples;
mod kept;
mod laws;
mod list;
mod options;
mod remembered;
mod said;
mod scene;
mod uses;
