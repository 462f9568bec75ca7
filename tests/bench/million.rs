//! What training on a million distinct comments takes: seconds and peak memory of the built command.
//!
//! ```sh
//! cargo bench --bench million                  # a million comments, a third of them spam
//! cargo bench --bench million -- 200000        # fewer
//! ```
//!
//! The comments are made up on the fly, none twice: sentences of our own, filled with invented words as frequent as
//! words are (Zipf), with slips of the pen. The file is some 300 MB in the system's temporary folder, and is gone
//! afterwards.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// xorshift64* (Vigna 2016): the same comments every time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() >> 33) as usize % n
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }

    /// In [0, 1).
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / 9_007_199_254_740_992.0
    }
}

const OPENINGS: [&str; 12] = [
    "I read the whole piece and",
    "With all respect to the author,",
    "My neighbor told me that",
    "This is not the first time that",
    "Nobody who lives here believes that",
    "For once I agree:",
    "What the report leaves out is that",
    "As a teacher I can only say that",
    "Let us wait and see, but",
    "It was the same ten years ago, when",
    "I would like to know why",
    "Thank you for writing this;",
];
const MIDDLES: [&str; 10] = [
    "the council has never answered for",
    "people are tired of hearing about",
    "there is more to say about",
    "we all paid for",
    "somebody should look into",
    "the old plan was better than",
    "my family still remembers",
    "the paper says too little of",
    "no one asked us about",
    "it all comes down to",
];
const OFFERS: [&str; 10] = [
    "Cheap {} delivered to your door,",
    "I earned $4000 last month with {},",
    "CHECK OUT my new {} channel!!!",
    "Best {} casino bonus of the year,",
    "Hot singles near {} are waiting,",
    "Your {} essay written in one night,",
    "Lose 20 pounds with {} tea,",
    "Real {} followers, no password needed,",
    "Fast {} loans without questions,",
    "Replica {} watches at half the price,",
];
const CALLS: [&str; 8] = [
    "click here now",
    "visit us before midnight",
    "subscribe and win",
    "write to our manager today",
    "limited offer, do not wait",
    "see the video on my page",
    "order now and save",
    "join for free",
];
const SYLLABLES: [&str; 40] = [
    "ba", "ber", "bo", "ca", "con", "da", "del", "di", "do", "en", "er", "fa", "fi", "ga", "gen", "go", "ha", "in",
    "ka", "la", "le", "lo", "ma", "men", "mi", "na", "ne", "no", "or", "pa", "per", "ra", "re", "sa", "sel", "ta",
    "ter", "ti", "ver", "vo",
];
/// Invented words.
const N_WORDS: usize = 150_000;

/// The word of a rank: the same rank, the same word.
fn word(rank: usize, into: &mut String) {
    let mut random = Random((rank as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    for _ in 0..2 + random.below(3) {
        into.push_str(random.pick(&SYLLABLES));
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "from 1 to N_WORDS"
)]
/// A rank as words have it: the n-th most frequent comes about 1/n as often as the first.
fn rank(random: &mut Random) -> usize {
    ((N_WORDS as f64).powf(random.unit()) as usize).min(N_WORDS) - 1
}

fn words(n: usize, random: &mut Random, into: &mut String) {
    for _ in 0..n {
        into.push(' ');
        word(rank(random), into);
    }
}

/// A comment like no other.
fn comment(spam: bool, random: &mut Random, text: &mut String) {
    text.clear();
    if spam {
        let mut what = String::new();
        word(rank(random), &mut what);
        text.push_str(&random.pick(&OFFERS).replace("{}", &what));
        let n = 3 + random.below(25);
        words(n, random, text);
        let call = random.pick(&CALLS);
        let host = rank(random);
        let _ = write!(text, ", {call} http://");
        word(host, text);
        let _ = write!(text, ".example/{:x}", random.next() & 0xf_ffff);
    } else {
        for _ in 0..1 + random.below(3) {
            let (opening, middle) = (random.pick(&OPENINGS), random.pick(&MIDDLES));
            let _ = write!(text, "{opening} {middle}");
            let n = 4 + random.below(22);
            words(n, random, text);
            text.push_str(". ");
        }
    }
    // A slip of the pen: a letter twice.
    let at = random.below(text.len());
    if text.is_char_boundary(at)
        && let Some(letter) = text[at..].chars().next()
    {
        text.insert(at, letter);
    }
}

fn write_corpus(path: &Path, n: u64) -> io::Result<u64> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    let mut random = Random(42);
    let mut text = String::new();
    for i in 0..n {
        let spam = i % 3 == 0;
        comment(spam, &mut random, &mut text);
        let label = if spam { "spam" } else { "ham" };
        writeln!(
            file,
            "{{\"label\":\"{label}\",\"content\":\"{text}\",\"source\":\"made up\"}}"
        )?;
    }
    file.into_inner()?.metadata().map(|file| file.len())
}

/// The highest resident memory so far, in MiB, where the system says so.
fn peak_mib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim()
        .strip_suffix(" kB")?
        .parse::<u64>()
        .ok()
        .map(|kib| kib / 1024)
}

#[expect(clippy::print_stdout, reason = "a benchmark speaks to a person")]
#[expect(
    clippy::disallowed_methods,
    reason = "it looks at another process's clock and memory"
)]
fn main() -> io::Result<()> {
    let n: u64 = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .next()
        .unwrap_or(1_000_000);
    let folder = tempfile::tempdir()?;
    let (data, out) = (folder.path().join("comments.jsonl"), folder.path().join("m.moderato"));
    let n_bytes = write_corpus(&data, n)?;
    println!("{n} comments, {} MB", n_bytes / 1_000_000);
    let began = Instant::now();
    let mut train = Command::new(env!("CARGO_BIN_EXE_moderato"))
        .arg("train")
        .args([Path::new("--data"), &data, Path::new("--out"), &out])
        .stdin(Stdio::null())
        .spawn()?;
    let mut peak = None;
    let status = loop {
        peak = peak_mib(train.id()).or(peak);
        if let Some(status) = train.try_wait()? {
            break status;
        }
        thread::sleep(Duration::from_millis(20));
    };
    let seconds = began.elapsed().as_secs_f64();
    let model = std::fs::metadata(&out).map_or(0, |file| file.len());
    let peak = peak.map_or("unknown".to_owned(), |mib| format!("{mib} MiB"));
    println!(
        "{status}; {seconds:.1} s; peak memory {peak}; model {} KiB",
        model / 1024
    );
    Ok(())
}
