//! Metered usage: how much of what an organization holds of a definition was used, how much is left, and when it is new again.
//!
//! Usage belongs to an organization and a definition, never to a grant. All of this is pure: registers, what was held and when,
//! and a moment go in; a [`balance::Balance`] comes out. Two answers are kept apart everywhere: *entitled*, which is the
//! lifecycle's, and *allowed*, which is this module's.
//!
//! ```text
//! registers ─▶ Ledger ──────────┐
//! held parts ─▶ Memory ─▶ parts ┼─▶ Meter ─▶ Balance ─▶ state, allowance, thresholds
//! anchors ─▶ periods ───────────┘
//! ```
//!
//! | file | what it knows |
//! |---|---|
//! | `rules` | what a definition says of how it is metered |
//! | `share` | an amount, or a percentage of the allotment |
//! | `register` | what a key comes to, which report of it counts, and which are refused |
//! | `report` | what EntitlementUsage objects report, and what is refused of them |
//! | `ledger` | registers summed up by moment and channel |
//! | `caps` | how much of what is granted can be used by each channel |
//! | `anchor` | from when periods count, and where each begins |
//! | `part` | what was held, from when to when, and how much |
//! | `memory` | what is remembered of anchors and parts from one look to the next |
//! | `entitled` | when anything was in force, so that what was used then counts |
//! | `record` | what is remembered, as the text that a store keeps |
//! | `retention` | from when registers are kept |
//! | `meter` | all that goes into a balance |
//! | `block` | what a part gives in one period |
//! | `balance` | what is used and left, and the taking |
//! | `allowance` | whether a request is allowed |
//! | `state` | the state for programs, and which thresholds are crossed |
//! | `inquiry` | how asking Prometheus for one definition stands, and when it is asked next |
//! | `recount` | a request to ask Prometheus anew for a span of time |
//! | `buckets` | which buckets Prometheus is asked for, and which it was asked for already |
//! | `vector` | the form of Prometheus' answers |
//! | `answer` | what an answer of Prometheus means |

pub mod allowance;
pub mod anchor;
pub mod answer;
pub mod balance;
mod block;
pub mod buckets;
pub mod caps;
pub mod entitled;
pub mod inquiry;
pub mod ledger;
pub mod memory;
pub mod meter;
pub mod part;
pub mod record;
pub mod recount;
pub mod register;
pub mod report;
pub mod retention;
pub mod rules;
pub mod share;
pub mod state;
#[cfg(test)]
mod tests;
pub mod vector;
