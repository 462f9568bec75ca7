//! The rules of the house, held against the source: who imports whom, which library lives where, who may look at what
//! belongs to a reader. An exception needs a line, with its reason, in the tables here.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room with the rooms it may import; the order is that of the map in `src/lib.rs`, bottom first.
const ROOMS: &[(&str, &[&str])] = &[
    ("sensitive", &[]),
    ("verdict", &[]),
    ("clock", &[]),
    ("comment", &["clock", "sensitive"]),
    ("text", &[]),
    ("site", &["clock", "comment", "text", "verdict"]),
    ("record", &["clock", "comment", "site", "verdict"]),
    ("model", &["comment", "sensitive", "text"]),
    ("eval", &["comment", "verdict"]),
    ("signals", &["clock", "comment", "site", "text", "verdict", "sensitive"]),
    ("policy", &["comment", "model", "signals", "site", "verdict"]),
    ("privacy", &["comment", "site"]),
    ("redis", &[]),
    ("limit", &["clock", "comment", "redis", "site", "verdict"]),
    ("artifact", &["clock", "model", "text"]),
    ("import", &["comment"]),
    ("train", &["comment", "eval", "model", "sensitive", "text"]),
    ("statistics", &["clock", "site", "verdict"]),
    (
        "feedback",
        &[
            "clock",
            "comment",
            "record",
            "redis",
            "sensitive",
            "site",
            "text",
            "verdict",
        ],
    ),
    ("telemetry", &["clock", "record", "verdict", "site"]),
    (
        "operations",
        &[
            "artifact",
            "clock",
            "comment",
            "eval",
            "feedback",
            "limit",
            "model",
            "privacy",
            "record",
            "sensitive",
            "site",
            "statistics",
            "telemetry",
            "verdict",
        ],
    ),
    (
        "pipeline",
        &[
            "artifact",
            "clock",
            "comment",
            "feedback",
            "limit",
            "model",
            "operations",
            "policy",
            "privacy",
            "record",
            "signals",
            "site",
            "telemetry",
            "text",
            "verdict",
        ],
    ),
    // Of the rooms that judge it knows only how often a caller may call, and the sites that a key opens.
    ("transport", &["clock", "limit", "site", "telemetry"]),
    // The gRPC door converts between the wire and the vocabulary, so it names most of the vocabulary.
    (
        "api",
        &[
            "clock",
            "comment",
            "model",
            "operations",
            "pipeline",
            "policy",
            "record",
            "sensitive",
            "site",
            "telemetry",
            "transport",
            "verdict",
        ],
    ),
    ("config", &["clock", "comment", "site", "text", "verdict"]),
    (
        "server",
        &["api", "config", "limit", "operations", "pipeline", "transport"],
    ),
    // The command line glues rooms together; it is the top.
    (
        "cli",
        &[
            "api",
            "artifact",
            "clock",
            "comment",
            "config",
            "eval",
            "feedback",
            "import",
            "limit",
            "model",
            "operations",
            "pipeline",
            "privacy",
            "record",
            "redis",
            "sensitive",
            "server",
            "site",
            "statistics",
            "telemetry",
            "text",
            "train",
            "verdict",
        ],
    ),
];

/// Rooms without input or output, clock, tasks or logging.
const PURE: &[&str] = &[
    "sensitive",
    "verdict",
    "comment",
    "site",
    "record",
    "text",
    "model",
    "eval",
    "signals",
    "policy",
    "privacy",
];

/// What a pure room may not name.
const IMPURE: &[&str] = &[
    "tokio",
    "tonic",
    "redis::",
    "tracing",
    "std::fs",
    "std::net::Tcp",
    "std::env",
    "anyhow",
    "getrandom",
    "Instant",
    "SystemTime",
];

/// Each library with the places that may name it.
const HOMES: &[(&str, &[&str])] = &[
    ("tonic::", &["api", "server", "transport", "cli/stats.rs", "cli/check"]),
    ("prost::", &["api", "feedback/wire.rs"]),
    ("redis::", &["redis", "limit/script.rs", "feedback/redis"]),
    ("linfa", &["train"]),
    ("ndarray", &["train"]),
    ("clap::", &["cli"]),
    ("indicatif::", &["cli"]),
    ("anyhow::", &["cli"]),
    ("quick_xml::", &["import"]),
    ("csv::", &["import"]),
    ("flate2::", &["import"]),
    ("encoding_rs", &["import"]),
    ("time::", &["clock.rs", "config"]),
    ("tracing_subscriber", &["telemetry"]),
    ("opentelemetry", &["telemetry/traces.rs"]),
    ("toml::", &["config"]),
    ("hmac::", &["privacy.rs"]),
    ("email_address::", &["signals/form.rs"]),
    ("aho_corasick::", &["site/lists"]),
    ("memmap2::", &["model/slots.rs"]),
    ("bytemuck::", &["model/slots.rs"]),
    ("hyper::", &["transport/connection.rs"]),
    ("hyper_util::", &["transport/connection.rs"]),
    ("tokio_rustls::", &["transport/tls.rs"]),
    ("rustls::", &["cli/mod.rs", "config", "transport/tls.rs"]),
];

