//! The table of hash slots: which node holds which key.

use std::sync::Arc;

use super::node::Node;

/// Hash slots of a cluster.
pub(super) const SLOTS: u16 = 16_384;

/// Marks a slot that no node serves.
const NOBODY: u16 = u16::MAX;

/// The nodes, and the slots of each.
pub(super) struct SlotTable {
    /// Every node that holds keys.
    pub(super) nodes: Vec<Arc<Node>>,
    /// The index of the node for each slot; empty if the one node has all keys.
    table: Vec<u16>,
}

/// A range of slots and the master that serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SlotRange {
    /// The first slot.
    pub(super) first: u16,
    /// The last slot.
    pub(super) last: u16,
    /// Host and port of the master.
    pub(super) master: (String, u16),
}

impl SlotTable {
    /// A table with one node for every key.
    pub(super) fn one(node: Node) -> Self {
        Self {
            nodes: vec![Arc::new(node)],
            table: Vec::new(),
        }
    }

    /// A table without nodes.
    pub(super) fn empty() -> Self {
        Self {
            nodes: Vec::new(),
            table: vec![NOBODY; usize::from(SLOTS)],
        }
    }

    /// A table with a node for each range; `node` gives one by its address.
    pub(super) fn cluster(ranges: &[SlotRange], mut node: impl FnMut(&(String, u16)) -> Arc<Node>) -> Self {
        let mut slots = Self::empty();
        let mut known: Vec<&(String, u16)> = Vec::new();
        for SlotRange { first, last, master } in ranges {
            let at = known.iter().position(|address| *address == master).unwrap_or_else(|| {
                known.push(master);
                slots.nodes.push(node(master));
                known.len() - 1
            });
            let at = u16::try_from(at).unwrap_or(NOBODY);
            if let Some(part) = slots.table.get_mut(usize::from(*first)..=usize::from(*last)) {
                part.fill(at);
            }
        }
        slots
    }

    /// True if some slots have no node: a part of the cluster was given up, or the node that told us does not know it
    /// yet.
    pub(super) fn has_holes(&self) -> bool {
        self.table.contains(&NOBODY)
    }

    /// The node that holds a key.
    pub(super) fn node(&self, key: &str) -> Option<&Arc<Node>> {
        if self.table.is_empty() {
            return self.nodes.first();
        }
        self.nodes.get(usize::from(self.table[usize::from(slot(key))]))
    }
}

/// The slot of a key: CRC-16/XMODEM of its hash tag, modulo the number of slots (Redis cluster specification).
pub(super) fn slot(key: &str) -> u16 {
    let tag = key.find('{').and_then(|open| {
        let rest = &key[open + 1..];
        rest.find('}').filter(|close| *close > 0).map(|close| &rest[..close])
    });
    let step = |crc: u16, byte: u8| (crc << 8) ^ CRC[usize::from((crc >> 8) as u8 ^ byte)];
    tag.unwrap_or(key).bytes().fold(0, step) % SLOTS
}

const CRC: [u16; 256] = {
    let (mut table, mut byte) = ([0; 256], 0_u16);
    while byte < 256 {
        let (mut crc, mut bit) = (byte << 8, 0);
        while bit < 8 {
            crc = if crc & 0x8000 == 0 {
                crc << 1
            } else {
                (crc << 1) ^ 0x1021
            };
            bit += 1;
        }
        table[byte as usize] = crc;
        byte += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::slot;

    #[test]
    fn slots_are_redis_slots() {
        // From the cluster specification, and from CLUSTER KEYSLOT of a real server.
        assert_eq!(slot("123456789"), 0x31c3);
        assert_eq!(slot("foo"), 12_182);
        assert_eq!(slot("moderato:1:{a:b}:r:1"), slot("a:b"));
        assert_eq!(slot("x{}y"), slot("x{}y"));
        assert_ne!(slot("x{}y"), slot(""));
    }
}
