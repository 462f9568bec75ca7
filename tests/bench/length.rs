//! What a long comment costs, whatever it is made of: time of its own for one of 64 KiB, and instructions by length,
//! which have to grow as the length does; once for the model's score, once for the signals (links, lists, form) that
//! need none.
//!
//! ```sh
//! cargo bench --bench length        # needs valgrind for the instructions; without it the times alone
//! ```
//!
//! It ends with 1 if four times the length costs more than five times the instructions, or 64 KiB more than 5 ms for
//! either.

use std::hint::black_box;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use moderato::artifact;
use moderato::comment::Comment;
use moderato::config;
use moderato::model::{Reading, SpamModel};
use moderato::sensitive::Sensitive;
use moderato::signals;
use moderato::site::{FieldSet, SiteId, SitePolicy};

/// Lengths in bytes; each four times the one before.
const LENGTHS: [usize; 3] = [4_096, 16_384, 65_536];

/// The most instructions that four times the length may cost, against once.
const GROWTH_MAX: f64 = 5.0;

/// The longest that 64 KiB may take.
const TIME_MAX: Duration = Duration::from_millis(5);

/// What people and bots may fill a comment with: pieces that are repeated, each made different by its number where
/// `{}` stands.
const KINDS: [(&str, &str); 26] = [
    (
        "prose",
        "I read the whole article {} and still wonder what the council wants to do. ",
    ),
    ("distinct words", "w{}x "),
    ("links", "http://h{}.example.com/{}?q={} "),
    ("bare links", "h{}.example.org "),
    ("short links", "a{}.co "),
    ("own links", "a{}.gazette.example "),
    ("accented links", "ü{}.de "),
    ("Cyrillic links", "п{}.рф "),
    ("links with users", "http://u@a{}.co "),
    ("glued links", "http://h{}.example.com"),
    ("e-mails", "user{}@mail{}.example.net "),
    ("entities", "&lt;&#x41;&amp;&nbsp;&#{};"),
    ("open tags", "<a href='http://x{}.example'><b>"),
    ("open brackets", "[url=http://x{}.example][b]"),
    ("look-alikes", "frее mоnеy{} "),
    ("full width", "ｆｒｅｅ ｍｏｎｅｙ "),
    ("combining marks", "a\u{301}\u{323}\u{330}\u{488}"),
    ("zero width", "f\u{200b}r\u{200c}e\u{200d}e "),
    ("Chinese", "我昨天看了这篇文章觉得写得很好"),
    ("emoji", "👨‍👩‍👧‍👦👍🏽🇩🇪"),
    ("spaced letters", "f r e e m.o.n.e.y "),
    ("one word", "a"),
    ("dots and ats", ".@:/"),
    ("no hosts", "a._"),
    ("borrowed dots", "е.:"),
    ("a letter a word", " е;"),
];

fn fill(piece: &str, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + piece.len());
    let mut n = 0_u32;
    while text.len() < bytes {
        text.push_str(&piece.replace("{}", &n.to_string()));
        n += 1;
    }
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

/// What is measured.
struct Bench {
    model: SpamModel,
    policy: std::sync::Arc<SitePolicy>,
}

/// A site with lists and hosts of its own.
const SITE: &str = "[site.gazette]\nlinks.own_hosts = [\"gazette.example\"]\n\
    lists.block.hosts = [\"pills.example\", \"*.top\"]\nlists.moderate.words = [\"casino\", \"buy now\"]\n\
    lists.moderate.substrings = [\"viagra\"]\n";

impl Bench {
    fn new() -> Option<Self> {
        let sites = config::parse(SITE, Path::new("bench.toml")).ok()?.sites;
        let site = SiteId::new("gazette").ok()?;
        Some(Self {
            model: artifact::embedded().ok()?,
            policy: sites.get(&site)?.clone(),
        })
    }

    fn score(&self, text: &str) {
        black_box(self.model.assess(&Reading::of(black_box(text))));
    }

    fn signals(&self, comment: &Comment) {
        black_box(signals::collect(black_box(comment), &self.policy, FieldSet::default()));
    }
}

fn comment(text: &str) -> Comment {
    Comment {
        content: Sensitive::new(text.to_owned()),
        ..Comment::default()
    }
}

/// The shortest of some rounds: what is longer was somebody else's.
fn time(work: impl Fn()) -> Duration {
    let round = || {
        let began = Instant::now();
        work();
        began.elapsed()
    };
    (0..30).map(|_| round()).min().unwrap_or_default()
}

/// Instructions of one comment, counted by callgrind in a process of its own: those of what `toggle` names.
fn instructions(toggle: &str, kind: usize, length: usize) -> Option<u64> {
    let program = std::env::current_exe().ok()?;
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={toggle}"))
        .arg(program)
        .args(["count", &kind.to_string(), &length.to_string()])
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let collected = said.lines().find_map(|line| line.split_once("Collected : "))?.1;
    collected.trim().parse().ok()
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a benchmark speaks to a person"
)]
fn main() -> ExitCode {
    let Some(bench) = Bench::new() else {
        eprintln!("the embedded model or the site's settings cannot be read");
        return ExitCode::FAILURE;
    };
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [what, kind, length] = args.as_slice()
        && what == "count"
    {
        let kind = kind.parse().ok().and_then(|kind: usize| KINDS.get(kind));
        if let (Some((_, piece)), Ok(length)) = (kind, length.parse()) {
            let text = fill(piece, length);
            bench.score(&text);
            bench.signals(&comment(&text));
        }
        return ExitCode::SUCCESS;
    }
    println!(
        "{:16} {:8} {:>9} {:>12} {:>12} {:>12} {:>7}",
        "64 KiB of", "", "ms", "Ir 4 KiB", "Ir 16 KiB", "Ir 64 KiB", "growth"
    );
    let mut kept = true;
    for (index, (kind, piece)) in KINDS.into_iter().enumerate() {
        let text = fill(piece, LENGTHS[2]);
        let sent = comment(&text);
        for (what, toggle, took) in [
            ("score", "*SpamModel*assess*", time(|| bench.score(&text))),
            ("signals", "*::signals::collect*", time(|| bench.signals(&sent))),
        ] {
            let counts = LENGTHS.map(|length| instructions(toggle, index, length));
            let growth = match counts {
                [_, Some(short), Some(long)] if short > 0 => long as f64 / short as f64,
                _ => 0.0,
            };
            kept &= took <= TIME_MAX && growth <= GROWTH_MAX;
            let [a, b, c] = counts.map(|count| count.map_or("–".to_owned(), |count| count.to_string()));
            println!(
                "{kind:16} {what:8} {:9.3} {a:>12} {b:>12} {c:>12} {growth:7.2}",
                took.as_secs_f64() * 1e3
            );
        }
    }
    if kept {
        ExitCode::SUCCESS
    } else {
        println!("MISSED: more than {TIME_MAX:?}, or instructions grow faster than the length");
        ExitCode::FAILURE
    }
}
