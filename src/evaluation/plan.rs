//! From what should be and what is to what is to be written, and from what came of that to the final statuses.
