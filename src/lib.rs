//! moderato: comment moderation.

pub mod artifact;
pub mod clock;
pub mod comment;
pub mod eval;
pub mod limit;
pub mod model;
pub mod sensitive;
pub mod site;
pub mod text;
pub mod train;
pub mod verdict;
