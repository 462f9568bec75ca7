//! The sentences: one for the author, which teaches a spammer nothing, and one for the moderator, which says why.

use crate::model::Contribution;
use crate::verdict::{Handling, Reason, ReasonCode, Verdict};

/// The field at fault, as a path in the request; empty if no one field is.
pub const fn field(code: ReasonCode) -> &'static str {
    use ReasonCode as R;
    match code {
        R::AuthorNameMissing | R::AuthorNameTooLong => "comment.author_name",
        R::AuthorEmailMissing | R::AuthorEmailInvalid | R::AuthorEmailTooLong | R::AuthorEmailDisposable => {
            "comment.author_email"
        }
        R::AuthorUrlMissing | R::AuthorUrlInvalid | R::AuthorUrlTooLong => "comment.author_url",
        R::ContentMissing
        | R::ContentTooLong
        | R::LinksTooMany
        | R::LinksBbcode
        | R::LinksHtml
        | R::ContentOnlyLink => "comment.content",
        R::HoneypotFilled => "comment.honeypot",
        R::FormTooFast => "comment.form_age",
        R::ClientProgram => "comment.user_agent",
        R::LanguageUnexpected => "comment.language",
        R::ReferrerForeign => "comment.referrer",
        R::KindPingback | R::KindTrackback => "comment.kind",
        R::ListBlocked
        | R::ListModerated
        | R::ListAllowed
        | R::RateLimitExceeded
        | R::RateLimitWouldExceed
        | R::RateLimitUnavailable
        | R::AuthorTrusted
        | R::PreviousSpamByPerson
        | R::PreviousApprovedByPerson
        | R::AuthorKnown
        | R::AuthorNew
        | R::ClassifierSpam
        | R::ClassifierUnsure
        | R::ClassifierThinEvidence
        | R::ClassifierUnavailable => "",
    }
}

/// A sentence fit to show the author of a comment that is handled like this; empty where there is nothing to say. Only
/// the reasons that lead to the handling speak, and everything that waits for a person says the same: nobody learns
/// which check a text failed, or that it failed one.
pub fn author_message(reason: &Reason, handling: Handling) -> String {
    use ReasonCode as R;
    let waiting = || "Your comment is awaiting moderation.".to_owned();
    let objects = matches!(reason.effect, Some(Verdict::Hold | Verdict::Reject)) && !reason.shadow;
    match handling {
        Handling::Queue | Handling::Quarantine if objects => waiting(),
        Handling::RetryLater if reason.code == R::RateLimitExceeded && reason.effect == Some(Verdict::Reject) => {
            let wait = duration_words(param(reason, "retry_after_s"));
            format!("You are commenting too quickly. Please try again in {wait}.")
        }
        Handling::ReturnToAuthor => form_message(reason),
        Handling::Publish | Handling::Queue | Handling::Quarantine | Handling::RetryLater => String::new(),
    }
}

/// The message that says what to mend in the form.
fn form_message(reason: &Reason) -> String {
    use ReasonCode as R;
    let max = param(reason, "max");
    match reason.code {
        R::AuthorNameMissing => "Please enter your name.".to_owned(),
        R::AuthorNameTooLong => format!("Please use a name of at most {max} characters."),
        R::AuthorEmailMissing => "Please enter your email address. It will not be published.".to_owned(),
        R::AuthorEmailInvalid => "Please check your email address: it should look like name@example.org.".to_owned(),
        R::AuthorEmailTooLong => format!("Please use an email address of at most {max} characters."),
        R::AuthorUrlMissing => "Please enter your website.".to_owned(),
        R::AuthorUrlInvalid => "Please check your website: it should look like https://example.org.".to_owned(),
        R::AuthorUrlTooLong => format!("Please use a website address of at most {max} characters."),
        R::ContentMissing => "Please write a comment.".to_owned(),
        R::ContentTooLong => "Your comment is too long. Please shorten it.".to_owned(),
        _ => String::new(),
    }
}

