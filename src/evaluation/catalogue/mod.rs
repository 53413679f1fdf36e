//! The catalogue: each of its objects as it is now, and the last valid state of it, which serves.
//!
//! What is kept and how that serves is the same for every kind of it; a kind says what its objects are made of, and how that is
//! read.
//!
//! | file | what it knows |
//! |---|---|
//! | `kind` | the kinds, their labels and names |
//! | `revision` | the ControllerRevisions that keep what was valid, and which of them are forgotten |
//! | `entry` | what serves: the present state, or the last valid one |
//! | `definition` | definitions as such a kind |
//! | `history` | what a definition has given, as its revisions tell it |

mod definition;
#[cfg(test)]
pub mod dummy;
mod entry;
mod history;
mod kind;
mod revision;

pub use definition::{CompiledDefinition, DefinitionState};
pub use entry::{CatalogueEntry, Guard, Ingredients, Made, Present, Served, ValidState};
pub use history::AT_ONCE;
pub use kind::{CatalogueId, CatalogueKind, Catalogued};
pub use revision::{Keeping, OLDER_REVISIONS, Revision, Revisions, outdated, state_hash};
