//! The report for a terminal.

use std::fmt::Write;

use super::figures::{count, probability};
use super::tables::{self, Table};
use crate::eval::report::{Report, ThresholdsUsed};
use crate::eval::terms::TermWeight;

/// Tells whether the text may hold colors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// Escape sequences for a terminal.
    Ansi,
    /// Plain.
    Never,
}

/// The report as aligned text.
pub fn text(report: &Report, color: Color) -> String {
    let mut page = Page {
        out: String::new(),
        color,
    };
    page.heading(&report.title);
    for fact in &report.about {
        page.line(&format!("{}: {}", fact.name, fact.value));
    }
    if let Some(warning) = tables::flattered(report) {
        page.warning(&warning);
    }
    page.line(&format!(
        "comments: {} ham, {} spam",
        count(report.n_ham),
        count(report.n_spam)
    ));
    for line in thresholds(&report.thresholds) {
        page.line(&line);
    }
    page.table("Verdicts", &tables::outcomes(report));
    page.table("", &tables::confusion(report));
    page.table("Measures", &tables::measures(report));
    if !report.budgets.is_empty() {
        page.table("Budgets", &tables::budgets(report));
    }
    if let Some(gate) = &report.gate {
        let verdict = if gate.passed { "passed" } else { "FAILED" };
        page.table(&format!("Gate: {verdict}"), &tables::gate(gate));
        for list in &gate.flips {
            page.table(&tables::flip_title(list), &tables::flipped(list));
        }
    }
    if let Some(comparison) = &report.comparison {
        page.table(
            &format!("Against {}", comparison.baseline),
            &tables::comparison(comparison),
        );
        page.table("", &tables::flips(comparison));
    }
    if let Some(places) = &report.places {
        page.table(
            "By place, each judged by a model that has not seen it",
            &tables::places(places, &report.verdicts),
        );
    }
    for slices in &report.slices {
        page.table(&format!("By {}", slices.by), &tables::slices(slices));
    }
    page.table("Other thresholds", &tables::trade_off(report));
    if !report.terms.is_empty() {
        page.heading("Terms that weighed most");
        for view in &report.terms {
            page.line(&format!("{}, towards spam: {}", view.view, terms(&view.spam)));
            page.line(&format!("{}, towards ham:  {}", view.view, terms(&view.ham)));
        }
    }
    if !report.worst_ham.is_empty() {
        page.table("Ham that looks most like spam", &tables::worst(&report.worst_ham));
    }
    if !report.worst_spam.is_empty() {
        page.table("Spam that looks most like ham", &tables::worst(&report.worst_spam));
    }
    page.out
}

/// The thresholds in a line or two.
pub(super) fn thresholds(used: &[ThresholdsUsed]) -> Vec<String> {
    let line = |pair: &ThresholdsUsed| {
        let reject = pair.reject_at.map_or_else(
            || "never rejects".to_owned(),
            |at| format!("reject at {}", probability(at)),
        );
        format!("hold at {}, {reject}", probability(pair.hold_at))
    };
    match used {
        [] => Vec::new(),
        [only] => vec![format!("thresholds: {}", line(only))],
        several => vec![format!(
            "thresholds of the models: {}",
            several.iter().map(line).collect::<Vec<_>>().join("; ")
        )],
    }
}

fn terms(weights: &[TermWeight]) -> String {
    weights
        .iter()
        .take(8)
        .map(|weight| weight.term.as_str())
        .collect::<Vec<_>>()
        .join(" · ")
}

struct Page {
    out: String,
    color: Color,
}

impl Page {
    fn heading(&mut self, heading: &str) {
        if !self.out.is_empty() {
            self.out.push('\n');
        }
        match self.color {
            Color::Ansi => self.line(&format!("\x1b[1m{heading}\x1b[0m")),
            Color::Never => self.line(heading),
        }
    }

    fn warning(&mut self, warning: &str) {
        match self.color {
            Color::Ansi => self.line(&format!("\x1b[31m{warning}\x1b[0m")),
            Color::Never => self.line(warning),
        }
    }

    fn line(&mut self, line: &str) {
        self.out.push_str(line.trim_end());
        self.out.push('\n');
    }

    fn table(&mut self, heading: &str, table: &Table) {
        if heading.is_empty() {
            self.out.push('\n');
        } else {
            self.heading(heading);
        }
        let width = |column: usize| {
            let cells = table
                .rows
                .iter()
                .filter_map(|row| row.get(column))
                .map(|cell| cell.chars().count());
            cells.chain([table.head[column].chars().count()]).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..table.head.len()).map(width).collect();
        let aligned = |cells: &[String]| {
            let mut line = String::new();
            for (column, (cell, &width)) in cells.iter().zip(&widths).enumerate() {
                let gap = if column == 0 { "  " } else { "   " };
                // Writing to a string cannot fail.
                let _ = if column == 0 || table.text_columns.contains(&column) {
                    write!(line, "{gap}{cell:<width$}")
                } else {
                    write!(line, "{gap}{cell:>width$}")
                };
            }
            line
        };
        let head: Vec<String> = table.head.iter().map(|&head| head.to_owned()).collect();
        let head = aligned(&head);
        match self.color {
            Color::Ansi => self.line(&format!("\x1b[2m{}\x1b[0m", head.trim_end())),
            Color::Never => self.line(&head),
        }
        for row in &table.rows {
            let line = aligned(row);
            let marked = match row.last().map(String::as_str) {
                Some("missed" | "worse" | "failed") if self.color == Color::Ansi => {
                    format!("\x1b[31m{}\x1b[0m", line.trim_end())
                }
                Some("met" | "better" | "passed") if self.color == Color::Ansi => {
                    format!("\x1b[32m{}\x1b[0m", line.trim_end())
                }
                _ => line,
            };
            self.line(&marked);
        }
    }
}
