//! What GitOps tools and kubectl see of the operator's objects.
//!
//! | file | what it knows |
//! |---|---|
//! | `situations` | objects in every phase, and with the main failures, as a real operator leaves them |
//! | `judges` | what Argo CD, Flux, and kstatus make of an object |
//! | `health` | what they make of those |
//! | `golden` | files of what is expected |

mod golden;
mod health;
mod judges;
mod situations;
