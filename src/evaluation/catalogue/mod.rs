//! The catalogue: each of its objects as it is now, and its last valid state, which serves.
//!
//! What is kept, and how it serves, is the same for every kind. A kind says what its objects are made of, and how that is read.
//!
//! | file | what it knows |
//! |---|---|
//! | `kind` | the kinds, their labels and names |
//! | `revision` | the ControllerRevisions that keep valid states, and which of them are forgotten |
//! | `entry` | what serves: the present state, or the last valid one |
//! | `definition` | definitions as such a kind |
//! | `history` | what a definition has given, as its revisions tell |
//! | `plan` | plans as such a kind |

mod definition;
#[cfg(test)]
pub mod dummy;
mod entry;
mod history;
mod kind;
mod plan;
mod revision;

pub use definition::{CompiledDefinition, DefinitionState};
pub use entry::{CatalogueEntry, CatalogueIngredients, Guard, Made, Present, Served, ValidState};
pub use history::AT_ONCE;
pub use kind::{CatalogueId, CatalogueKind, Catalogued};
pub use plan::{PlanCatalogue, PlanHistory, PlanState};
pub use revision::{KeepAction, KeptForm, OLDER_REVISIONS, Revision, Revisions, outdated, state_hash};
