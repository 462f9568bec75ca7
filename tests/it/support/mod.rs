//! What several tests need.

pub(crate) mod eventually;
pub(crate) mod redis;
