//! Lists that a desk keeps: who and what is let through, held or turned away. Compiled once, when the configuration is
//! read; asking costs the same for ten entries and for a hundred thousand.
//!
//! Start reading in [`Lists`]. What follows from a match is for `policy` to say.

mod names;
mod networks;
mod words;

use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;

use foldhash::fast::RandomState;

pub use names::Names;
pub use networks::Networks;
pub use words::{Words, WordsBuilder};

/// Every list of a site.
#[derive(Clone, Default)]
pub struct Lists {
    /// Rejected.
    pub block: People,
    /// Held.
    pub moderate: People,
    /// Let through: its networks and accounts. A typed name or e-mail address proves nothing.
    pub allow: People,
    /// Hosts that links may not lead to.
    pub block_hosts: Names,
    /// Hosts to which links are held.
    pub moderate_hosts: Names,
    /// Words that are held.
    pub words: Words,
    /// Domains of mailboxes that anybody may have for ten minutes.
    pub disposable: Names,
    /// The start of a digest of every entry: two lists that match alike have one.
    pub digest: [u8; 8],
}

/// Lists of who wrote.
#[derive(Clone, Default)]
pub struct People {
    /// Networks that they write from.
    pub networks: Networks,
    /// The site's own account ids.
    pub accounts: HashSet<Box<str>, RandomState>,
    /// Domains of their e-mail addresses.
    pub email_domains: Names,
}

impl People {
    /// Returns true if the account is listed. Case counts: it is the site's own id.
    pub fn has_account(&self, id: &str) -> bool {
        !self.accounts.is_empty() && self.accounts.contains(id.trim())
    }

    /// Returns true if the address is listed.
    pub fn has_address(&self, address: IpAddr) -> bool {
        self.networks.has(address)
    }

    fn len(&self) -> usize {
        self.networks.len() + self.accounts.len() + self.email_domains.len()
    }
}

impl Lists {
    /// The number of entries.
    pub fn len(&self) -> usize {
        let people = [&self.block, &self.moderate, &self.allow].map(People::len);
        let names = [&self.block_hosts, &self.moderate_hosts, &self.disposable].map(Names::len);
        people.iter().chain(&names).sum::<usize>() + self.words.len()
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Debug for Lists {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lists({} entries)", self.len())
    }
}

impl PartialEq for Lists {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl fmt::Debug for People {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "People({} entries)", self.len())
    }
}

/// The reason why a text cannot stand in a list. Each says what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// A host that is none.
    #[error("{0:?} is not a host; write it like shop.example or 203.0.113.7")]
    Host(String),
    /// An address where a host belongs.
    #[error("{found:?} is more than a host; write {host}")]
    MoreThanHost {
        /// The finding.
        found: String,
        /// The host in it.
        host: String,
    },
    /// A suffix under which anybody may register.
    #[error("under {0:?} anybody may register a name; to list them all write *.{0}")]
    Suffix(String),
    /// A network that is none.
    #[error("{0:?} is not a network; write it like 203.0.113.0/24, 2001:db8::/32 or 203.0.113.7")]
    Network(String),
    /// A network whose address has bits behind its prefix.
    #[error("{found:?} has bits behind its prefix; write {network} for the network or {address} for the address")]
    HostBits {
        /// The finding.
        found: String,
        /// The network it lies in.
        network: String,
        /// The address alone.
        address: String,
    },
    /// Everybody.
    #[error("{0:?} is every address there is; write a prefix above 0")]
    Everybody(String),
    /// No letter or digit.
    #[error("{0:?} holds no letter or digit, so it can match nothing; remove it")]
    NoWord(String),
    /// A phrase that is too long.
    #[error("{0:?} has more than {max} words; shorten it", max = words::PHRASE_WORDS_MAX)]
    LongPhrase(String),
    /// A part of a word that is too short.
    #[error("{0:?} would match nearly everything; write at least 3 characters, or list it among words")]
    ShortPart(String),
    /// A part of a word with a gap or a sign in it.
    #[error("{0:?} holds more than letters and digits; list a phrase among words")]
    PartWithGap(String),
}
