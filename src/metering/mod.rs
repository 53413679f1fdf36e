//! Joins the store to the controller: what is reported goes in, what is known of each meter comes out. Rights never wait for it.
//!
//! ```text
//! reconcile ─▶ MeterWish (registers, record) ─▶ MeterDesk ─▶ one commit ─▶ the store
//!     ▲                                                         │
//!     └────────── the organizations that it changes ◀───────────┘
//! ```
//!
//! It goes by levels, not by edges: each reconcile says what the store should have of its organization, and nothing is written where
//! the store has that already. What is known of a meter is kept in memory, loaded when it is first asked for.
//!
//! | file | what it knows |
//! |---|---|
//! | `intake` | which registers differ from what the store has; pure |
//! | `held` | one meter in memory |
//! | `desk` | what is known and what is wanted, for all others |
//! | `clerk` | the one task that talks to the store |
//! | `retention` | what is taken out of the store once it is not needed any more |
//! | `errands` | what it does for whoever asks Prometheus |
//! | `metered` | how each definition was metered when something was first counted of it |
//! | `follow` | what others have written |
//! | `place` | whether a store's file is still the one that was opened |
//! | `counter` | counts uses that the API is asked for, on every replica |
//! | `probe` | whether anything was written, asked for many at once |
//! | `sight` | what this process has seen of the store, whoever has it open here |
//! | `reader` | what the store has of a meter right now, for checks |

mod clerk;
mod counter;
mod desk;
mod errands;
mod follow;
mod held;
mod intake;
mod metered;
mod place;
mod probe;
mod reader;
mod retention;
mod sight;
#[cfg(test)]
mod tests;

pub use {
    clerk::{MeteringNews, WritePermission},
    counter::{MeterScene, NotCounted, UseAnswer, UseCounter, UseRequest},
    desk::{KnownMeter, MeterDesk, MeterWish},
    errands::{InquiryAnswer, SourceHearing},
    reader::{MeterReader, ReadElsewhere},
    retention::AddsUp,
    sight::{ReplacedStore, StoreSight},
};

/// What the origins of EntitlementUsage objects begin with.
const REPORTED: &str = "EntitlementUsage ";
