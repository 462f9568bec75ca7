//! Authenticates calls: reads the key of a call before anything else of it is read, and leaves the [`Caller`] with the
//! request.
//!
//! For the services: [`caller`] and [`site`] before anything is done for a site, [`admin`] at the head of an
//! administrative call. For each item of a stream, [`caller`] and then [`Authenticator::admit_again`]. Health and
//! reflection ask for no key: probes have none, and what reflection tells is public.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tonic::body::Body;
use tonic::codegen::{Bytes, Service, http};
use tonic::{Request, Status};
use tonic_types::FieldViolation;

use super::status;
use crate::operations::Operations;
use crate::site::SiteId;
use crate::transport::{Authenticator, Caller, Denied, Refusal};

/// The header that holds the key, and how it begins.
const HEADER: http::HeaderName = http::header::AUTHORIZATION;
const SCHEME: &str = "Bearer ";

/// A service that only authenticated callers reach.
#[derive(Debug, Clone)]
pub(super) struct Authenticated<S> {
    inner: S,
    operations: Arc<Operations>,
    authenticator: Arc<Authenticator>,
}

impl<S> Authenticated<S> {
    /// Wraps `inner`. It belongs outside of whatever costs more than reading a key.
    pub(super) fn new(inner: S, operations: &Arc<Operations>, authenticator: &Arc<Authenticator>) -> Self {
        Self {
            inner,
            operations: Arc::clone(operations),
            authenticator: Arc::clone(authenticator),
        }
    }
}

impl<S, B> Service<http::Request<B>> for Authenticated<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Unpin,
    B: http_body::Body<Data = Bytes> + Unpin,
{
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = AuthenticatedFuture<S::Future, B>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        match self.authenticator.admit(key(request.headers())) {
            Ok(caller) => {
                // Nothing that comes later has a use for it, or could let it slip.
                request.headers_mut().remove(HEADER);
                request.extensions_mut().insert(caller);
                AuthenticatedFuture::Accepted(self.inner.call(request))
            }
            Err(denied) => {
                let refusal = refuse(&self.operations, denied).into_http();
                AuthenticatedFuture::Denied(Box::new(Refusal::new(refusal, request)))
            }
        }
    }
}

/// The answer to an authenticated caller, or to one that is denied.
#[derive(Debug)]
pub(super) enum AuthenticatedFuture<F, B> {
    Accepted(F),
    Denied(Box<Refusal<B>>),
}

impl<F, B> Future for AuthenticatedFuture<F, B>
where
    F: Future<Output = Result<http::Response<Body>, Infallible>> + Unpin,
    B: http_body::Body<Data = Bytes> + Unpin,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        match &mut *self {
            Self::Accepted(answer) => Pin::new(answer).poll(context),
            Self::Denied(refusal) => Pin::new(refusal).poll(context),
        }
    }
}

/// Checks that the caller may ask for this site, and counts the denial of one that may not.
pub(super) fn site(operations: &Operations, caller: &Caller, site: &SiteId) -> Result<(), Status> {
    caller.opens(site).map_err(|denied| refuse(operations, denied))
}

/// Checks that the caller is an administrator, and counts the denial of one that is not.
pub(super) fn admin<T>(operations: &Operations, request: &Request<T>) -> Result<(), Status> {
    caller(request.extensions())?
        .administrates()
        .map_err(|denied| refuse(operations, denied))
}

/// Checks the stated site of a call that names a decision by its id alone: a caller with a site's key says which site,
/// and it is compared with the decision's.
pub(super) fn stated_site<T>(operations: &Operations, request: &Request<T>, site: &str) -> Result<(), Status> {
    let caller = caller(request.extensions())?;
    if caller.opens_all() {
        return Ok(());
    }
    match SiteId::new(site) {
        Ok(site) => self::site(operations, caller, &site),
        Err(_) => Err(status::invalid(vec![FieldViolation::new(
            "site",
            "is missing or malformed; a caller with a key names its site",
        )])),
    }
}

/// Checks the stated site as [`stated_site`] does, where an administrator may ask for all sites at once.
pub(super) fn stated_site_or_admin<T>(operations: &Operations, request: &Request<T>, site: &str) -> Result<(), Status> {
    if caller(request.extensions())?.administrates().is_ok() {
        return Ok(());
    }
    stated_site(operations, request, site)
}

/// The caller in the extensions of a request.
pub(super) fn caller(extensions: &http::Extensions) -> Result<&Caller, Status> {
    // A service that was put together without authentication denies everybody.
    extensions.get().ok_or_else(|| status::denied(Denied::Unauthenticated))
}

/// Counts a refusal, and says it.
pub(super) fn refuse(operations: &Operations, denied: Denied) -> Status {
    operations.metrics().denied(denied.code());
    status::denied(denied)
}

/// The key, if exactly one is given.
fn key(headers: &http::HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(HEADER).iter();
    let value = values.next()?.to_str().ok()?;
    let (scheme, key) = value.split_at_checked(SCHEME.len())?;
    (scheme.eq_ignore_ascii_case(SCHEME) && values.next().is_none()).then(|| key.trim())
}

#[cfg(test)]
mod tests {
    use tonic::codegen::http::{HeaderMap, HeaderValue};

    use super::{HEADER, key};

    fn read(values: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(HEADER, HeaderValue::from_str(value).unwrap());
        }
        key(&headers).map(str::to_owned)
    }

    #[test]
    fn one_bearer_is_read_and_nothing_else() {
        assert_eq!(read(&["Bearer abc"]).as_deref(), Some("abc"));
        assert_eq!(read(&["bearer  abc "]).as_deref(), Some("abc"));
        for none in [
            &[][..],
            &["abc"],
            &["Basic abc"],
            &["Bearer"],
            &["Bearé"],
            &["Bearer a", "Bearer a"],
        ] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }
}
