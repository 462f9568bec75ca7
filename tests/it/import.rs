//! `moderato import`, through the built command: each file of `tests/data/import` is one quirk of an export, beside it
//! what is expected: the arguments, the lines written, the exit code and what is said. `MODERATO_UPDATE=1` writes that
//! anew.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::support::is_long;
use crate::support::process::{moderato, run, stderr, stdout};

fn cases() -> Vec<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/import");
    let mut files: Vec<PathBuf> = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension != "expected"))
        .collect();
    files.sort();
    files
}

#[test]
fn every_quirk_is_read_as_expected() {
    let mut wrong = String::new();
    let cases = cases();
    assert!(cases.len() > 30);
    for path in cases {
        let name = path.file_name().unwrap().to_str().unwrap();
        let beside = path.with_file_name(format!("{name}.expected"));
        let expected = fs::read_to_string(&beside).unwrap();
        let args = expected.lines().next().unwrap().strip_prefix("# ").unwrap();
        let (format, options) = args.split_once(' ').unwrap_or((args, ""));
        let mut args = vec!["import", format, path.to_str().unwrap(), "--out", "-"];
        args.extend(options.split_whitespace());
        let output = run(&args);
        let said = stderr(&output).replace(path.parent().unwrap().to_str().unwrap(), "…");
        let mut found = format!("# {format}");
        if !options.is_empty() {
            write!(found, " {options}").unwrap();
        }
        write!(found, "\n{}# exit {}\n", stdout(&output), output.status.code().unwrap()).unwrap();
        said.lines().for_each(|line| writeln!(found, "# {line}").unwrap());
        for personal in ["ann@example.org", "203.0.113.7"] {
            assert!(!found.contains(personal), "{name} gives away {personal}");
        }
        if std::env::var_os("MODERATO_UPDATE").is_some() {
            fs::write(&beside, &found).unwrap();
        } else if found != expected {
            writeln!(wrong, "{name}\nexpected:\n{expected}\nfound:\n{found}").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// A WordPress export with so many comments, of which every tenth is a pingback, and every third of the others pending.
fn big(path: &Path, n: u64) -> u64 {
    let mut out = BufWriter::new(File::create(path).unwrap());
    out.write_all(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<rss><channel><item><wp:post_id>1</wp:post_id>\n")
        .unwrap();
    let filler = "The bridge was paid for by the county, and everybody who lives beside it knows that. ".repeat(10);
    for id in 0..n {
        let (kind, approved) = match (id % 10, id % 3) {
            (0, _) => ("pingback", "1"),
            (_, 0) => ("comment", "0"),
            _ => ("comment", "1"),
        };
        writeln!(
            out,
            "<wp:comment><wp:comment_id>{id}</wp:comment_id><wp:comment_author><![CDATA[Reader {id}]]></wp:comment_author>\
             <wp:comment_author_email>r{id}@example.org</wp:comment_author_email>\
             <wp:comment_content><![CDATA[{filler}{id}]]></wp:comment_content>\
             <wp:comment_approved>{approved}</wp:comment_approved><wp:comment_type>{kind}</wp:comment_type></wp:comment>"
        )
        .unwrap();
    }
    out.write_all(b"</item></channel></rss>\n").unwrap();
    out.flush().unwrap();
    fs::metadata(path).unwrap().len()
}

/// The most memory that a finished child ever had, in bytes: asked of the shell that waits for it.
fn peak_of(args: &[&str]) -> (String, u64) {
    let child = moderato(args).stdout(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    let watcher = std::thread::spawn(move || {
        // Read again and again while it runs: the high-water mark only rises.
        while let Ok(text) = fs::read_to_string(&status) {
            let Some(line) = text.lines().find(|line| line.starts_with("VmHWM:")) else {
                break;
            };
            let kibibytes: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
            peak = kibibytes * 1024;
            std::thread::yield_now();
        }
        peak
    });
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    (stdout(&output), watcher.join().unwrap())
}

/// Exact counts, and memory that does not grow with the file. With `MODERATO_LONG=1` the file has a gibibyte.
#[test]
fn a_big_file_is_counted_exactly_in_constant_memory() {
    let n: u64 = if is_long() { 940_000 } else { 30_000 };
    let dir = TempDir::new().unwrap();
    let (file, out) = (dir.path().join("big.xml"), dir.path().join("big.jsonl"));
    let bytes = big(&file, n);
    let args = [
        "import",
        "wordpress",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--format",
        "json",
    ];
    let (counts, peak) = peak_of(&args);
    let counts: Value = serde_json::from_str(&counts).unwrap();
    let pingbacks = n.div_ceil(10);
    let pending = (0..n).filter(|id| id % 10 != 0 && id % 3 == 0).count() as u64;
    assert_eq!(counts["n_found"], n);
    assert_eq!(counts["n_ham"], n - pingbacks - pending);
    assert_eq!(
        (&counts["skipped"]["pingback"], &counts["skipped"]["pending"]),
        (&pingbacks.into(), &pending.into())
    );
    let lines = std::io::BufRead::lines(std::io::BufReader::new(File::open(&out).unwrap())).count() as u64;
    assert_eq!(lines, n - pingbacks - pending);
    assert!(
        peak > 0 && peak < 64 << 20,
        "{peak} bytes of memory for {bytes} bytes of file"
    );
    println!("{bytes} bytes, {n} comments: at most {} KiB of memory", peak / 1024);
}

#[test]
fn a_missing_end_costs_neither_the_memory_nor_the_output() {
    let dir = TempDir::new().unwrap();
    let (file, out) = (dir.path().join("a.xml"), dir.path().join("a.jsonl"));
    fs::write(&out, "what was there before\n").unwrap();
    let mut text = "<rss><wp:comment><wp:comment_content><![CDATA[".to_owned();
    text.push_str(&"no end\n".repeat(6_000_000));
    fs::write(&file, text).unwrap();
    let output = run(&[
        "import",
        "wordpress",
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ]);
    assert_eq!(output.status.code(), Some(4));
    let said = stderr(&output);
    assert!(
        said.contains("a.xml line 1, byte 37") && said.contains("does not end within 32 MiB"),
        "{said}"
    );
    assert!(!said.contains("no end\\n"));
    assert_eq!(fs::read_to_string(&out).unwrap(), "what was there before\n");
    assert_eq!(
        fs::read_dir(dir.path()).unwrap().count(),
        2,
        "no temporary file is left"
    );
}

#[test]
fn compressed_and_encoded_files_are_seen_for_what_they_are() {
    let dir = TempDir::new().unwrap();
    let text = "label,content\nham,Café – naïve\nspam,Cheap watches\n";
    let import = |name: &str, bytes: &[u8], more: &[&str]| {
        let file = dir.path().join(name);
        fs::write(&file, bytes).unwrap();
        let args = ["import", "csv", file.to_str().unwrap(), "--out", "-", "--source", "s"];
        stdout(&run(&[&args[..], more].concat()))
    };
    let plain = import("plain.csv", text.as_bytes(), &[]);
    assert!(plain.contains("Café – naïve") && plain.lines().count() == 2);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    assert_eq!(import("compressed", &gzip.finish().unwrap(), &[]), plain);
    let utf_16: Vec<u8> = [0xfeff]
        .into_iter()
        .chain(text.encode_utf16())
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(import("utf-16.csv", &utf_16, &[]), plain);
    let (windows, ..) = encoding_rs::WINDOWS_1252.encode(text);
    assert_eq!(import("windows.csv", &windows, &["--encoding", "windows-1252"]), plain);
    let output = run(&["import", "csv", "x", "--out", "-", "--encoding", "klingon"]);
    assert_eq!(output.status.code(), Some(2));
}

/// What is imported can be learned from.
#[test]
fn training_reads_what_was_imported() {
    let dir = TempDir::new().unwrap();
    let (table, out) = (dir.path().join("t.csv"), dir.path().join("t.jsonl"));
    let mut text = "label,content\n".to_owned();
    for i in 0..30 {
        writeln!(
            text,
            "ham,\"I walked past bridge number {i}, and it is a fine one for the town\""
        )
        .unwrap();
        writeln!(text, "spam,Order {i} cheap watches now at http://watches-{i}.example").unwrap();
    }
    fs::write(&table, text).unwrap();
    let output = run(&["import", "csv", table.to_str().unwrap(), "--out", out.to_str().unwrap()]);
    assert_eq!(
        stdout(&output).trim(),
        "60 comments found: 30 taken as ham, 30 as spam",
        "{}",
        stderr(&output)
    );
    assert_eq!(
        run(&["evaluate", "--data", out.to_str().unwrap()]).status.code(),
        Some(0)
    );
}
