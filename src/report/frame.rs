//! A frame for a picture, as SVG without a library: axes, lines, dots and marks.

use std::fmt::Write;

use super::figures::probability;
use crate::eval::report::ThresholdsUsed;

const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 58.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 44.0;

/// The scale of an axis.
#[derive(Clone, Copy)]
pub(super) enum Scale {
    Linear {
        from: f64,
        to: f64,
    },
    /// By powers of ten; what is below the start lies on it.
    Log {
        from: f64,
        to: f64,
    },
    /// Probabilities by their log-odds.
    Logit {
        from: f64,
        to: f64,
    },
}

impl Scale {
    /// The position of a value, from 0 to 1.
    fn place(self, value: f64) -> f64 {
        let between = |value: f64, from: f64, to: f64| ((value - from) / (to - from)).clamp(0.0, 1.0);
        let logit = |p: f64| (p / (1.0 - p)).ln();
        match self {
            Self::Linear { from, to } => between(value, from, to),
            Self::Log { from, to } => between(value.max(from).log10(), from.log10(), to.log10()),
            Self::Logit { from, to } => between(logit(value.clamp(from, to)), logit(from), logit(to)),
        }
    }
}

/// A frame: an SVG under construction.
pub(super) struct Frame {
    svg: String,
    x: Scale,
    y: Scale,
}

impl Frame {
    pub(super) fn new(label: &str, x: Scale, y: Scale) -> Self {
        let svg = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{label}\">");
        Self { svg, x, y }
    }

    pub(super) fn at(&self, x: f64, y: f64) -> (f64, f64) {
        let across = LEFT + self.x.place(x) * (WIDTH - LEFT - RIGHT);
        (across, HEIGHT - BOTTOM - self.y.place(y) * (HEIGHT - TOP - BOTTOM))
    }

    pub(super) fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.svg.write_fmt(element);
    }

    pub(super) fn axes(&mut self, x_title: &str, x_ticks: &[(f64, &str)], y_title: &str, y_ticks: &[(f64, &str)]) {
        let (right, floor) = (WIDTH - RIGHT, HEIGHT - BOTTOM);
        for (value, label) in x_ticks {
            let x = LEFT + self.x.place(*value) * (WIDTH - LEFT - RIGHT);
            let below = floor + 16.0;
            self.add(format_args!("<path class=\"grid\" d=\"M{x:.1} {TOP}V{floor}\"/>"));
            self.add(format_args!(
                "<text x=\"{x:.1}\" y=\"{below}\" class=\"mid\">{label}</text>"
            ));
        }
        for (value, label) in y_ticks {
            let y = floor - self.y.place(*value) * (HEIGHT - TOP - BOTTOM);
            let (text_x, text_y) = (LEFT - 7.0, y + 4.0);
            self.add(format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>"));
            self.add(format_args!(
                "<text x=\"{text_x}\" y=\"{text_y:.1}\" class=\"end\">{label}</text>"
            ));
        }
        let (middle, bottom) = ((LEFT + right) / 2.0, HEIGHT - 7.0);
        self.add(format_args!(
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{floor}H{right}\"/>"
        ));
        self.add(format_args!(
            "<text x=\"{middle}\" y=\"{bottom}\" class=\"mid title\">{x_title}</text>"
        ));
        let upright = f64::midpoint(TOP, floor);
        self.add(format_args!(
            "<text transform=\"translate(12 {upright}) rotate(-90)\" class=\"mid title\">{y_title}</text>"
        ));
    }

    /// A line through points; as a staircase, each value holds until the next.
    pub(super) fn line(&mut self, class: &str, points: impl Iterator<Item = (f64, f64)>, staircase: bool) {
        let mut path = String::new();
        for (x, y) in points {
            let (x, y) = self.at(x, y);
            let _ = match (path.is_empty(), staircase) {
                (true, _) => write!(path, "M{x:.1} {y:.1}"),
                (false, true) => write!(path, "H{x:.1}V{y:.1}"),
                (false, false) => write!(path, "L{x:.1} {y:.1}"),
            };
        }
        self.add(format_args!("<path class=\"line {class}\" d=\"{path}\"/>"));
    }

    pub(super) fn dot(&mut self, class: &str, x: f64, y: f64, radius: f64, tip: &str) {
        let (x, y) = self.at(x, y);
        self.add(format_args!(
            "<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\"><title>{tip}</title></circle>"
        ));
    }

    pub(super) fn note(&mut self, x: f64, y: f64, class: &str, text: &str) {
        let (x, y) = self.at(x, y);
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"note {class}\">{text}</text>"
        ));
    }

    /// Upright lines where the verdicts begin.
    pub(super) fn thresholds(&mut self, used: &[ThresholdsUsed]) {
        let [only] = used else { return };
        let marks = [Some((only.hold_at, "hold")), only.reject_at.map(|at| (at, "reject"))];
        for (at, word) in marks.into_iter().flatten() {
            let x = LEFT + self.x.place(at) * (WIDTH - LEFT - RIGHT);
            let (floor, text_y) = (HEIGHT - BOTTOM, TOP + 9.0);
            let (text_x, anchor) = if x > WIDTH - 90.0 {
                (x - 4.0, "end")
            } else {
                (x + 4.0, "start")
            };
            let tip = probability(at);
            self.add(format_args!(
                "<path class=\"mark\" d=\"M{x:.1} {TOP}V{floor}\"><title>{word} at {tip}</title></path>"
            ));
            self.add(format_args!(
                "<text x=\"{text_x:.1}\" y=\"{text_y}\" class=\"note {anchor}\">{word}</text>"
            ));
        }
    }

    pub(super) fn end(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}
