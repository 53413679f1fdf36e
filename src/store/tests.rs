mod address;
mod change;
mod error;
mod note;
mod pieces;
