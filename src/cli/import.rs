//! `moderato import`: past moderation as training data.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use tempfile::NamedTempFile;

use super::{CommandResult, Exit, Failure, output};
use crate::comment::Label;
use crate::import::{self, Column, Columns, Format, ImportError, Rules, Skipped};

/// `moderato import …`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moderato import wordpress blog.WordPress.2026-11-01.xml spam.json --out blog.jsonl
  moderato import disqus gazette-all.xml.gz --out gazette.jsonl
  moderato import csv moderated.csv --column content=body --column label=status --ham ok --spam junk --out old.jsonl

WordPress' own export (Tools, Export) leaves spam out; it comes from
  wp comment list --status=spam --format=json --fields=comment_ID,comment_post_ID,comment_date_gmt,comment_approved,\\
comment_type,comment_author,comment_author_url,comment_content > spam.json

Files may be compressed with gzip. E-mail and network addresses of authors are not written. If a file is broken, nothing
is written, the place is named, and the exit code is 4.")]
pub(super) struct Args {
    #[command(subcommand)]
    command: ImportCommand,
}

#[derive(Debug, Subcommand)]
enum ImportCommand {
    /// A WordPress export (WXR), or the JSON of wp comment list
    Wordpress {
        #[command(flatten)]
        common: Common,
    },
    /// A Disqus export
    Disqus {
        #[command(flatten)]
        common: Common,
    },
    /// A table with a row of names, separated by commas, semicolons or tabs
    Csv {
        #[command(flatten)]
        common: Common,
        /// Which column is which, as content=body; the fields are those of the training format [default: columns of
        /// their names]
        #[arg(long, value_name = "FIELD=NAME", value_parser = column)]
        column: Vec<(Column, String)>,
        /// A label that means ham [default: ham, approved, published]
        #[arg(long, value_name = "LABEL")]
        ham: Vec<String>,
        /// A label that means spam [default: spam]
        #[arg(long, value_name = "LABEL")]
        spam: Vec<String>,
        /// What separates fields [default: whatever stands most often between the names]
        #[arg(long, value_name = "C", value_parser = delimiter)]
        delimiter: Option<u8>,
    },
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The files; - is standard input
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Where to write the labeled comments, as JSON Lines; - is standard output
    #[arg(long, value_name = "F")]
    out: PathBuf,
    /// What to call the collection, for slices of reports [default: the file's name]
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Take what waits for a decision as this
    #[arg(long, value_name = "LABEL", value_enum)]
    pending_as: Option<AsLabel>,
    /// Take what was thrown away or deleted as this
    #[arg(long, value_name = "LABEL", value_enum)]
    trash_as: Option<AsLabel>,
    /// Take pingbacks and trackbacks, too
    #[arg(long)]
    pingbacks: bool,
    /// Leave out the names and websites that authors gave
    #[arg(long)]
    without_authors: bool,
    /// What the files are written in, if not UTF-8 and if they do not say so
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
    /// How to print the counts
    #[arg(long, value_enum, default_value_t = Print::Text)]
    format: Print,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum AsLabel {
    Ham,
    Spam,
}

impl From<AsLabel> for Label {
    fn from(label: AsLabel) -> Self {
        match label {
            AsLabel::Ham => Self::Ham,
            AsLabel::Spam => Self::Spam,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Print {
    Text,
    Json,
}

fn column(text: &str) -> Result<(Column, String), String> {
    let known = || Column::ALL.map(Column::name).join(", ");
    let (field, name) = text
        .split_once('=')
        .ok_or_else(|| "FIELD=NAME is needed, as content=body".to_owned())?;
    let column = Column::ALL.into_iter().find(|column| column.name() == field);
    let column = column.ok_or_else(|| format!("{field:?} is none of {}", known()))?;
    Ok((column, name.to_owned()))
}

fn delimiter(text: &str) -> Result<u8, String> {
    match text {
        "\\t" | "tab" => Ok(b'\t'),
        _ => match text.as_bytes() {
            &[one] => Ok(one),
            _ => Err("one character of ASCII is needed, or tab".to_owned()),
        },
    }
}

/// What was taken and what was not.
#[derive(Debug, Default, Serialize)]
struct Counts {
    n_found: u64,
    n_ham: u64,
    n_spam: u64,
    skipped: BTreeMap<&'static str, u64>,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    let (format, common) = match &args.command {
        ImportCommand::Wordpress { common } => (Format::WordPress, common),
        ImportCommand::Disqus { common } => (Format::Disqus, common),
        ImportCommand::Csv {
            common,
            column,
            ham,
            spam,
            delimiter,
        } => {
            let columns = Columns {
                named: column.clone(),
                ham: ham.clone(),
                spam: spam.clone(),
                delimiter: *delimiter,
            };
            (Format::Table(columns), common)
        }
    };
    let mut out = Out::open(&common.out)?;
    let mut counts = Counts::default();
    for file in &common.files {
        read(&format, file, common, &mut out, &mut counts)?;
    }
    if counts.n_found == 0 {
        let error = anyhow::anyhow!(
            "found no comment in the {} file(s); is it the right export?",
            common.files.len()
        );
        return Err(Failure::new(Exit::Data, error));
    }
    out.finish()?;
    report(common, &counts)
}

fn read(format: &Format, file: &Path, common: &Common, out: &mut Out, counts: &mut Counts) -> Result<(), Failure> {
    let rules = Rules {
        pending: common.pending_as.map(Label::from),
        removed: common.trash_as.map(Label::from),
        pingbacks: common.pingbacks,
    };
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let source = common.source.clone().or(stem).unwrap_or_default();
    let bar = progress(file);
    let mut take = |found: import::Found| {
        counts.n_found += 1;
        let judged = found.and_then(|comment| Ok((rules.judge(&comment)?, comment)));
        match judged {
            Ok((label, comment)) => {
                match label {
                    Label::Ham => counts.n_ham += 1,
                    Label::Spam => counts.n_spam += 1,
                }
                let line = import::line(&comment, label, &source, !common.without_authors).map_err(io::Error::from)?;
                out.line(&line)?;
            }
            Err(why) => *counts.skipped.entry(why.as_str()).or_default() += 1,
        }
        Ok(())
    };
    let done = import::read(
        format,
        file,
        common.encoding.as_deref(),
        &mut |n| bar.set_position(n),
        &mut take,
    );
    bar.finish_and_clear();
    done.map_err(|error| {
        let exit = match error {
            ImportError::Read { .. } | ImportError::Broken { .. } | ImportError::Other { .. } => Exit::Data,
            ImportError::Encoding { .. } => Exit::Usage,
            ImportError::Write(_) => Exit::Unexpected,
        };
        Failure::new(exit, error)
    })
}

/// Where the comments go: a file that appears when it is whole, or standard output.
struct Out {
    to: BufWriter<Box<dyn Write>>,
    /// The file and the name it will have.
    file: Option<(NamedTempFile, PathBuf)>,
}

impl Out {
    fn open(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            return Ok(Self {
                to: BufWriter::new(Box::new(io::stdout())),
                file: None,
            });
        }
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let opened = tempfile::Builder::new()
            .prefix(".moderato-")
            .suffix(".tmp")
            .tempfile_in(folder.unwrap_or(Path::new(".")))
            .and_then(|file| Ok((file.reopen()?, file)));
        let (to, file) = opened.map_err(|error| {
            Failure::new(
                Exit::Config,
                anyhow::Error::new(error).context(format!("write {}", path.display())),
            )
        })?;
        Ok(Self {
            to: BufWriter::with_capacity(1 << 16, Box::new(to)),
            file: Some((file, path.to_owned())),
        })
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        self.to.write_all(line.as_bytes())?;
        self.to.write_all(b"\n")
    }

    /// Comments are the owner's alone to read: the file keeps the mode of a temporary one.
    fn finish(mut self) -> Result<(), Failure> {
        self.to.flush()?;
        let Some((file, path)) = self.file else { return Ok(()) };
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        Ok(())
    }
}

fn report(common: &Common, counts: &Counts) -> CommandResult {
    let text = match common.format {
        Print::Json => serde_json::to_string_pretty(counts).map_err(|error| Failure::new(Exit::Unexpected, error))?,
        Print::Text => {
            let mut lines = vec![format!(
                "{} comments found: {} taken as ham, {} as spam",
                counts.n_found, counts.n_ham, counts.n_spam
            )];
            let left_out = Skipped::ALL.into_iter().filter_map(|why| {
                Some(format!(
                    "  left out: {:>8}  {}",
                    counts.skipped.get(why.as_str())?,
                    why.title()
                ))
            });
            lines.extend(left_out);
            if counts.n_spam == 0 {
                lines.push("no spam among them; a model needs both (see moderato import --help)".to_owned());
            }
            lines.join("\n")
        }
    };
    if common.out.as_os_str() == "-" {
        output::note(&text);
    } else {
        output::line(&text)?;
    }
    Ok(Exit::Ok)
}

/// How far a file is read, on standard error, if that is a terminal.
fn progress(file: &Path) -> ProgressBar {
    let bar = match fs::metadata(file) {
        Ok(about) if about.is_file() => ProgressBar::new(about.len()),
        _ => ProgressBar::new_spinner(),
    };
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let bar = bar.with_message(name.unwrap_or_default());
    match ProgressStyle::with_template("{msg:24} {wide_bar} {bytes}/{total_bytes} {eta}") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
