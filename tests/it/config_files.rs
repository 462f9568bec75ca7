//! Configurations as operators write them: broken ones say everything that is wrong, and what is documented is what is
//! accepted.

use std::path::Path;

use moderato::config::{self, ConfigError, DEFAULT_TOML};

struct Case {
    name: String,
    text: String,
    expected: Vec<String>,
}

/// The cases of `tests/cases/config/broken.txt`.
fn cases() -> Vec<Case> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases/config/broken.txt");
    let mut cases: Vec<Case> = Vec::new();
    for line in std::fs::read_to_string(path).unwrap().lines() {
        if let Some(name) = line.strip_prefix("== ") {
            cases.push(Case {
                name: name.to_owned(),
                text: String::new(),
                expected: Vec::new(),
            });
        } else if let Some(case) = cases.last_mut() {
            match line.strip_prefix("-> ") {
                Some(key) => case.expected.push(key.to_owned()),
                None => case.text.extend([line, "\n"]),
            }
        }
    }
    cases
}

#[test]
fn broken_files_say_everything_that_is_wrong_at_once() {
    let cases = cases();
    assert!(cases.len() >= 50);
    let mut failures = Vec::new();
    for Case { name, text, expected } in &cases {
        let problems = match config::parse(text, Path::new("broken.toml")) {
            Err(ConfigError::Problems { problems, .. }) => problems,
            other => panic!("{name}: {other:?}"),
        };
        let mut keys: Vec<_> = problems
            .iter()
            .map(|problem| problem.split_once(':').unwrap().0)
            .collect();
        keys.sort_unstable_by_key(|key| expected.iter().position(|other| key == other));
        // A problem may be about two keys; the first is its name.
        let keys: Vec<_> = keys.iter().map(|key| key.split(" and ").next().unwrap()).collect();
        if keys != *expected {
            failures.push(format!("{name}: {problems:#?}"));
        }
    }
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn what_is_not_toml_is_shown_where() {
    let error = config::parse("[service]\nlog = info\n", Path::new("broken.toml")).unwrap_err();
    assert!(
        error.to_string().contains("broken.toml") && error.to_string().contains("line 2"),
        "{error}"
    );
}

/// Every key of the reference, with its section, the line that sets it, and whether that line is commented out.
fn documented() -> Vec<(String, String, bool)> {
    let mut section = String::new();
    let mut keys = Vec::new();
    for line in DEFAULT_TOML.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.split(']').next()) {
            name.clone_into(&mut section);
            continue;
        }
        let (assignment, commented) = match line.strip_prefix("# ") {
            Some(rest) => (rest, true),
            None => (line, false),
        };
        let key = assignment.split(" = ").next().unwrap();
        let is_key = assignment.contains(" = ")
            && key
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if is_key && !section.is_empty() {
            keys.push((section.clone(), assignment.to_owned(), commented));
        }
    }
    keys
}

#[test]
fn every_key_that_is_documented_is_accepted_alone() {
    let documented = documented();
    assert!(documented.len() > 40);
    for (section, assignment, _) in &documented {
        let text = format!("[{section}]\n{assignment}\n");
        let parsed = config::parse(&text, Path::new("one.toml"));
        assert!(parsed.is_ok(), "{text}{parsed:?}");
        if let Some(below) = section.strip_prefix("defaults") {
            let text = format!("[site.gazette{below}]\n{assignment}\n");
            let parsed = config::parse(&text, Path::new("one.toml"));
            assert!(parsed.is_ok(), "{text}{parsed:?}");
        }
    }
}

#[test]
fn every_key_that_is_accepted_is_documented_with_a_comment() {
    // What is accepted is the reference's own keys (it is the schema), and those that the reference leaves out, which
    // the program names when it is asked for a key that there is not.
    let documented = documented();
    for optional in ["hold_at", "reject_at"] {
        let commented = |(section, assignment, commented): &(String, String, bool)| {
            section == "defaults" && assignment.starts_with(&format!("{optional} = ")) && *commented
        };
        assert!(documented.iter().any(commented), "{optional}");
    }
    for part in ["hash = ", "name = ", "expires = ", "calls_per_second = "] {
        assert!(DEFAULT_TOML.contains(part), "{part}");
    }
    // A key follows a comment, another key of the group that a comment describes, or its section's line.
    let lines: Vec<_> = DEFAULT_TOML.lines().collect();
    for (at, line) in lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.contains(" = ") && !line.starts_with('#'))
    {
        assert!(!lines[at - 1].is_empty(), "a key without a comment: {line}");
    }
    // The structure behind the file takes every key: it is read with unknown keys refused.
    assert!(config::parse(DEFAULT_TOML, Path::new("default.toml")).is_ok());
}
