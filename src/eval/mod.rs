//! The evaluation room.
pub mod binomial;
pub mod interval;
pub mod metrics;
mod random;
pub mod threshold;

#[cfg(test)]
pub(crate) mod oracle {
    //! Numbers that scikit-learn and scipy computed, with the script that made them: tests/oracle/metrics.py.

    /// The expected values.
    pub(crate) fn expected() -> serde_json::Value {
        serde_json::from_str(include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/oracle/metrics.json"
        )))
        .unwrap()
    }
}
