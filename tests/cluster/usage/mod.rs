//! Metered usage: what is reported is kept in a store, and comes to states that clients read.
//!
//! | file | what it knows |
//! |---|---|
//! | `support` | a client's ten support cases, and what there is to read of them |
//! | `counting` | that reports count, once, over restarts |
//! | `bad_input` | that what is reported by mistake harms nobody else |
//! | `outages` | that rights go on without the store |
//! | `replaced` | that another store, or an older copy, is noticed, counts on, and is adopted |
//! | `from_prometheus` | that what Prometheus tells is counted, and that rights go on without it |

mod bad_input;
mod counting;
mod from_prometheus;
mod outages;
mod replaced;
pub mod support;
