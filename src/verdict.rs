//! The answer: a verdict, what to do about it, and every reason.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// The answer to "may this be published?", from mild to severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verdict {
    /// No objection.
    Approve,
    /// A person should look.
    Hold,
    /// Not to be published.
    Reject,
}

impl Verdict {
    /// The word for it in JSON and in configuration.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Hold => "hold",
            Self::Reject => "reject",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The caller's way of handling the comment. Nothing is ever destroyed on our word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Handling {
    /// Publish it.
    Publish,
    /// Put it before a person.
    Queue,
    /// Show the author what to mend.
    ReturnToAuthor,
    /// Ask the author to send it again later.
    RetryLater,
    /// Put it in the spam folder.
    Quarantine,
}

impl Handling {
    /// The word for it in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Queue => "queue",
            Self::ReturnToAuthor => "return_to_author",
            Self::RetryLater => "retry_later",
            Self::Quarantine => "quarantine",
        }
    }
}

/// A typed cause. The order is the order of precedence: reasons are reported in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReasonCode {
    /// A name is required and there is none.
    AuthorNameMissing,
    /// The name is longer than the site stores.
    AuthorNameTooLong,
    /// An e-mail address is required and there is none.
    AuthorEmailMissing,
    /// The typed e-mail address is none.
    AuthorEmailInvalid,
    /// The e-mail address is longer than the site stores.
    AuthorEmailTooLong,
    /// A website is required and there is none.
    AuthorUrlMissing,
    /// The website is not a web address.
    AuthorUrlInvalid,
    /// The website is longer than the site stores.
    AuthorUrlTooLong,
    /// The comment is blank.
    ContentMissing,
    /// The comment is longer than the site stores.
    ContentTooLong,
    /// The field that people cannot see was filled in.
    HoneypotFilled,
    /// A link, the author's network, account or e-mail domain is on the site's block list.
    ListBlocked,
    /// The e-mail address is of a domain where mailboxes are thrown away.
    AuthorEmailDisposable,
    /// A person has called this very comment spam.
    PreviousSpamByPerson,
    /// The author has used up a quota.
    RateLimitExceeded,
    /// The author would have used up a quota that is only watched.
    RateLimitWouldExceed,
    /// The quotas could not be asked, and the site holds comments then.
    RateLimitUnavailable,
    /// The site trusts the author.
    AuthorTrusted,
    /// The author's network or account is on the site's allow list.
    ListAllowed,
    /// A person has approved this very comment.
    PreviousApprovedByPerson,
    /// The site has approved several comments of the author, so the thresholds are milder.
    AuthorKnown,
    /// The author's account is new and without an approved comment, so the threshold of holding is stricter.
    AuthorNew,
    /// The text is spam with a probability of at least `reject_at`.
    ClassifierSpam,
    /// The text is spam with a probability of at least `hold_at`.
    ClassifierUnsure,
    /// The text would have been rejected, but the model has seen too little like it.
    ClassifierThinEvidence,
    /// There is no model.
    ClassifierUnavailable,
    /// A word, a link or the author is on a list of what a person should see.
    ListModerated,
    /// There are more links than the site allows.
    LinksTooMany,
    /// There are links in BBCode.
    LinksBbcode,
    /// There are links in HTML.
    LinksHtml,
    /// There is nothing but links.
    ContentOnlyLink,
    /// The form came back sooner than a person can read it.
    FormTooFast,
    /// A program sent the comment, or a browser that says nothing of itself.
    ClientProgram,
    /// The site states a language that is none of its own.
    LanguageUnexpected,
    /// A pingback: a program says that another page links here.
    KindPingback,
    /// A trackback: as a pingback, by an older protocol.
    KindTrackback,
    /// The form was sent from a page of another host.
    ReferrerForeign,
}

impl ReasonCode {
    /// Every code, in order of precedence.
    pub const ALL: [Self; 37] = [
        Self::AuthorNameMissing,
        Self::AuthorNameTooLong,
        Self::AuthorEmailMissing,
        Self::AuthorEmailInvalid,
        Self::AuthorEmailTooLong,
        Self::AuthorUrlMissing,
        Self::AuthorUrlInvalid,
        Self::AuthorUrlTooLong,
        Self::ContentMissing,
        Self::ContentTooLong,
        Self::HoneypotFilled,
        Self::ListBlocked,
        Self::AuthorEmailDisposable,
        Self::PreviousSpamByPerson,
        Self::RateLimitExceeded,
        Self::RateLimitWouldExceed,
        Self::RateLimitUnavailable,
        Self::AuthorTrusted,
        Self::ListAllowed,
        Self::PreviousApprovedByPerson,
        Self::AuthorKnown,
        Self::AuthorNew,
        Self::ClassifierSpam,
        Self::ClassifierUnsure,
        Self::ClassifierThinEvidence,
        Self::ClassifierUnavailable,
        Self::ListModerated,
        Self::LinksTooMany,
        Self::LinksBbcode,
        Self::LinksHtml,
        Self::ContentOnlyLink,
        Self::FormTooFast,
        Self::ClientProgram,
        Self::LanguageUnexpected,
        Self::KindPingback,
        Self::KindTrackback,
        Self::ReferrerForeign,
    ];

