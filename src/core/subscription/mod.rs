//! What a subscription gives over its time: the parts of which it is made, and what they come to for each definition.
//!
//! | file | what it knows |
//! |---|---|
//! | `window` | when an entry counts |
//! | `parts` | what plan, add-ons and the subscription itself give of a definition, and when |
//! | `pieces` | the same, cut at every change: what is given of one definition from moment to moment |

mod parts;
mod pieces;
mod window;

pub use parts::{GrantPart, PartOrigin};
pub use pieces::{Piece, Removed, pieces};
pub use window::{OwnTime, Window, WindowFault};
