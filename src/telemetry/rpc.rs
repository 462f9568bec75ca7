//! The closed sets that a gRPC call is counted by: which method, and how it ended.

/// The names of gRPC's status codes, from 1 on; 0 is OK, and no error.
pub(super) const CODES: [&str; 16] = [
    "cancelled",
    "unknown",
    "invalid_argument",
    "deadline_exceeded",
    "not_found",
    "already_exists",
    "permission_denied",
    "resource_exhausted",
    "failed_precondition",
    "aborted",
    "out_of_range",
    "unimplemented",
    "internal",
    "unavailable",
    "data_loss",
    "unauthenticated",
];

/// The methods of our services; what reflection and health are asked is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `ModerationService/Moderate`
    Moderate,
    /// `ModerationService/ModerateStream`
    ModerateStream,
    /// `ModerationService/SubmitFeedback`
    SubmitFeedback,
    /// `ModerationService/GetDecision`
    GetDecision,
    /// `ModerationService/GetStats`
    GetStats,
    /// `AdminService/ForgetAuthor`
    ForgetAuthor,
    /// `ModelService/GetModel`
    GetModel,
    /// `ModelService/ReloadModel`
    ReloadModel,
    /// Any other, also one that does not exist.
    Other,
}

impl Method {
    /// Every method.
    pub const ALL: [Self; 9] = [
        Self::Moderate,
        Self::ModerateStream,
        Self::SubmitFeedback,
        Self::GetDecision,
        Self::GetStats,
        Self::ForgetAuthor,
        Self::GetModel,
        Self::ReloadModel,
        Self::Other,
    ];

    /// The method's name without its service, or `(other)`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Moderate => "Moderate",
            Self::ModerateStream => "ModerateStream",
            Self::SubmitFeedback => "SubmitFeedback",
            Self::GetDecision => "GetDecision",
            Self::GetStats => "GetStats",
            Self::ForgetAuthor => "ForgetAuthor",
            Self::GetModel => "GetModel",
            Self::ReloadModel => "ReloadModel",
            Self::Other => "(other)",
        }
    }

    /// The method's name with its service.
    pub const fn full_name(self) -> &'static str {
        match self {
            Self::Moderate => "moderato.v1.ModerationService/Moderate",
            Self::ModerateStream => "moderato.v1.ModerationService/ModerateStream",
            Self::SubmitFeedback => "moderato.v1.ModerationService/SubmitFeedback",
            Self::GetDecision => "moderato.v1.ModerationService/GetDecision",
            Self::GetStats => "moderato.v1.ModerationService/GetStats",
            Self::ForgetAuthor => "moderato.v1.AdminService/ForgetAuthor",
            Self::GetModel => "moderato.v1.ModelService/GetModel",
            Self::ReloadModel => "moderato.v1.ModelService/ReloadModel",
            Self::Other => "(other)",
        }
    }

    /// The method that a path such as `/moderato.v1.ModerationService/Moderate` names.
    pub fn of_path(path: &str) -> Self {
        let name = path.rsplit('/').next().unwrap_or_default();
        let named = |method: &Self| method.as_str() == name;
        Self::ALL.into_iter().find(named).unwrap_or(Self::Other)
    }
}

#[cfg(test)]
mod tests {
    use super::Method;

    #[test]
    fn a_path_names_a_method_or_none_of_ours() {
        assert_eq!(
            Method::of_path("/moderato.v1.ModerationService/Moderate"),
            Method::Moderate
        );
        assert_eq!(Method::of_path("/moderato.v1.ModelService/GetModel"), Method::GetModel);
        assert_eq!(
            Method::of_path("/moderato.v1.ModerationService/moderate"),
            Method::Other
        );
        assert_eq!(Method::of_path(""), Method::Other);
    }
}