/// A sentence for the moderator.
pub fn moderator_message(reason: &Reason) -> String {
    use ReasonCode as R;
    let get = |name| param(reason, name);
    match reason.code {
        R::AuthorNameMissing => "The author gave no name.".to_owned(),
        R::AuthorEmailMissing => "The author gave no email address.".to_owned(),
        R::AuthorEmailInvalid => "What the author gave is not an email address.".to_owned(),
        R::AuthorUrlMissing => "The author gave no website.".to_owned(),
        R::AuthorUrlInvalid => "What the author gave as website is not a web address.".to_owned(),
        R::ContentMissing => "The comment is blank.".to_owned(),
        R::AuthorNameTooLong => too_long("name", "characters", reason),
        R::AuthorEmailTooLong => too_long("email address", "characters", reason),
        R::AuthorUrlTooLong => too_long("website", "characters", reason),
        R::ContentTooLong => too_long("comment", "bytes", reason),
        R::HoneypotFilled => "The hidden form field was filled in, which people cannot do.".to_owned(),
        R::ListBlocked | R::ListModerated | R::ListAllowed => listed(reason),
        R::AuthorEmailDisposable => format!(
            "The email address is of {}, where mailboxes are thrown away.",
            get("entry")
        ),
        R::LinksTooMany => format!(
            "The comment has {} links; this site allows {}.",
            get("links"),
            get("max")
        ),
        R::LinksBbcode => "The comment has links in BBCode.".to_owned(),
        R::LinksHtml => "The comment has links in HTML.".to_owned(),
        R::ContentOnlyLink => "The comment is nothing but a link.".to_owned(),
        R::FormTooFast => format!(
            "The form came back after {} ms; this site gives a person at least {} ms.",
            get("form_age_ms"),
            get("min_ms")
        ),
        R::ClientProgram => {
            "The comment was sent by a program, or by a browser that says nothing of itself.".to_owned()
        }
        R::LanguageUnexpected => format!(
            "The comment is said to be in the language {}, which is none of this site's.",
            get("language")
        ),
        R::ReferrerForeign => {
            "The form was sent from a page that is neither the comment's own nor on one of the site's hosts.".to_owned()
        }
        R::KindPingback => "A pingback: a program says that another page links here.".to_owned(),
        R::KindTrackback => "A trackback: a program says that another page links here.".to_owned(),
        R::RateLimitExceeded => format!(
            "The author has used up the quota \"{}\" ({} at once); it grants again in {}.",
            get("quota"),
            get("limit"),
            duration_words(get("retry_after_s"))
        ),
        R::RateLimitWouldExceed => {
            format!(
                "The author would have used up the quota \"{}\", which is only watched.",
                get("quota")
            )
        }
        R::RateLimitUnavailable => {
            "Redis did not answer, so nobody knows how often this author comments; this site holds comments then."
                .to_owned()
        }
        R::AuthorTrusted => "The site trusts this author.".to_owned(),
        R::PreviousSpamByPerson if reason.effect.is_some() => {
            "A person has said that this very comment is spam.".to_owned()
        }
        R::PreviousSpamByPerson => {
            "A person has said that the comment was spam before it was changed; it was judged anew.".to_owned()
        }
        R::PreviousApprovedByPerson if reason.effect.is_some() => "A person has approved this very comment.".to_owned(),
        R::PreviousApprovedByPerson => {
            "A person had approved the comment before it was changed; it was judged anew.".to_owned()
        }
        R::AuthorKnown => format!(
            "The site has approved at least {} comments of this author, so the thresholds are milder for this one.",
            get("approved_min")
        ),
        R::AuthorNew => format!(
            "The account is younger than {} and has no approved comment yet, so this one is held sooner.",
            duration_words(get("account_age_max_s"))
        ),
        R::ClassifierSpam => format!(
            "The text reads like spam: probability {}, and this site acts from {} on.",
            get("probability"),
            get("reject_at")
        ),
        R::ClassifierUnsure => format!(
            "The text may be spam: probability {}, and this site holds from {} on.",
            get("probability"),
            get("hold_at")
        ),
        R::ClassifierThinEvidence => format!(
            "The text reads like spam (probability {}), but the model has seen too little like it to reject it.",
            get("probability")
        ),
        R::ClassifierUnavailable => "No model is loaded, so the text was not read.".to_owned(),
    }
}

/// The message about one term's effect on the score, for a moderator.
pub fn contribution_message(contribution: &Contribution) -> String {
    let direction = if contribution.log_odds > 0.0 {
        "towards spam"
    } else {
        "towards a real comment"
    };
    let weight = match contribution.log_odds.abs() {
        w if w >= 2.0 => "strongly",
        w if w >= 0.5 => "clearly",
        _ => "slightly",
    };
    let is_word = contribution.term.contains(char::is_alphanumeric);
    let (what, verb) = match contribution.view {
        "words" if is_word => ("the word", "pulls"),
        "words" | "pairs" | "triples" if !is_word => ("the signs", "pull"),
        "pairs" | "triples" => ("the words", "pull"),
        "links" => ("the link's", "pulls"),
        "shape" => ("its shape,", "pulls"),
        "name" | "website" | "email" | "offer" => ("the author's", "pulls"),
        "article" => ("beside the article,", "pulls"),
        _ => ("the letters", "pull"),
    };
    format!(
        "{what} \u{201c}{}\u{201d} {verb} {weight} {direction}",
        contribution.term
    )
}

/// The message about a listed entry. The entry of networks and accounts is not said: it may be a reader's own.
fn listed(reason: &Reason) -> String {
    let verb = match reason.code {
        ReasonCode::ListBlocked => "blocks",
        ReasonCode::ListAllowed => "lets through",
        _ => "holds",
    };
    let entry = param(reason, "entry");
    match param(reason, "list") {
        "words" => format!("This site {verb} the word or phrase \u{201c}{entry}\u{201d}."),
        "hosts" => format!("This site {verb} links to {entry}."),
        "email_domains" => format!("This site {verb} email addresses of {entry}."),
        "networks" => format!("This site {verb} the author's network."),
        _ => format!("This site {verb} the author's account."),
    }
}

fn too_long(what: &str, unit: &str, reason: &Reason) -> String {
    format!(
        "The {what} has {} {unit}; at most {} fit.",
        param(reason, "length"),
        param(reason, "max")
    )
}

fn param<'a>(reason: &'a Reason, name: &str) -> &'a str {
    reason
        .params
        .iter()
        .find(|(key, _)| *key == name)
        .map_or("?", |(_, value)| value)
}

/// `90` → `2 minutes`: rounded up to the unit that a person would use.
fn duration_words(seconds: &str) -> String {
    let seconds: u64 = seconds.parse().unwrap_or(0);
    let (number, unit) = match seconds {
        0..=89 => (seconds, "second"),
        90..=5_399 => (seconds.div_ceil(60), "minute"),
        _ => (seconds.div_ceil(3_600), "hour"),
    };
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::duration_words;

    #[test]
    fn waits_in_words() {
        let cases = [
            ("1", "1 second"),
            ("12", "12 seconds"),
            ("90", "2 minutes"),
            ("864", "15 minutes"),
            ("7200", "2 hours"),
        ];
        for (seconds, words) in cases {
            assert_eq!(duration_words(seconds), words);
        }
    }
}
