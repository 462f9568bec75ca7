//! The counts behind a model's weights, which training goes on from. Serving needs none of it.

/// The numbers that a model was learned from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// The day of the newest label, counted from 1970-01-01, where labels are dated.
    pub as_of: Option<i32>,
    /// The view of each of the model's terms, in their order.
    pub view_of: Vec<u8>,
    /// The rounds whose mean the model is.
    pub rounds: Vec<Round>,
}

/// One way of sorting the comments into clusters, with what followed from it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Round {
    /// The label of every cluster.
    pub is_spam: Vec<bool>,
    /// Log-odds before anything is read.
    pub base_log_odds: f64,
    /// The factor of each view's and cluster's log-likelihood: view after view, cluster after cluster.
    pub factors: Vec<f64>,
    /// The number of comments of each cluster that hold each term: term after term, cluster after cluster.
    pub counts: Vec<f32>,
}

impl Round {
    /// The same with other counts.
    pub fn with_counts(&self, counts: Vec<f32>) -> Self {
        Self {
            is_spam: self.is_spam.clone(),
            base_log_odds: self.base_log_odds,
            factors: self.factors.clone(),
            counts,
        }
    }
}
