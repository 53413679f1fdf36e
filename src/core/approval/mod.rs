//! Exceptions, which one person asks for and others approve: what protects that.
//!
//! | file | what it knows |
//! |---|---|
//! | `protection` | since when nobody can approve in another's name |

mod protection;

pub use protection::Protection;
