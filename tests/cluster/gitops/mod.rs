//! What tools that apply manifests from a repository, and kubectl, see of the operator's objects.
//!
//! | file | what it knows |
//! |---|---|
//! | `situations` | objects in every phase, and with the main failures, as a real operator leaves them |
//! | `judges` | what Argo CD, Flux, and kstatus make of an object |
//! | `health` | what they make of those |
//! | `kubectl` | what a person sees of those with kubectl |
//! | `screen` | that, without what is different each time |
//! | `reapply` | that nothing drifts, in which order things may come, and what pruning does |
//! | `golden` | files of what is expected |

mod golden;
mod health;
mod judges;
mod kubectl;
mod reapply;
mod screen;
mod situations;
