//! Hostile input: what each door must stand, whatever is thrown at it.

pub mod targets;
