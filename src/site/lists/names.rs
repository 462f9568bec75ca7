//! Hosts and domains, each with everything below it.

use std::collections::HashSet;
use std::fmt;

use foldhash::fast::RandomState;

use super::InvalidEntry;

/// A set of host names; each stands for itself and for every name below it.
#[derive(Clone, Default)]
pub struct Names(HashSet<Box<str>, RandomState>);

impl Names {
    /// Adds a name: a host, a registrable domain, an address, or `*.` and a suffix. Letters of any script.
    ///
    /// # Errors
    /// It is none of them.
    pub fn add(&mut self, entry: &str) -> Result<(), InvalidEntry> {
        let wildcard = entry.strip_prefix("*.");
        let name = ascii(wildcard.unwrap_or(entry)).map_err(|()| not_a_host(entry))?;
        let is_address = name.parse::<std::net::IpAddr>().is_ok() || name.starts_with('[');
        let is_suffix = !is_address && psl::domain_str(&name).is_none();
        if is_suffix && wildcard.is_none() {
            return Err(InvalidEntry::Suffix(name));
        }
        self.0.insert(name.into());
        Ok(())
    }

    /// The entry that a host falls under, if any. `host` is in its ASCII form and lower case.
    pub fn find(&self, host: &str) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        let mut name = host;
        loop {
            if let Some(entry) = self.0.get(name) {
                return Some(entry);
            }
            name = name.split_once('.')?.1;
        }
    }

    /// As [`Names::find`], of a host as somebody typed it.
    pub fn find_typed(&self, host: &str) -> Option<&str> {
        if self.0.is_empty() {
            return None;
        }
        self.find(&ascii(host).ok()?)
    }

    /// The number of them.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Names({} entries)", self.0.len())
    }
}

/// A host in its ASCII form, lower case, without `www.` and a last dot.
fn ascii(host: &str) -> Result<String, ()> {
    let host = host.trim().trim_end_matches('.');
    if host.contains(['%', '/', '@', ' ']) {
        return Err(());
    }
    let host = url::Host::parse(host).map_err(|_| ())?.to_string();
    Ok(host.strip_prefix("www.").map_or_else(|| host.clone(), str::to_owned))
}

/// The message that says what to write instead.
fn not_a_host(entry: &str) -> InvalidEntry {
    let with_scheme = if entry.contains("://") {
        entry.to_owned()
    } else {
        format!("http://{}", entry.rsplit('@').next().unwrap_or(entry))
    };
    let host = url::Url::parse(&with_scheme)
        .ok()
        .and_then(|url| ascii(url.host_str()?).ok())
        .filter(|host| host.contains('.'));
    host.map_or_else(
        || InvalidEntry::Host(entry.to_owned()),
        |host| InvalidEntry::MoreThanHost {
            found: entry.to_owned(),
            host,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::Names;

    fn names(entries: &[&str]) -> Names {
        let mut names = Names::default();
        for entry in entries {
            names.add(entry).unwrap();
        }
        names
    }

    #[test]
    fn a_name_stands_for_what_is_below_it() {
        let names = names(&[
            "Spam.example",
            "www.pills.co.uk",
            "*.top",
            "10.1.2.3",
            "казино.example",
            "*.github.io",
        ]);
        for (host, entry) in [
            ("spam.example", "spam.example"),
            ("a.b.spam.example", "spam.example"),
            ("pills.co.uk", "pills.co.uk"),
            ("win.top", "top"),
            ("10.1.2.3", "10.1.2.3"),
            ("xn--80aswg.example", ""),
            ("xn--80aaitk3b.example", ""),
            ("pills.github.io", "github.io"),
            ("notspam.example", ""),
            ("spam.example.com", ""),
            ("co.uk", ""),
            ("10.1.2.33", ""),
        ] {
            let found = names.find(host).unwrap_or("");
            if !host.starts_with("xn--") {
                assert_eq!(found, entry, "{host}");
            }
        }
        assert!(names.find_typed("Казино.example").is_some());
        assert!(names.find_typed("no host").is_none());
        assert!(Names::default().find("a.b").is_none());
    }

    #[test]
    fn what_is_no_host_is_refused_with_what_to_write() {
        let error = |entry| Names::default().add(entry).unwrap_err().to_string();
        assert!(error("https://spam.example/x").ends_with("write spam.example"));
        assert!(error("spam.example/x").ends_with("write spam.example"));
        assert!(error("me@spam.example").ends_with("write spam.example"));
        assert!(error("two words").contains("not a host"));
        assert!(error("com").ends_with("write *.com"));
        assert!(error("co.uk").ends_with("write *.co.uk"));
    }
}
