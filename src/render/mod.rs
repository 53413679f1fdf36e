//! Bytes: what was decided, in the shapes that workloads read.
//!
//! Pure, as `core` is. The same inputs give the same bytes, and the bytes contain no time of generation.

pub mod demands;
pub mod digest;
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
