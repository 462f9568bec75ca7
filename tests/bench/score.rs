//! What scoring one comment costs, with the shipped model: nanoseconds here, instructions under callgrind.
//!
//! ```sh
//! cargo bench --bench score                      # nanoseconds a comment
//! cargo bench --bench score --no-run             # prints the program's path; then, for instructions a comment:
//! valgrind --tool=callgrind --toggle-collect='*SpamModel*assess*' PROGRAM 1000
//! ```

use std::hint::black_box;
use std::time::Instant;

use moderato::artifact;
use moderato::model::Reading;

/// 300 bytes of ASCII each, of our own making.
const COMMENTS: [&str; 2] = [
    "I read the whole article and I am still not sure what the council wants to do about the bridge. They said the same \
     thing in 2012, and nothing happened for years. Perhaps somebody should ask the engineers who wrote the report \
     before another million is spent on paint? My neighbors and I would be glad of an answer.",
    "Hey everyone, check out my new channel for the best covers and free music every week!!! I just uploaded a song \
     that took me three months, so please watch it, leave a comment and SUBSCRIBE if you like it. You can also visit \
     http://www.example.com/music?id=42 for a free download and a chance to win 500 dollars!",
];

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark speaks to a person"
)]
fn main() {
    let n: u32 = std::env::args()
        .filter_map(|arg| arg.parse().ok())
        .next()
        .unwrap_or(100_000);
    let began = Instant::now();
    let Ok(model) = artifact::embedded() else {
        eprintln!("the embedded model cannot be read");
        return;
    };
    let load = began.elapsed();
    for comment in COMMENTS {
        let began = Instant::now();
        for _ in 0..n {
            black_box(model.assess(&Reading::of(black_box(comment))));
        }
        let nanoseconds = began.elapsed().as_nanos() / u128::from(n);
        println!("{} bytes: {nanoseconds} ns a comment over {n} rounds", comment.len());
    }
    println!("loading the embedded model: {load:?}");
}
