//! Notes of exports, so that forgetting can say which models have seen a label: a model's card names the SHA-256 of
//! every file that it was trained from, and so does the note of an export.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::record::{Export, Label};
use crate::site::SiteId;

#[derive(Serialize, Deserialize)]
struct Line {
    sha256: String,
    at_micros: u64,
    site: Option<String>,
}

/// An export as a line of JSON.
pub(super) fn line(export: &Export) -> String {
    let Export { sha256, at, site } = export;
    let line = Line {
        sha256: sha256.clone(),
        at_micros: at.as_micros(),
        site: site.as_ref().map(|site| site.as_str().to_owned()),
    };
    serde_json::to_string(&line).unwrap_or_default()
}

/// The export in a line, if there is one.
pub(super) fn parse(line: &str) -> Option<Export> {
    let line: Line = serde_json::from_str(line).ok()?;
    Some(Export {
        sha256: line.sha256,
        at: Timestamp::from_micros(line.at_micros),
        site: match line.site {
            Some(site) => Some(SiteId::new(&site).ok()?),
            None => None,
        },
    })
}

/// The exports that held any of these labels: they were made after its decision's first label came in.
pub(super) fn with_any(exports: Vec<Export>, labels: &[(SiteId, Label)]) -> Vec<Export> {
    let held = |export: &Export, (site, label): &(SiteId, Label)| {
        export.at >= label.first_received_at && export.site.as_ref().is_none_or(|of| of == site)
    };
    let mut exports = exports;
    exports.retain(|export| labels.iter().any(|label| held(export, label)));
    exports
}
