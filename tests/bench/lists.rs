//! What lists cost a comment: the whole of `check` (signals, model, judge) without lists, and with a hundred thousand
//! entries of every kind.
//!
//! ```sh
//! cargo bench --bench lists                      # nanoseconds a comment, and the ratio within rounds
//! cargo bench --bench lists --no-run             # prints the program's path; then, for instructions a comment:
//! for n in 0 100000; do valgrind --tool=callgrind --toggle-collect='*pipeline*check*' PROGRAM --entries $n 200; done
//! ```

#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has nothing better to do than to say why and stop"
)]

use std::fmt::Write;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use moderato::artifact::{self, ActiveModel, LoadedModel};
use moderato::clock::{Clock, Timestamp};
use moderato::comment::{Action, Author, Comment};
use moderato::config;
use moderato::limit::{Limiter, MemorySettings};
use moderato::operations::{Operations, Parts};
use moderato::pipeline::{self, Deps, Submission};
use moderato::privacy::Pseudonymizer;
use moderato::sensitive::Sensitive;
use moderato::site::{FieldSet, SiteId};
use moderato::telemetry::{Events, Metrics, Traces};

/// Four comments of our own making: English, German with marks, Russian, and one with links; some 300 bytes each.
const TEXTS: [&str; 4] = [
    "I read the whole article and I am still not sure what the council wants to do about the bridge. They said the same \
     thing in 2012, and nothing happened for years. Perhaps somebody should ask the engineers who wrote the report \
     before another million is spent on paint? My neighbors and I would be glad of an answer.",
    "Ich habe den Artikel zweimal gelesen und verstehe immer noch nicht, warum die Brücke schon wieder gesperrt wird. \
     Für die Anwohner ist das eine Zumutung, denn der Umweg über die Höhenstraße dauert morgens über eine halbe \
     Stunde, und für Fußgänger gibt es überhaupt keine Lösung.",
    "Я живу рядом с этим мостом и каждый день стою в пробке. Когда это наконец закончится? Обещали открыть весной, \
     потом осенью, а теперь уже никто ничего не обещает.",
    "They wrote the same thing last year, see https://news.example.com/cities/2016/mar/01/bridge-report and nothing has \
     happened since. The figures are at www.example.org/figures for those who want to read them, and the minutes of \
     the meeting are still secret, which tells you everything about this council.",
];

fn main() {
    let args: Vec<String> = std::env::args().skip(1).filter(|arg| arg != "--bench").collect();
    let entries = args.iter().position(|arg| arg == "--entries");
    let entries: Option<usize> = entries.and_then(|at| args.get(at + 1)?.parse().ok());
    let rounds: u32 = args.last().and_then(|arg| arg.parse().ok()).unwrap_or(4_000);
    if let Some(entries) = entries {
        println!("{} entries: {:.0} ns a comment", entries, run(&deps(entries), rounds));
        return;
    }
    let (without, with) = (deps(0), deps(100_000));
    let mut ratios = Vec::new();
    for _ in 0..9 {
        let (a, b) = (run(&without, rounds), run(&with, rounds));
        println!("no lists {a:.0} ns, 100,000 entries {b:.0} ns a comment");
        ratios.push(b / a);
    }
    ratios.sort_by(f64::total_cmp);
    println!("ratio (median of {}): {:.3}", ratios.len(), ratios[ratios.len() / 2]);
}

/// Nanoseconds for one comment.
fn run(deps: &Deps, rounds: u32) -> f64 {
    let submissions = TEXTS.map(submission);
    let began = Instant::now();
    for _ in 0..rounds {
        for submission in &submissions {
            let judged = pipeline::check(deps, black_box(submission), FieldSet::default());
            black_box(judged.expect("the site is known"));
        }
    }
    began.elapsed().as_nanos() as f64 / f64::from(rounds) / submissions.len() as f64
}

fn submission(text: &str) -> Submission {
    let s = |text: &str| Sensitive::new(text.to_owned());
    Submission {
        site: SiteId::new("gazette").expect("a name"),
        comment: Comment {
            content: s(text),
            author: Author {
                name: s("Ann Reader"),
                email: s("ann@example.org"),
                address: Some(Sensitive::new([203, 0, 113, 7].into())),
                ..Author::default()
            },
            ..Comment::default()
        },
        action: Action::Submit,
        request: None,
        previous: None,
        explain: false,
        dry_run: true,
        call: None,
    }
}

fn deps(entries: usize) -> Deps {
    let began = Instant::now();
    let config = config::parse(&settings(entries), Path::new("bench.toml")).expect("good settings");
    println!("{entries} entries compiled in {:?}", began.elapsed());
    let clock = Clock::manual(Timestamp::from_micros(1));
    let operations = Operations::new(Parts {
        metrics: Metrics::off(&config.sites),
        sites: Arc::new(config.sites),
        models: ActiveModel::fixed(Some(LoadedModel {
            model: artifact::embedded().expect("the shipped model"),
            loaded_at: clock.now(),
        })),
        limiter: Limiter::memory(&MemorySettings {
            subjects_max: 10,
            replay_bytes_max: 1_000,
        }),
        pseudonymizer: Pseudonymizer::new(&[7; 32]),
        clock,
        recorder: None,
    });
    Deps::new(Arc::new(operations), Events::OBJECTIONS, Traces::Off, [0; 16])
}

/// A tenth networks, a tenth accounts, a tenth e-mail domains, two tenths hosts, four tenths words, a tenth parts of
/// words; none of them matches.
fn settings(entries: usize) -> String {
    let tenth = entries / 10;
    let list = |n: usize, entry: &dyn Fn(usize) -> String| {
        (0..n).fold(String::new(), |mut list, i| {
            let _ = write!(list, "{:?},", entry(i));
            list
        })
    };
    let network = |i: usize| format!("10.{}.{}.{}", i >> 16 & 255, i >> 8 & 255, i & 255);
    format!(
        "[site.gazette.lists.block]\nnetworks = [{}]\naccounts = [{}]\nemail_domains = [{}]\nhosts = [{}]\n\
         [site.gazette.lists.moderate]\nwords = [{}]\nsubstrings = [{}]\n",
        list(tenth, &network),
        list(tenth, &|i| format!("user-{i}")),
        list(tenth, &|i| format!("mail{i}.example")),
        list(2 * tenth, &|i| format!("spam-host-{i}.example")),
        list(4 * tenth, &word),
        list(tenth, &|i| format!("zz{}", word(i))),
    )
}

/// A word that can be spoken, as those of a list can: `babadu`.
fn word(n: usize) -> String {
    const SYLLABLES: [&str; 16] = [
        "ba", "ko", "ti", "ren", "su", "mal", "vi", "do", "gra", "pel", "sho", "nu", "ji", "fe", "wo", "kir",
    ];
    (0..5).map(|at| SYLLABLES[n >> (4 * at) & 15]).chain(["q"]).collect()
}
