//! Verdicts place by place, for `places`: each place was judged by a model that has not seen it.

use std::collections::BTreeMap;

use super::report::{Place, Places, Verdicts};
use super::{Scored, assemble, protocol};

/// Divides scored comments by place; `prefixes` say which sources are one place.
pub(super) fn places(scored: &[Scored<'_>], prefixes: &[String]) -> Places {
    let mut parts: BTreeMap<&str, Vec<&Scored<'_>>> = BTreeMap::new();
    for item in scored {
        let place = protocol::place(item.source, prefixes);
        parts.entry(place).or_default().push(item);
    }
    let row = |(name, part): (&str, Vec<&Scored<'_>>)| Place {
        name: name.to_owned(),
        verdicts: assemble::verdicts(part.into_iter()),
    };
    let rows: Vec<Place> = parts.into_iter().map(row).collect();
    let worst = rows.iter().max_by(|a, b| {
        let (a, b) = (badness(&a.verdicts), badness(&b.verdicts));
        a.iter()
            .zip(&b)
            .fold(std::cmp::Ordering::Equal, |order, (a, b)| order.then(a.total_cmp(b)))
    });
    let worst = worst.map(|place| place.name.clone());
    Places { rows, worst }
}

/// Grows with what matters most first: readers rejected, then readers held, then spam let through, as shares. A place
/// without readers or without spam is not worse for it.
fn badness(verdicts: &Verdicts) -> [f64; 3] {
    let share = |estimate: Option<super::interval::Estimate>| estimate.map(|estimate| estimate.value);
    [
        share(verdicts.ham_rejected).unwrap_or(0.0),
        share(verdicts.ham_held).unwrap_or(0.0),
        share(verdicts.spam_rejected_or_held).map_or(0.0, |caught| 1.0 - caught),
    ]
}
