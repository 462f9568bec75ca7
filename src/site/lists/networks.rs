//! Networks, as ranges of addresses that do not overlap: a look-up is one binary search.

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

use super::InvalidEntry;
use crate::comment::{canonical, embedded_ipv4};

/// A set of addresses, written as networks.
#[derive(Clone, Default)]
pub struct Networks {
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
    n: usize,
}

impl Networks {
    /// Reads networks in CIDR form, or single addresses; the second value holds the mistakes with their places in
    /// `entries`.
    pub fn new<'a>(entries: impl IntoIterator<Item = &'a str>) -> (Self, Vec<(usize, InvalidEntry)>) {
        let (mut networks, mut mistakes) = (Self::default(), Vec::new());
        for (at, entry) in entries.into_iter().enumerate() {
            match network(entry) {
                Ok(IpNet::V4(net)) => networks.v4.push((net.network().into(), net.broadcast().into())),
                Ok(IpNet::V6(net)) => networks.v6.push((net.network().into(), net.broadcast().into())),
                Err(mistake) => mistakes.push((at, mistake)),
            }
        }
        networks.n = networks.v4.len() + networks.v6.len();
        merge(&mut networks.v4);
        merge(&mut networks.v6);
        (networks, mistakes)
    }

    /// Returns true if an address lies in one of them. IPv4 inside IPv6 is IPv4.
    pub fn has(&self, address: IpAddr) -> bool {
        match canonical(address) {
            IpAddr::V4(v4) => covers(&self.v4, v4.into()),
            IpAddr::V6(v6) => covers(&self.v6, v6.into()),
        }
    }

    /// The number of entries that were written down.
    pub const fn len(&self) -> usize {
        self.n
    }

    /// Returns true if there are none.
    pub const fn is_empty(&self) -> bool {
        self.n == 0
    }
}

impl fmt::Debug for Networks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Networks({} entries)", self.n)
    }
}

/// Sorts ranges and joins those that overlap.
fn merge<T: Ord + Copy>(ranges: &mut Vec<(T, T)>) {
    ranges.sort_unstable();
    ranges.dedup_by(|next, last| {
        let overlaps = next.0 <= last.1;
        if overlaps {
            last.1 = last.1.max(next.1);
        }
        overlaps
    });
    ranges.shrink_to_fit();
}

fn covers<T: Ord + Copy>(ranges: &[(T, T)], address: T) -> bool {
    let after = ranges.partition_point(|(first, _)| *first <= address);
    after > 0 && address <= ranges[after - 1].1
}

fn network(entry: &str) -> Result<IpNet, InvalidEntry> {
    let invalid = || InvalidEntry::Network(entry.to_owned());
    let net = match entry.split_once('/') {
        None => IpNet::from(canonical(entry.parse::<IpAddr>().map_err(|_| invalid())?)),
        Some(_) => entry.parse::<IpNet>().map_err(|_| invalid())?,
    };
    if net.prefix_len() == 0 {
        return Err(InvalidEntry::Everybody(entry.to_owned()));
    }
    if net.trunc() != net {
        return Err(InvalidEntry::HostBits {
            found: entry.to_owned(),
            network: net.trunc().to_string(),
            address: net.addr().to_string(),
        });
    }
    // IPv4 written inside IPv6 is IPv4, as in the addresses that are looked up.
    if let IpNet::V6(v6) = net
        && let Some((v4, first_bit)) = embedded_ipv4(v6.addr())
        && let Some(bits) = v6.prefix_len().checked_sub(first_bit)
    {
        // All of IPv4, by whatever way it comes.
        if bits == 0 {
            return Err(InvalidEntry::Everybody(entry.to_owned()));
        }
        if let Ok(v4) = ipnet::Ipv4Net::new(v4, bits.min(32)) {
            return Ok(v4.into());
        }
    }
    Ok(net)
}

#[cfg(test)]
mod tests {
    use super::Networks;
    use ipnet::Ipv4Net;
    use proptest::prelude::*;

    fn has(entries: &[&str], address: &str) -> bool {
        let (networks, mistakes) = Networks::new(entries.iter().copied());
        assert!(mistakes.is_empty(), "{mistakes:?}");
        networks.has(address.parse().unwrap())
    }

    #[test]
    fn ipv4_is_listed_however_ipv6_holds_it() {
        for address in [
            "64:ff9b::203.0.113.9",
            "::ffff:0:203.0.113.9",
            "::203.0.113.9",
            "2002:cb00:7109::1",
        ] {
            assert!(has(&["203.0.113.0/24"], address), "{address}");
            assert!(!has(&["203.0.114.0/24"], address), "{address}");
        }
        assert!(has(&["64:ff9b::203.0.113.0/120"], "203.0.113.9"));
        assert!(has(&["2002:cb00:7109::/48"], "203.0.113.9"));
        for all in ["64:ff9b::/96", "::ffff:0:0/96", "2002::/16"] {
            assert_eq!(Networks::new([all]).1.len(), 1, "{all} is everybody");
        }
    }

    #[test]
    fn addresses_lie_in_networks() {
        let entries = [
            "203.0.113.0/24",
            "198.51.100.7",
            "2001:db8::/32",
            "::ffff:192.0.2.0/120",
        ];
        for inside in [
            "203.0.113.0",
            "203.0.113.255",
            "198.51.100.7",
            "2001:db8:ffff::1",
            "::ffff:203.0.113.9",
            "192.0.2.77",
        ] {
            assert!(has(&entries, inside), "{inside}");
        }
        for outside in [
            "203.0.112.255",
            "203.0.114.0",
            "198.51.100.8",
            "2001:db9::",
            "192.0.3.0",
        ] {
            assert!(!has(&entries, outside), "{outside}");
        }
        assert!(has(&["10.0.0.0/8", "10.1.0.0/16", "10.2.3.4"], "10.200.0.1"));
    }

    #[test]
    fn what_is_no_network_is_refused_with_what_to_write() {
        let error = |entry| Networks::new([entry]).1.remove(0).1.to_string();
        assert!(error("gazette.example").contains("not a network"));
        assert!(error("203.0.113.0/33").contains("not a network"));
        assert!(error("203.0.113.7/24").contains("write 203.0.113.0/24 for the network or 203.0.113.7 for"));
        assert!(error("0.0.0.0/0").contains("every address"));
    }

    proptest! {
        #[test]
        fn ranges_say_what_the_networks_say(nets in proptest::collection::vec((any::<u32>(), 1..=32u8), 0..40),
                                            near: u32, address: u32) {
            let nets: Vec<_> = nets.iter().map(|&(a, p)| Ipv4Net::new((near ^ a >> (p / 2)).into(), p).unwrap().trunc()).collect();
            let texts: Vec<_> = nets.iter().map(ToString::to_string).collect();
            let (networks, mistakes) = Networks::new(texts.iter().map(String::as_str));
            prop_assert!(mistakes.is_empty());
            for address in [address, near, near ^ address >> 20] {
                let address = std::net::Ipv4Addr::from(address);
                prop_assert_eq!(networks.has(address.into()), nets.iter().any(|net| net.contains(&address)));
            }
        }
    }
}
