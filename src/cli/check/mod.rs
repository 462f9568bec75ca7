//! `moderato check`: judges comments by the whole policy, without limits, here or at a running service.

mod input;
pub(super) mod remote;
mod render;

use std::io::{self, BufRead, IsTerminal};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc;

use self::input::{Checked, Input};
use super::serve::load_model;
use super::{CommandResult, Exit, Failure};
use crate::api::grpc::proto;
use crate::artifact::{ActiveModel, LoadedModel};
use crate::clock::Clock;
use crate::config;
use crate::limit::{Limiter, MemorySettings};
use crate::operations::{Operations, Parts};
use crate::pipeline::Deps;
use crate::privacy::Pseudonymizer;
use crate::telemetry::{Events, Metrics, Traces};

/// `moderato check`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "Examples:
  moderato check --content 'Nice article!' --author-name Ann --author-email ann@example.org
  moderato check --content 'Buy ch3ap pills' --explain       a sentence, and each part's share
  moderato check --content 'Buy ch3ap pills' --explain=full  every term with its weight
  moderato check --data comments.jsonl --format jsonl        one object for each line, in order
  cat comments.jsonl | moderato check --data - --format jsonl
  moderato check --server http://127.0.0.1:50051 --content 'Hello'
  MODERATO_KEY=… moderato check --server https://moderato.example.org:50051 --ca ca.pem --content 'Hello'

A line of --data is an object with `content` and, where known, `id`, `label`, `source`, `author_name`, `author_email`,
`author_url`, `author_ip`, `article_hosts`, `parent_content`, `site`. A field that is not there is unknown, which is not
the same as left empty, and is not asked for. In a line without `author_email`, which is from a collection that kept no
forms, an empty `author_name` is unknown too. With flags: any of --author-name, --author-email, --author-url and
--author-ip makes it a form to be judged as a whole; with none of them, only the text is.")]
pub(super) struct Args {
    /// Judge the comments of a JSON Lines file; - reads standard input
    #[arg(long, value_name = "F", conflicts_with_all = ["content", "author_name", "author_email", "author_url", "author_ip"])]
    data: Option<PathBuf>,
    /// The comment's text
    #[arg(long, value_name = "TEXT", required_unless_present = "data")]
    content: Option<String>,
    /// The author's name
    #[arg(long, value_name = "NAME")]
    author_name: Option<String>,
    /// The author's e-mail address
    #[arg(long, value_name = "EMAIL")]
    author_email: Option<String>,
    /// The author's website
    #[arg(long, value_name = "URL")]
    author_url: Option<String>,
    /// The author's network address
    #[arg(long, value_name = "IP")]
    author_ip: Option<String>,
    /// Which site's policy judges
    #[arg(long, value_name = "SITE", default_value = "default")]
    site: String,
    /// Show what weighed most: in words, or term by term; JSON has both
    #[arg(long, value_enum, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "words")]
    explain: Option<Explain>,
    /// How to print the answer [default: text for one comment, jsonl for --data]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// The spam model [default: the shipped one]
    #[arg(long, value_name = "F", conflicts_with = "server")]
    model: Option<PathBuf>,
    /// The configuration file; a running service has its own
    #[arg(long, value_name = "F", env = "MODERATO_CONFIG")]
    config: Option<PathBuf>,
    /// Ask a running service, as a dry run; https:// speaks TLS
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    #[command(flatten)]
    credentials: remote::Credentials,
}

/// How text shows an explanation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Explain {
    /// A sentence and the parts.
    Words,
    /// The sentence and the table of terms.
    Full,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One array.
    Json,
    /// One object a line.
    Jsonl,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    let format = args.format.unwrap_or(if args.data.is_some() {
        Format::Jsonl
    } else {
        Format::Text
    });
    let mut judge = Judge::new(args)?;
    let mut printer = render::Printer::new(format, args.explain);
    match &args.data {
        None => {
            let input = Input::from_flags(args);
            let checked = judge.judge(input, 1)?;
            printer.print(&checked)?;
        }
        Some(path) => {
            let bar = progress_bar();
            let mut done = |checked: Checked| {
                bar.inc(1);
                printer.print(&checked)
            };
            match &mut judge {
                Judge::There(remote) => remote.judge_all(inputs_aside(path, args), done)?,
                Judge::Here(_) => {
                    for input in inputs(path, args)? {
                        let (number, input) = input?;
                        done(judge.judge(input, number)?)?;
                    }
                }
            }
            bar.finish_and_clear();
        }
    }
    printer.finish()?;
    Ok(Exit::Ok)
}

