//! The only maker of pseudonyms: keyed hashes of what belongs to a reader.
//!
//! Addresses are few (2³² of IPv4), so a plain hash of one is no secret; HMAC-SHA-256 (RFC 2104) under a secret key is.
//! Each site has pseudonyms of its own: nobody can follow a reader from one publication to another.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hmac::{Hmac, KeyInit, Mac};
use ipnet::{Ipv4Net, Ipv6Net};
use sha2::Sha256;

use crate::comment::{AuthorKey, canonical};
use crate::site::SiteId;

/// Makes pseudonyms under one secret key.
#[derive(Clone)]
pub struct Pseudonymizer {
    /// Keyed once; each use starts from a copy.
    mac: Hmac<Sha256>,
    /// Works under the key before this one, while both are alive.
    previous: Option<Box<Self>>,
}

/// The domain of a hash: the same text as an address and as an account gives different pseudonyms.
#[derive(Debug, Clone, Copy)]
enum Domain {
    Network = 1,
    Account = 2,
    Request = 3,
    Body = 4,
    Decision = 5,
    Click = 6,
    AuthorName = 10,
    AuthorEmail = 11,
    Reviewer = 12,
    History = 13,
    Shown = 14,
}

impl Pseudonymizer {
    /// Works under `key`, of any length; 32 random bytes are right.
    #[expect(clippy::missing_panics_doc, reason = "it cannot: HMAC takes keys of every length")]
    pub fn new(key: &[u8]) -> Self {
        #[expect(clippy::expect_used, reason = "RFC 2104 defines HMAC for keys of every length")]
        let mac = Hmac::new_from_slice(key).expect("HMAC takes keys of every length");
        Self { mac, previous: None }
    }

    /// The same while the key before it is alive too.
    #[must_use]
    pub fn after(self, previous: &[u8]) -> Self {
        Self {
            previous: Some(Box::new(Self::new(previous))),
            ..self
        }
    }

    /// Makes the pseudonyms of the key before this one, while that is alive.
    pub fn previous(&self) -> Option<&Self> {
        self.previous.as_deref()
    }

    /// The pseudonym of the network that an address lies in.
    pub fn network(&self, site: &SiteId, network: Network) -> AuthorKey {
        let (version, octets) = octets_of(network.0);
        AuthorKey::new(self.hash(Domain::Network, &[site.as_str().as_bytes(), &[version], &octets]))
    }

    /// The pseudonym of an account.
    pub fn account(&self, site: &SiteId, id: &str) -> AuthorKey {
        AuthorKey::new(self.hash(Domain::Account, &[site.as_str().as_bytes(), id.as_bytes()]))
    }

    /// The pseudonym of a caller's request id.
    pub fn request(&self, site: &SiteId, id: &str) -> [u8; 16] {
        self.hash(Domain::Request, &[site.as_str().as_bytes(), id.as_bytes()])
    }

    /// The fingerprint of a request's body.
    pub fn body(&self, body: &[u8]) -> [u8; 16] {
        self.hash(Domain::Body, &[body])
    }

    /// The keyed hash of a submission: the author and all that was sent, part by part.
    pub fn click(&self, site: &SiteId, who: &Clicker<'_>, sent: &[&[u8]]) -> [u8; 16] {
        let (version, octets) = match who {
            Clicker::Account(_) => (0, [0; 16]),
            Clicker::Address(address) => octets_of(*address),
        };
        let tag = [version];
        let who: &[u8] = match who {
            Clicker::Account(id) => id.as_bytes(),
            Clicker::Address(_) => &octets,
        };
        let mut parts = vec![site.as_str().as_bytes(), &tag, who];
        parts.extend(sent);
        self.hash(Domain::Click, &parts)
    }

    /// A name for a decision that nobody can guess: the `n`th of the process that drew `nonce`.
    pub fn decision(&self, nonce: &[u8; 16], n: u64) -> [u8; 16] {
        self.hash(Domain::Decision, &[nonce, &n.to_le_bytes()])
    }

    /// The pseudonym of an author's name, for a site that wants author history.
    pub fn author_name(&self, site: &SiteId, name: &str) -> AuthorKey {
        AuthorKey::new(self.hash(Domain::AuthorName, &[site.as_str().as_bytes(), name.as_bytes()]))
    }

    /// The pseudonym of an author's e-mail address, for a site that wants author history.
    pub fn author_email(&self, site: &SiteId, email: &str) -> AuthorKey {
        AuthorKey::new(self.hash(Domain::AuthorEmail, &[site.as_str().as_bytes(), email.as_bytes()]))
    }

    /// The pseudonym of somebody who labels. It is the same on every site: one person is one witness.
    pub fn reviewer(&self, reviewer: &str) -> AuthorKey {
        AuthorKey::new(self.hash(Domain::Reviewer, &[reviewer.as_bytes()]))
    }

    /// A name for a comment that was judged elsewhere: the same each time, by one `kind` of what it is known by.
    pub fn history(&self, site: &SiteId, kind: &str, what: &str) -> [u8; 16] {
        self.hash(
            Domain::History,
            &[site.as_str().as_bytes(), kind.as_bytes(), what.as_bytes()],
        )
    }

    /// The digest of what readers would see of a comment, part by part: equal for equal comments on one site.
    pub fn shown(&self, site: &SiteId, parts: &[&str]) -> [u8; 16] {
        let mut all = vec![site.as_str().as_bytes()];
        all.extend(parts.iter().map(|part| part.as_bytes()));
        self.hash(Domain::Shown, &all)
    }

