//! The measures by name: what each says, in which unit, and which way is better.

use serde::Serialize;

/// A measure of a classifier over labeled comments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// The share judged right at probability 0.5.
    Accuracy,
    /// Recall: the share of spam with probability ≥ 0.5.
    SpamCaught,
    /// The share of ham with probability ≥ 0.5.
    HamBlocked,
    /// The share of spam among what has probability ≥ 0.5.
    Precision,
    /// Matthews' correlation coefficient at probability 0.5, in [−1, 1]; 0 is guessing.
    Mcc,
    /// The area under the ROC curve: how often spam outranks ham; ties count half.
    RocAuc,
    /// Average precision, Σ (Rₖ − Rₖ₋₁) Pₖ over distinct probabilities: the area under the precision–recall curve.
    PrAuc,
    /// The mean squared error of the probability (G. Brier 1950).
    Brier,
    /// The expected calibration error over 15 equal-width bins (Naeini, Cooper & Hauskrecht 2015).
    CalibrationError,
    /// The mean of −ln of the probability given to the truth, in nats.
    LogLoss,
    /// The share of spam caught at the cut that blocks at most 0.1 % of ham.
    #[serde(rename = "caught_at_0_1_percent")]
    CaughtAtTenth,
    /// The share of spam caught at the cut that blocks at most 1 % of ham.
    #[serde(rename = "caught_at_1_percent")]
    CaughtAtOne,
}

impl Measure {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 12] = [
        Self::Accuracy,
        Self::SpamCaught,
        Self::HamBlocked,
        Self::Precision,
        Self::Mcc,
        Self::RocAuc,
        Self::PrAuc,
        Self::Brier,
        Self::CalibrationError,
        Self::LogLoss,
        Self::CaughtAtTenth,
        Self::CaughtAtOne,
    ];

    /// Its name for people.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Accuracy => "accuracy",
            Self::SpamCaught => "spam caught (recall)",
            Self::HamBlocked => "ham blocked",
            Self::Precision => "precision",
            Self::Mcc => "MCC",
            Self::RocAuc => "ROC-AUC",
            Self::PrAuc => "PR-AUC",
            Self::Brier => "Brier score",
            Self::CalibrationError => "calibration error",
            Self::LogLoss => "log loss",
            Self::CaughtAtTenth => "spam caught at 0.1 % ham blocked",
            Self::CaughtAtOne => "spam caught at 1 % ham blocked",
        }
    }

    /// Returns true if more of it is better.
    pub const fn higher_is_better(self) -> bool {
        !matches!(
            self,
            Self::HamBlocked | Self::Brier | Self::CalibrationError | Self::LogLoss
        )
    }

    /// Returns true if it is a share of comments, shown in per cent.
    pub const fn is_share(self) -> bool {
        matches!(
            self,
            Self::Accuracy
                | Self::SpamCaught
                | Self::HamBlocked
                | Self::Precision
                | Self::CaughtAtTenth
                | Self::CaughtAtOne
        )
    }
}
