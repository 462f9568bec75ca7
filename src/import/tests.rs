use super::*;

fn comment(state: State, kind: Kind, content: &str) -> PastComment {
    PastComment {
        id: None,
        state,
        kind,
        content: content.to_owned(),
        author_name: None,
        author_url: None,
        submitted_at: None,
        labeled_at: None,
        article_id: None,
        parent_id: None,
        source: None,
    }
}

#[test]
fn nobody_is_labeled_by_a_guess() {
    let judge = |state| Rules::default().judge(&comment(state, Kind::Comment, "text"));
    assert_eq!(judge(State::Approved), Ok(Label::Ham));
    assert_eq!(judge(State::Spam), Ok(Label::Spam));
    assert_eq!(judge(State::Pending), Err(Skipped::Pending));
    assert_eq!(judge(State::Removed), Err(Skipped::Removed));
    assert_eq!(judge(State::Unknown), Err(Skipped::UnknownState));
    let asked = Rules {
        pending: Some(Label::Ham),
        removed: Some(Label::Spam),
        pingbacks: true,
    };
    let judge = |state, kind| asked.judge(&comment(state, kind, "text"));
    assert_eq!(judge(State::Pending, Kind::Comment), Ok(Label::Ham));
    assert_eq!(judge(State::Removed, Kind::Comment), Ok(Label::Spam));
    assert_eq!(judge(State::Approved, Kind::Pingback), Ok(Label::Ham));
    assert_eq!(judge(State::Unknown, Kind::Comment), Err(Skipped::UnknownState));
    assert_eq!(judge(State::Approved, Kind::Other), Err(Skipped::OtherKind));
}

#[test]
fn what_is_no_comment_is_left_out() {
    let judge = |content: &str| Rules::default().judge(&comment(State::Spam, Kind::Comment, content));
    assert_eq!(judge(" \n"), Err(Skipped::Blank));
    assert_eq!(judge(&"x".repeat(CONTENT_BYTES_MAX + 1)), Err(Skipped::TooLong));
    assert_eq!(judge(&"x".repeat(CONTENT_BYTES_MAX)), Ok(Label::Spam));
}

#[test]
fn moments_are_utc_or_not_known() {
    let cases = [
        ("2026-10-05 08:15:30", Some("2026-10-05T08:15:30Z")),
        (" 2026-10-05T08:15:30Z ", Some("2026-10-05T08:15:30Z")),
        ("2026-10-05T08:15:30+00:00", Some("2026-10-05T08:15:30Z")),
        ("2026-10-05T08:15:30+02:00", None),
        ("0000-00-00 00:00:00", None),
        ("2026-13-05 08:15:30", None),
        ("2011-x09-30T22:48:43Z", None),
        ("5.10.2026 08:15", None),
        ("ééééé 08:15:30", None),
        ("", None),
    ];
    for (written, expected) in cases {
        assert_eq!(moment(written).as_deref(), expected, "{written}");
    }
}

#[test]
fn a_comment_does_not_print_itself() {
    let comment = comment(State::Spam, Kind::Comment, "secret");
    assert!(!format!("{comment:?}").contains("secret"));
}