/// Who may look inside [`moderato::sensitive::Sensitive`].
const EXPOSING: &[&str] = &[
    "sensitive.rs",
    "signals",           // reads the form
    "model",             // reads what it is shown of an example
    "operations",        // hands what is kept to the store, and names to the pseudonyms
    "pipeline",          // hands the text to the model and the address to the pseudonyms
    "api/grpc",          // offsets of an explanation are checked against the text
    "train",             // reads labeled comments
    "feedback",          // redacts what is kept, in recorder.rs
    "cli/evaluate",      // hands labeled comments to the model
    "cli/train/from.rs", // hands them to the gate
    "config",            // the pseudonym key has an accessor of the same name
    "cli/serve.rs",      // hands that key to the pseudonyms
    "cli/feedback",      // as well
];

struct Source {
    /// Relative to `src`, with `/`.
    path: String,
    /// Without tests and comments.
    code: String,
}

impl Source {
    fn room(&self) -> &str {
        self.path.split(['/', '.']).next().unwrap()
    }
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    assert!(files.len() > 30);
    files
        .iter()
        .filter(|path| !path.ends_with("tests.rs") && !path.to_string_lossy().contains("/tests/"))
        .map(|path| {
            let text = fs::read_to_string(path).unwrap();
            let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
            let code: Vec<_> = code
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"))
                .collect();
            Source {
                path: path.strip_prefix(&root).unwrap().to_string_lossy().replace('\\', "/"),
                code: code.join("\n"),
            }
        })
        .collect()
}

fn walk(dir: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// The rooms that a piece of code names through `crate::`, also in braces.
fn imports(code: &str) -> Vec<String> {
    code.match_indices("crate::")
        .filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .map(|(at, found)| {
            let rest = &code[at + found.len()..];
            rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
        })
        .collect()
}

#[test]
fn arrows_point_down() {
    let allowed: BTreeMap<_, _> = ROOMS.iter().copied().collect();
    let mut wrong = Vec::new();
    for source in sources()
        .iter()
        .filter(|source| !["lib", "main"].contains(&source.room()))
    {
        let room = source.room();
        let Some(may) = allowed.get(room) else {
            wrong.push(format!("{}: the room {room} is not in the table", source.path));
            continue;
        };
        for import in imports(&source.code) {
            if import != room && !may.contains(&import.as_str()) {
                wrong.push(format!("{}: {room} may not import {import}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn no_two_rooms_import_each_other() {
    for (room, may) in ROOMS {
        let below: Vec<_> = ROOMS
            .iter()
            .take_while(|(other, _)| other != room)
            .map(|(other, _)| *other)
            .collect();
        for import in *may {
            assert!(
                below.contains(import),
                "{room} imports {import}, which does not stand below it"
            );
        }
    }
}

#[test]
fn pure_rooms_stay_pure() {
    for source in sources().iter().filter(|source| PURE.contains(&source.room())) {
        for name in IMPURE {
            let found = source.code.lines().find(|line| line.contains(name));
            assert!(found.is_none(), "{}: a pure room names {name}: {found:?}", source.path);
        }
    }
}

/// Benchmarks measure, so this is no lint for all targets.
#[test]
fn only_the_clock_reads_the_time() {
    // Patience is measured by tokio's clock, beside tokio's timers: with Redis, with callers, with connections.
    let may = ["clock.rs", "redis", "api/grpc", "transport"];
    for source in sources()
        .iter()
        .filter(|source| !may.iter().any(|place| source.path.starts_with(place)))
    {
        for name in ["Instant::now", "SystemTime::now", ".elapsed()"] {
            assert!(!source.code.contains(name), "{}: names {name}", source.path);
        }
    }
}

#[test]
fn each_library_has_one_home() {
    let mut wrong = Vec::new();
    for source in sources() {
        for (library, homes) in HOMES {
            let named = source.code.lines().any(|line| {
                line.match_indices(library)
                    .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':'))
            });
            if named && !homes.iter().any(|home| source.path.starts_with(home)) {
                wrong.push(format!("{}: {library} lives in {homes:?}", source.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A second protocol has to be able to stand on it: it knows connections and calls, and no message or status of an RPC.
#[test]
fn transport_knows_no_protocol() {
    for source in sources().iter().filter(|source| source.room() == "transport") {
        for name in [
            "Status",
            "proto::",
            "prost",
            "tonic_types",
            "tonic_health",
            "NamedService",
        ] {
            let found = source.code.lines().find(|line| line.contains(name));
            assert!(found.is_none(), "{}: names {name}: {found:?}", source.path);
        }
    }
}

#[test]
fn few_look_at_what_belongs_to_a_reader() {
    for source in sources().iter().filter(|source| source.code.contains(".expose()")) {
        assert!(
            EXPOSING.iter().any(|place| source.path.starts_with(place)),
            "{}: may not look inside Sensitive",
            source.path
        );
    }
}

#[test]
fn the_map_names_every_room() {
    let map = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    for (room, _) in ROOMS {
        assert!(
            map.contains(&format!("[`{room}`]")),
            "src/lib.rs does not say what {room} is for"
        );
    }
}

#[test]
fn every_reason_code_is_explained_to_operators() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    for code in moderato::verdict::ReasonCode::ALL {
        assert!(
            readme.contains(&format!("`{}`", code.as_str())),
            "README.md does not explain {}",
            code.as_str()
        );
    }
}
