//! Tells whose quotas a submission spends, under which pseudonym, and by which key its repetition is known.

use std::net::IpAddr;

use super::submission::Submission;
use crate::comment::{Action, Author, AuthorKey, Trust};
use crate::limit::IdempotencyKey;
use crate::policy::Velocity;
use crate::privacy::{self, Network, Pseudonymizer};
use crate::site::{SiteId, SitePolicy};

/// The author whose quotas a submission spends.
#[derive(Clone, Copy)]
pub(super) enum QuotaSubject {
    /// An address or an account, by its pseudonym.
    Author(AuthorKey),
    /// Nobody: the submission spends nothing.
    NotMeasured,
    /// Unknown: no address was sent.
    NoAddress,
    /// Unknown: the address cannot be a reader's.
    AddressNotPublic,
}

/// A [`QuotaSubject`] without the author. It is remembered of a request: its repetition is answered as the first was,
/// also when it is sent as something for which no quota is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum QuotaScope {
    Quotas,
    NotMeasured,
    NoAddress,
    AddressNotPublic,
}

impl QuotaScope {
    /// The scope of a byte, as `scope as u8` gave it.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        let all = [Self::Quotas, Self::NotMeasured, Self::NoAddress, Self::AddressNotPublic];
        all.into_iter().find(|scope| *scope as u8 == byte)
    }

    /// The velocity that is known without the limiter.
    pub(super) const fn unmeasured(self) -> Option<Velocity> {
        match self {
            Self::Quotas => None,
            Self::NotMeasured => Some(Velocity::NotMeasured),
            Self::NoAddress => Some(Velocity::NoAddress),
            Self::AddressNotPublic => Some(Velocity::AddressNotPublic),
        }
    }
}

impl QuotaSubject {
    /// The author whose quotas a submission spends, under the pseudonym that `epoch` gives.
    pub(super) fn of(epoch: &Pseudonymizer, submission: &Submission, policy: &SitePolicy) -> Self {
        let author = &submission.comment.author;
        if submission.action != Action::Submit || author.trust == Trust::Staff || policy.quotas.is_empty() {
            return Self::NotMeasured;
        }
        Self::author(epoch, submission, policy)
    }

    /// The author of a submission as far as that can be said, whether or not it spends.
    fn author(epoch: &Pseudonymizer, submission: &Submission, policy: &SitePolicy) -> Self {
        let author = &submission.comment.author;
        if is_account(author) {
            return Self::Author(epoch.account(&submission.site, author.id.expose()));
        }
        let Some(address) = author.address.as_ref().map(|address| *address.expose()) else {
            return Self::NoAddress;
        };
        Self::network(epoch, &submission.site, address, policy)
    }

    /// The network of an address.
    pub(super) fn network(epoch: &Pseudonymizer, site: &SiteId, address: IpAddr, policy: &SitePolicy) -> Self {
        if !policy.judge_private_addresses && !privacy::is_public(address) {
            return Self::AddressNotPublic;
        }
        let network = Network::of(address, policy.ipv4_prefix, policy.ipv6_prefix);
        Self::Author(epoch.network(site, network))
    }

    /// The scope of the quotas.
    pub(super) const fn scope(self) -> QuotaScope {
        match self {
            Self::Author(_) => QuotaScope::Quotas,
            Self::NotMeasured => QuotaScope::NotMeasured,
            Self::NoAddress => QuotaScope::NoAddress,
            Self::AddressNotPublic => QuotaScope::AddressNotPublic,
        }
    }

    /// The author's pseudonym, if there is one.
    pub(super) const fn key(self) -> Option<AuthorKey> {
        match self {
            Self::Author(key) => Some(key),
            Self::NotMeasured | Self::NoAddress | Self::AddressNotPublic => None,
        }
    }
}

/// The key by which a repetition of the request is known, under the pseudonyms that `epoch` gives.
pub(super) fn idempotency_key<'a>(
    epoch: &Pseudonymizer,
    submission: &Submission,
    policy: &SitePolicy,
    payload: &'a [u8],
) -> Option<IdempotencyKey<'a>> {
    submission.request.as_ref().map(|request| IdempotencyKey {
        request: epoch.request(&submission.site, &request.id),
        fingerprint: epoch.body(&request.body),
        author: QuotaSubject::author(epoch, submission, policy).key(),
        payload,
    })
}

/// True if the author is counted by the account and not by the address.
pub(super) fn is_account(author: &Author) -> bool {
    author.trust >= Trust::Authenticated && !author.id.expose().is_empty()
}
