//! Evaluations as a whole: several sources beside each other, what they have together, and one evaluation after another.

mod after;
mod shared;
mod sources;
