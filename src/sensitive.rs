//! A wrapper for what must never be published: names, e-mail addresses, network addresses, comment text.
//!
//! A value inside [`Sensitive`] has no `Display` and no serialization, and its `Debug` says nothing. Reading it takes a
//! call to [`Sensitive::expose`], which a test allows in a few rooms only.

use std::fmt;

/// A value that belongs to a reader. It lives for one request and is never written anywhere.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Sensitive<T>(T);

impl<T> Sensitive<T> {
    /// Wraps a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Each caller answers for where it goes next.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Sensitive<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::Sensitive;

    #[test]
    fn debug_says_nothing() {
        assert_eq!(
            format!("{:?}", Some(Sensitive::new("ann@example.org"))),
            "Some([redacted])"
        );
    }
}
