//! The integration tests, in one binary.

// `cfg(test)` tells clippy that these are tests, where unwrap is fine.
#[cfg(test)]
mod limiter;
#[cfg(test)]
mod limiter_faults;
#[cfg(test)]
mod limiter_script;
#[cfg(test)]
mod support;
