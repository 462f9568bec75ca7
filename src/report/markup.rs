//! The pieces of the page: sections, figures, tables, and the one way in for other people's text.

use std::fmt::Write;

use super::tables::Table;

pub(super) fn figure(page: &mut String, title: &str, caption: &str, svg: &str) {
    put(
        page,
        format_args!("<figure><h3>{title}</h3>{svg}<figcaption>{caption}</figcaption></figure>"),
    );
}

pub(super) fn section(page: &mut String, id: &str, title: &str, lead: &str, body: impl FnOnce(&mut String)) {
    put(
        page,
        format_args!("<section id=\"{id}\"><h2>{title}</h2><p class=\"lead\">{lead}</p>"),
    );
    body(page);
    page.push_str("</section>");
}

pub(super) fn table(page: &mut String, table: &Table) {
    dressed_table(page, "plain", table, |_, _| None);
}

/// A table, with some cells replaced by ready markup.
pub(super) fn dressed_table(
    page: &mut String,
    kind: &str,
    table: &Table,
    dressed: impl Fn(usize, usize) -> Option<String>,
) {
    let class = |column: usize| {
        if column == 0 || table.text_columns.contains(&column) {
            "text"
        } else {
            "number"
        }
    };
    put(
        page,
        format_args!("<div class=\"scroll\"><table class=\"{kind}\"><thead><tr>"),
    );
    for (column, head) in table.head.iter().enumerate() {
        put(
            page,
            format_args!("<th class=\"{}\" scope=\"col\">{head}</th>", class(column)),
        );
    }
    page.push_str("</tr></thead><tbody>");
    for (nth, row) in table.rows.iter().enumerate() {
        page.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let shown = dressed(nth, column).unwrap_or_else(|| match cell.as_str() {
                word @ ("met" | "better" | "missed" | "worse" | "hold_at" | "reject_at") => {
                    format!("<span class=\"chip {word}\">{word}</span>")
                }
                other => escape(other),
            });
            put(page, format_args!("<td class=\"{}\">{shown}</td>", class(column)));
        }
        page.push_str("</tr>");
    }
    page.push_str("</tbody></table></div>");
}

pub(super) fn put(page: &mut String, markup: std::fmt::Arguments<'_>) {
    // Writing to a string cannot fail.
    let _ = page.write_fmt(markup);
}

/// A text as HTML. Authors' texts and terms come through here and nowhere else.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
