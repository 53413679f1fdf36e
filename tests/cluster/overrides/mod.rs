//! Exceptions: asked for, approved and ended on a real API server, by users with the roles that the installation gives people.
//!
//! | file | what it knows |
//! |---|---|
//! | `desk` | the people, what they may do, and what they ask for |
//! | `effect` | how to see what a client's workloads read |
//! | `asking` | who may ask, and for whom |
//! | `restoring` | who may restore what another asked for, and what that comes to |
//! | `deciding` | whose decision counts |
//! | `tally` | what several decisions come to |
//! | `amounts` | what an exception adds to what the client holds otherwise |
//! | `refused` | what cannot be asked for |
//! | `time` | that it is approved in time, begins, and ends |
//! | `kept` | that nothing changes what was decided |
//! | `survival` | the first minute, and operators that are killed |
//! | `story` | one exception from the request to its end, with kubectl |

mod amounts;
mod asking;
mod deciding;
mod desk;
pub mod effect;
mod kept;
mod refused;
mod restoring;
mod story;
mod survival;
mod tally;
mod time;
