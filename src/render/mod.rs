//! Bytes: what is decided, in the shapes that workloads read.
//!
//! Pure, as `core` is: the same inputs give the same bytes, in which no time of generation stands.

pub mod demands;
mod exhaustion;
pub mod filling;
pub mod flags;
pub mod format;
pub mod names;
pub mod output;
mod output_error;
mod storable;
pub mod summary;
pub mod template;
mod trial;
pub mod work;