    /// Returns true if it is a fault of the form, which its author can mend.
    pub const fn is_of_form(self) -> bool {
        (self as u8) <= Self::ContentTooLong as u8
    }

    /// The stable public code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AuthorNameMissing => "author_name.missing",
            Self::AuthorNameTooLong => "author_name.too_long",
            Self::AuthorEmailMissing => "author_email.missing",
            Self::AuthorEmailInvalid => "author_email.invalid",
            Self::AuthorEmailTooLong => "author_email.too_long",
            Self::AuthorUrlMissing => "author_url.missing",
            Self::AuthorUrlInvalid => "author_url.invalid",
            Self::AuthorUrlTooLong => "author_url.too_long",
            Self::ContentMissing => "content.missing",
            Self::ContentTooLong => "content.too_long",
            Self::HoneypotFilled => "honeypot.filled",
            Self::ListBlocked => "list.blocked",
            Self::AuthorEmailDisposable => "author_email.disposable",
            Self::PreviousSpamByPerson => "previous.spam_by_person",
            Self::RateLimitExceeded => "rate_limit.exceeded",
            Self::RateLimitWouldExceed => "rate_limit.would_exceed",
            Self::RateLimitUnavailable => "rate_limit.unavailable",
            Self::AuthorTrusted => "author.trusted",
            Self::ListAllowed => "list.allowed",
            Self::PreviousApprovedByPerson => "previous.approved_by_person",
            Self::AuthorKnown => "author.known",
            Self::AuthorNew => "author.new",
            Self::ClassifierSpam => "classifier.spam",
            Self::ClassifierUnsure => "classifier.unsure",
            Self::ClassifierThinEvidence => "classifier.thin_evidence",
            Self::ClassifierUnavailable => "classifier.unavailable",
            Self::ListModerated => "list.moderated",
            Self::LinksTooMany => "links.too_many",
            Self::LinksBbcode => "links.bbcode",
            Self::LinksHtml => "links.html",
            Self::ContentOnlyLink => "content.only_link",
            Self::FormTooFast => "form.too_fast",
            Self::ClientProgram => "client.program",
            Self::LanguageUnexpected => "language.unexpected",
            Self::KindPingback => "kind.pingback",
            Self::KindTrackback => "kind.trackback",
            Self::ReferrerForeign => "referrer.foreign",
        }
    }
}

/// One cause of a verdict, or something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The cause.
    pub code: ReasonCode,
    /// The verdict that it pulls towards; `None` is for information.
    pub effect: Option<Verdict>,
    /// The handling if this reason sets the verdict.
    pub handling: Handling,
    /// The numbers and names of the case, by name. Never what an author typed.
    pub params: Vec<(&'static str, String)>,
    /// Counted and shown, without effect.
    pub shadow: bool,
}

/// The author's state with one quota.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaState {
    /// The quota's name.
    pub name: Arc<str>,
    /// Grants at once from rest.
    pub limit: u32,
    /// Grants that are left now.
    pub remaining: u32,
    /// The time until it grants again; zero if it grants now.
    pub retry_after: Duration,
    /// The time until it is back at rest.
    pub reset_after: Duration,
    /// This comment found it empty.
    pub exceeded: bool,
    /// The verdict on a comment that finds it empty.
    pub effect: Verdict,
    /// Counted, not enforced.
    pub shadow: bool,
}

/// A check that could not apply to this comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NotEvaluated {
    /// Neither an address nor an account to count by.
    NoAddress,
    /// The address is not a public one: most likely a proxy's.
    AddressNotPublic,
    /// There is no text to score.
    NoText,
    /// The previous decision that the caller names is not remembered.
    PreviousUnknown,
}

impl NotEvaluated {
    /// The stable public code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NoAddress => "rate_limit.no_address",
            Self::AddressNotPublic => "rate_limit.address_not_public",
            Self::NoText => "classifier.no_text",
            Self::PreviousUnknown => "previous.unknown",
        }
    }
}

/// A service that should have been consulted and was away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Degraded {
    /// Redis did not answer; this process counted by itself.
    Redis,
    /// There is no model.
    Model,
    /// The decision is not remembered, and cannot be labeled by its id; or the previous one could not be looked up.
    Feedback,
}

impl Degraded {
    /// The stable public code.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Redis => "rate_limit.redis",
            Self::Model => "classifier.model",
            Self::Feedback => "feedback.store",
        }
    }
}

/// A verdict with all its reasons.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The verdict.
    pub verdict: Verdict,
    /// The handling.
    pub handling: Handling,
    /// The probability that the text is spam, where it was scored.
    pub spam_probability: Option<f64>,
    /// Every reason that holds, in order of precedence.
    pub reasons: Vec<Reason>,
    /// One state for each quota that was looked at.
    pub quotas: Vec<QuotaState>,
    /// The longest wait among the quotas exceeded.
    pub retry_after: Option<Duration>,
    /// The checks that could not apply.
    pub not_evaluated: Vec<NotEvaluated>,
    /// The services that were away.
    pub degraded: Vec<Degraded>,
}
