//! `approve`, `deny`, `overrides`: exceptions, which one asks for and others decide on.
//!
//! | file | what it knows |
//! |---|---|
//! | `decide` | the course of a decision: what is there, what is against it, writing it, and what the operator makes of it |
//! | `exception` | one override with what it gives, in sentences |
//! | `objections` | why somebody's decision would count for nothing |
//! | `registry` | reading an override and its decisions in a cluster, and the only request that writes one |
//! | `overview` | how many exceptions there are of each definition, and which wait |

mod decide;
mod exception;
mod objections;
mod overview;
mod registry;

pub use decide::{ApproveArguments, DenyArguments, approve, deny};
pub use overview::{OverridesArguments, overrides};
