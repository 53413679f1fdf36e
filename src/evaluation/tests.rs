//! Evaluations as a whole: several sources beside each other, and one evaluation after another.

mod after;
mod sources;