/// The comments of a file, each with its number.
fn inputs<'a>(
    path: &'a Path,
    args: &'a Args,
) -> Result<impl Iterator<Item = Result<(usize, Input), Failure>> + 'a, Failure> {
    let read = move |(index, line): (usize, io::Result<String>)| {
        let number = index + 1;
        let line = line
            .with_context(|| format!("read line {number} of {}", path.display()))
            .map_err(|error| Failure::new(Exit::Data, error));
        let line = match line {
            Ok(line) if line.trim().is_empty() => return None,
            Ok(line) => line,
            Err(failure) => return Some(Err(failure)),
        };
        let input = Input::from_json(&line, args)
            .map_err(|what| Failure::new(Exit::Data, anyhow::anyhow!("{} line {number}: {what}", path.display())));
        Some(input.map(|input| (number, input)))
    };
    Ok(lines(path)?.enumerate().filter_map(read))
}

/// The same, read by a thread of its own, since reading may wait for a person: up to the first that cannot be read.
fn inputs_aside(path: &Path, args: &Args) -> mpsc::Receiver<Result<(usize, Input), Failure>> {
    let (path, args) = (path.to_owned(), args.clone());
    let (send, receive) = mpsc::channel(64);
    std::thread::spawn(move || match inputs(&path, &args) {
        Err(failure) => drop(send.blocking_send(Err(failure))),
        Ok(inputs) => {
            for input in inputs {
                let is_last = input.is_err();
                // Nobody takes any more: it has ended already.
                if send.blocking_send(input).is_err() || is_last {
                    return;
                }
            }
        }
    });
    receive
}

/// How many have been judged, on a terminal that shows nothing else.
fn progress_bar() -> ProgressBar {
    if io::stdout().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {human_pos} comments judged, {per_sec}");
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()))
}

fn lines(path: &Path) -> Result<Box<dyn Iterator<Item = io::Result<String>>>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(Box::new(io::stdin().lock().lines()));
    }
    let file = std::fs::File::open(path)
        .with_context(|| format!("open {}", path.display()))
        .map_err(|error| Failure::new(Exit::Data, error))?;
    Ok(Box::new(io::BufReader::new(file).lines()))
}

/// Who judges.
enum Judge {
    /// The pipeline, in this process.
    Here(Box<Deps>),
    /// A running service.
    There(Box<remote::Remote>),
}

impl Judge {
    fn new(args: &Args) -> Result<Self, Failure> {
        if let Some(url) = &args.server {
            return remote::Remote::connect(url, &args.credentials).map(|remote| Self::There(Box::new(remote)));
        }
        let config = config::load(args.config.as_deref()).map_err(|error| Failure::new(Exit::Config, error))?;
        let model = load_model(args.model.as_deref())?;
        // Nothing is counted, so nothing is remembered and no key is needed.
        let limiter = Limiter::memory(&MemorySettings {
            subjects_max: 1,
            replay_bytes_max: 0,
        });
        let operations = Operations::new(Parts {
            metrics: Metrics::off(&config.sites),
            recorder: None,
            sites: Arc::new(config.sites),
            models: ActiveModel::fixed(Some(LoadedModel {
                model,
                loaded_at: Clock::System.now(),
            })),
            limiter,
            pseudonymizer: Pseudonymizer::new(&[]),
            clock: Clock::System,
        });
        let deps = Deps::new(Arc::new(operations), Events::OBJECTIONS, Traces::Off, [0; 16]);
        Ok(Self::Here(Box::new(deps)))
    }

    fn judge(&mut self, input: Input, number: usize) -> Result<Checked, Failure> {
        let request = input.request(matches!(self, Self::There(_)));
        let answer = match self {
            Self::There(remote) => remote.judge(request),
            Self::Here(deps) => crate::api::grpc::check(deps, request, input.unknown()),
        };
        let answer = answer.map_err(|status| Failure::new(exit_for(&status), refusal(&status, number)))?;
        Ok(Checked { input, answer })
    }
}

fn exit_for(status: &tonic::Status) -> Exit {
    match status.code() {
        // tonic answers its own time-out with CANCELLED.
        tonic::Code::Unavailable | tonic::Code::DeadlineExceeded | tonic::Code::Cancelled => Exit::Unreachable,
        tonic::Code::InvalidArgument | tonic::Code::OutOfRange => Exit::Data,
        tonic::Code::NotFound | tonic::Code::Unauthenticated | tonic::Code::PermissionDenied => Exit::Config,
        _ => Exit::Unexpected,
    }
}

fn refusal(status: &tonic::Status, number: usize) -> anyhow::Error {
    anyhow::anyhow!("comment {number} was not judged: {}", status.message())
}

/// The verdict's word in JSON.
fn verdict_word(answer: &proto::ModerateResponse) -> &'static str {
    match answer.verdict() {
        proto::Verdict::Approve => "approve",
        proto::Verdict::Hold => "hold",
        proto::Verdict::Reject => "reject",
        proto::Verdict::Unspecified => "unspecified",
    }
}
