mod address;
mod change;
mod error;
mod pieces;
