//! Answers as text for people and as JSON for programs. The field names of JSON are stable.

use std::fmt::Write as _;
use std::io::{self, IsTerminal};

use serde_json::{Map, Value, json};

use super::input::Checked;
use super::{Explain, Format, verdict_word};
use crate::api::grpc::proto;
use crate::cli::{Failure, output};

/// Prints answers one after the other.
pub(super) struct Printer {
    format: Format,
    explain: Option<Explain>,
    color: bool,
    /// For [`Format::Json`], which is one array.
    held_back: Vec<Value>,
}

impl Printer {
    pub(super) fn new(format: Format, explain: Option<Explain>) -> Self {
        Self {
            format,
            explain,
            color: io::stdout().is_terminal(),
            held_back: Vec::new(),
        }
    }

    pub(super) fn print(&mut self, checked: &Checked) -> Result<(), Failure> {
        match self.format {
            Format::Text => output::line(&text(checked, self.explain, self.color)),
            Format::Jsonl => output::line(&json(checked).to_string()),
            Format::Json => {
                self.held_back.push(json(checked));
                Ok(())
            }
        }
    }

    pub(super) fn finish(self) -> Result<(), Failure> {
        if self.format == Format::Json {
            output::line(&format!("{:#}", Value::Array(self.held_back)))?;
        }
        Ok(())
    }
}

fn json(checked: &Checked) -> Value {
    let Checked { input, answer } = checked;
    let mut object = Map::new();
    let mut put = |name: &str, value: Value| object.insert(name.to_owned(), value);
    for (name, value) in [
        ("id", input.id.clone()),
        ("label", input.label.clone().map(Value::String)),
        ("source", input.source.clone().map(Value::String)),
    ] {
        if let Some(value) = value {
            put(name, value);
        }
    }
    put("verdict", json!(verdict_word(answer)));
    put("spam_probability", json!(answer.spam_probability));
    put(
        "reasons",
        answer.reasons.iter().map(|reason| reason.code.as_str()).collect(),
    );
    put("not_evaluated", json!(answer.not_evaluated));
    put("degraded", json!(answer.degraded));
    put("model_version", json!(answer.model_version));
    put("policy_version", json!(answer.policy_version));
    if let Some(explanation) = &answer.explanation {
        put("explanation", explanation_json(explanation));
    }
    Value::Object(object)
}

fn explanation_json(explanation: &proto::Explanation) -> Value {
    let contributions: Vec<_> = explanation
        .contributions
        .iter()
        .map(|c| json!({ "view": c.view, "term": c.term, "log_odds": c.log_odds, "start": c.start, "end": c.end, "message": c.message }))
        .collect();
    let parts: Vec<_> = explanation
        .parts
        .iter()
        .map(|part| json!({ "kind": part.kind, "share": part.share, "log_odds": part.log_odds, "phrases": part.phrases, "shapes": part.shapes }))
        .collect();
    json!({
        "sentence": explanation.sentence,
        "parts": parts,
        "base_log_odds": explanation.base_log_odds,
        "log_odds": explanation.log_odds,
        "contributions": contributions,
        "other_log_odds": explanation.other_log_odds,
        "evidence": explanation.evidence,
    })
}

fn text(checked: &Checked, explain: Option<Explain>, color: bool) -> String {
    let answer = &checked.answer;
    let paint = match answer.verdict() {
        proto::Verdict::Approve => "\u{1b}[32m",
        proto::Verdict::Hold => "\u{1b}[33m",
        _ => "\u{1b}[31m",
    };
    let (on, off) = if color { (paint, "\u{1b}[0m") } else { ("", "") };
    let mut text = format!("{on}{}{off}", verdict_word(answer));
    if let Some(probability) = answer.spam_probability {
        let _ = write!(text, "  spam probability {probability:.4}");
    }
    for reason in &answer.reasons {
        let _ = write!(text, "\n  {}: {}", reason.code, reason.moderator_message);
    }
    for code in answer.not_evaluated.iter().chain(&answer.degraded) {
        let _ = write!(text, "\n  not looked at: {code}");
    }
    if checked.input.only_text() {
        text.push_str("\n  (only the text was judged: no author's fields were given)");
    }
    if let Some(explanation) = &answer.explanation {
        let _ = write!(text, "\n\n  {}\n", printable(&explanation.sentence));
        text.push_str(&match explain {
            Some(Explain::Full) => table(explanation),
            Some(Explain::Words) | None => parts(explanation),
        });
    }
    text
}

/// Terms and phrases come out of the comment: control characters must not reach a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Each part on a line: its share, or the side that it pulls to if that is the other one, and what is quoted of it.
fn parts(explanation: &proto::Explanation) -> String {
    let mut text = String::new();
    for part in &explanation.parts {
        let share = match part.share {
            0.0 => "against it".to_owned(),
            share if share < 0.005 => "below 1 %".to_owned(),
            share => format!("{:.0} %", share * 100.0),
        };
        let phrases = part.phrases.iter().map(|phrase| format!("\u{201c}{phrase}\u{201d}"));
        let said: Vec<String> = phrases.chain(part.shapes.iter().cloned()).collect();
        let line = format!("  {share:>10}   {:<8} {}", part.kind, printable(&said.join(", ")));
        let _ = write!(text, "\n{}", line.trim_end());
    }
    text
}

/// Every listed term on a line, and what they add up to.
fn table(explanation: &proto::Explanation) -> String {
    let mut text = String::from("\n  log-odds   view      what\n");
    let _ = writeln!(
        text,
        "  {:>+8.3}   {:<9} before anything is read",
        explanation.base_log_odds, ""
    );
    for contribution in &explanation.contributions {
        let term = printable(&contribution.message);
        let _ = writeln!(
            text,
            "  {:>+8.3}   {:<9} {term}",
            contribution.log_odds, contribution.view
        );
    }
    let _ = writeln!(
        text,
        "  {:>+8.3}   {:<9} everything else",
        explanation.other_log_odds, ""
    );
    let _ = write!(
        text,
        "  {:>+8.3}   together; the model has evidence for {:.0} % of the text",
        explanation.log_odds,
        explanation.evidence * 100.0
    );
    text
}
