//! The memory of a table that is looked up all over: on large pages where the system has them. A comment asks for some
//! seven hundred places of it, and on pages of 4 KiB nearly each would first have to be found in the page tables.

use std::fmt;
use std::sync::Arc;

use memmap2::MmapMut;

/// So many zeros to begin with, shared once they are filled.
#[derive(Clone)]
pub(super) struct Slots(Arc<Memory>);

enum Memory {
    Mapped(MmapMut),
    Heap(Vec<u32>),
}

impl Slots {
    /// Slots that are 0 but for what `fill` puts there.
    pub(super) fn filled<E>(n: usize, fill: impl FnOnce(&mut [u32]) -> Result<(), E>) -> Result<Self, E> {
        let mut memory = match MmapMut::map_anon(n * size_of::<u32>()) {
            Ok(mapped) => Memory::Mapped(mapped),
            Err(_) => Memory::Heap(vec![0; n]),
        };
        #[cfg(target_os = "linux")]
        if let Memory::Mapped(mapped) = &memory {
            // A system without large pages is only slower.
            let _ = mapped.advise(memmap2::Advice::HugePage);
        }
        fill(match &mut memory {
            Memory::Mapped(mapped) => bytemuck::cast_slice_mut(mapped),
            Memory::Heap(heap) => heap,
        })?;
        Ok(Self(Arc::new(memory)))
    }

    pub(super) fn get(&self) -> &[u32] {
        match &*self.0 {
            Memory::Mapped(mapped) => bytemuck::cast_slice(mapped),
            Memory::Heap(heap) => heap,
        }
    }
}

impl fmt::Debug for Slots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slots({})", self.get().len())
    }
}

#[cfg(test)]
mod tests {
    use super::Slots;

    #[test]
    fn they_begin_with_zeros_and_keep_what_is_put() {
        for n in [1, 7, 1 << 21] {
            let slots = Slots::filled(n, |slots| {
                assert!(slots.iter().all(|&slot| slot == 0));
                slots[n - 1] = 7;
                Ok::<(), ()>(())
            });
            let slots = slots.unwrap().clone();
            assert_eq!((slots.get().len(), slots.get()[n - 1]), (n, 7));
        }
        assert!(Slots::filled(3, |_| Err(())).is_err());
    }
}
