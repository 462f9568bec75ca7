//! The number of decisions are told in the log.

/// The shares of decisions that are logged, each from 0 to 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Events {
    /// The share of those that held or rejected.
    pub objections: f64,
    /// The share of those that approved.
    pub approvals: f64,
}

impl Events {
    /// Every objection and no approval: what a person may ask about.
    pub const OBJECTIONS: Self = Self {
        objections: 1.0,
        approvals: 0.0,
    };

    /// Returns true if a decision is logged. The same one always is or never: its id decides, which is random.
    pub fn wants(&self, objection: bool, decision_id: &str) -> bool {
        let share = if objection { self.objections } else { self.approvals };
        if share <= 0.0 || share >= 1.0 {
            return share >= 1.0;
        }
        let draw = decision_id
            .get(..8)
            .and_then(|digits| u32::from_str_radix(digits, 16).ok());
        f64::from(draw.unwrap_or(0)) < share * f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::Events;

    #[test]
    fn a_share_is_a_share() {
        let events = Events {
            objections: 0.25,
            approvals: 0.0,
        };
        let ids = (0..400_u32).map(|i| format!("{:08x}ffff", i.wrapping_mul(0x9e37_79b9)));
        let told = ids.clone().filter(|id| events.wants(true, id)).count();
        assert!((90..=110).contains(&told), "{told}");
        assert_eq!(ids.filter(|id| events.wants(false, id)).count(), 0);
        assert!(Events::OBJECTIONS.wants(true, ""));
    }
}