    /// The first 128 bits of the keyed hash. Each part is preceded by its length, so no two lists of parts collide.
    fn hash(&self, domain: Domain, parts: &[&[u8]]) -> [u8; 16] {
        let mut mac = self.mac.clone();
        mac.update(&[domain as u8]);
        for part in parts {
            mac.update(&(part.len() as u64).to_le_bytes());
            mac.update(part);
        }
        let full = mac.finalize().into_bytes();
        let mut short = [0; 16];
        short.copy_from_slice(&full[..16]);
        short
    }
}

impl fmt::Debug for Pseudonymizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonymizer(..)")
    }
}

/// The sender of a submission.
pub enum Clicker<'a> {
    /// Somebody with an account, by its id.
    Account(&'a str),
    /// Somebody at an address.
    Address(IpAddr),
}

impl fmt::Debug for Clicker<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clicker(..)")
    }
}

/// An address' version and octets; IPv4 inside IPv6 is IPv4.
fn octets_of(address: IpAddr) -> (u8, [u8; 16]) {
    match canonical(address) {
        IpAddr::V4(address) => (4, address.to_ipv6_mapped().octets()),
        IpAddr::V6(address) => (6, address.octets()),
    }
}

/// A network that counts as one author: the leading bits of an address, the rest zero.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Network(IpAddr);

impl Network {
    /// The network of so many leading bits that `address` lies in. IPv4 inside IPv6 is IPv4. A prefix beyond the
    /// address's length counts as its whole length.
    pub fn of(address: IpAddr, ipv4_prefix: u8, ipv6_prefix: u8) -> Self {
        Self(match canonical(address) {
            IpAddr::V4(v4) => IpAddr::V4(Ipv4Net::new(v4, ipv4_prefix.min(32)).map_or(v4, |net| net.network())),
            IpAddr::V6(v6) => IpAddr::V6(Ipv6Net::new(v6, ipv6_prefix.min(128)).map_or(v6, |net| net.network())),
        })
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Network(..)")
    }
}

/// Returns true if an address can be a reader's on the public internet. One that cannot (private, loopback, link-local,
/// unique-local, carrier-grade NAT, unspecified, multicast) was most likely a proxy's, passed on for the reader's.
/// Addresses reserved for documentation count as public: examples and tests use them.
pub fn is_public(address: IpAddr) -> bool {
    match canonical(address) {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => is_public_v6(v6),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, ..] = address.octets();
    let carrier_grade_nat = a == 100 && (64..128).contains(&b); // RFC 6598
    let this_network = a == 0; // RFC 1122
    let reserved = a >= 240; // RFC 1112, and the limited broadcast
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || carrier_grade_nat
        || this_network
        || reserved)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    !(address.is_loopback()
        || address.is_unspecified()
        || address.is_multicast()
        || address.is_unique_local()
        || address.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::{Network, Pseudonymizer, is_public};
    use crate::site::SiteId;

    fn network(address: &str) -> Network {
        Network::of(address.parse().unwrap(), 32, 64)
    }

    #[test]
    fn ipv6_counts_by_64_and_mapped_ipv4_as_ipv4() {
        assert_eq!(network("2001:db8:1:2:3::4"), network("2001:db8:1:2:ffff::1"));
        assert_ne!(network("2001:db8:1:2::"), network("2001:db8:1:3::"));
        for inside in [
            "::ffff:203.0.113.9",
            "::ffff:0:203.0.113.9",
            "::203.0.113.9",
            "64:ff9b::203.0.113.9",
            "64:ff9b:1::203.0.113.9",
            "2002:cb00:7109::1",
        ] {
            assert_eq!(network(inside), network("203.0.113.9"), "{inside}");
        }
        assert_ne!(network("64:ff9b::203.0.113.8"), network("64:ff9b::203.0.113.9"));
        assert_ne!(network("203.0.113.8"), network("203.0.113.9"));
    }

    #[test]
    fn a_pseudonym_belongs_to_one_site_one_key_one_kind() {
        let (a, b) = (SiteId::new("a").unwrap(), SiteId::new("b").unwrap());
        let one = Pseudonymizer::new(&[1; 32]);
        let other = Pseudonymizer::new(&[2; 32]);
        let address = network("203.0.113.9");
        assert_eq!(one.network(&a, address), one.network(&a, address));
        assert_ne!(one.network(&a, address), one.network(&b, address));
        assert_ne!(one.network(&a, address), other.network(&a, address));
        assert_ne!(*one.account(&a, "x").as_bytes(), one.request(&a, "x"));
    }

    #[test]
    fn hmac_is_the_one_of_rfc_4231() {
        // Test case 2: key "Jefe", data "what do ya want for nothing?"; our framing is left out here.
        use hmac::Mac;
        let mut mac = Pseudonymizer::new(b"Jefe").mac;
        mac.update(b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(hex::encode(mac.finalize().into_bytes()), expected);
    }

    #[test]
    fn proxies_are_not_readers() {
        let hidden = "10.0.0.1 172.16.5.5 192.168.1.1 127.0.0.1 169.254.0.9 100.64.0.1 0.0.0.0 255.255.255.255 \
                      ::1 fe80::1 fd00::7 ::ffff:10.0.0.1 :: ff02::1 64:ff9b::192.168.1.1 ::ffff:0:127.0.0.1 ::10.1.2.3 \
                      2002:a00:1::1";
        for address in hidden.split_whitespace() {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in "203.0.113.7 8.8.8.8 100.128.0.1 2001:db8::1 2a00:1450::1".split_whitespace() {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
