//! What answers the calls that were let in: the services as tonic generates them, and `Moderate`, which is nearly every
//! call, with one allocation for all that the generated service makes four for. Calls that wait are pushed out of the
//! processor's caches by those that come, and what they hold is what it takes to go on.

use std::convert::Infallible;
use std::marker::PhantomData;
use std::sync::Arc;
use std::task::{Context, Poll};

use prost::Message;
use tonic::body::Body;
use tonic::codec::{BufferSettings, Codec};
use tonic::codegen::{Bytes, Service, StdError, http};
use tonic::server::Grpc;
use tonic::{Request, Response, Status};
use tonic_prost::{ProstDecoder, ProstEncoder};

use super::ModerationDoor;
use super::proto::moderation_service_server::ModerationServiceServer;
use super::service::judge_one;

/// The method that is served here.
const MODERATE: &str = "/moderato.v1.ModerationService/Moderate";

/// What answers calls with messages like `B`.
pub(super) trait Endpoint<B> {
    /// Answers one; all that is done for it is done as it is polled.
    fn answer(self, request: http::Request<B>) -> impl Future<Output = http::Response<Body>> + Send + 'static;
}

/// A service as tonic generates it.
#[derive(Debug, Clone)]
pub(super) struct Generated<S>(pub(super) S);

impl<S, B> Endpoint<B> for Generated<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    fn answer(mut self, request: http::Request<B>) -> impl Future<Output = http::Response<Body>> + Send + 'static {
        let answer = self.0.call(request);
        async move {
            let Ok(answer) = answer.await;
            answer
        }
    }
}

/// `ModerationService`.
#[derive(Debug, Clone)]
pub(super) struct Moderation {
    door: Arc<ModerationDoor>,
    generated: ModerationServiceServer<ModerationDoor>,
    message_bytes_max: usize,
}

impl Moderation {
    /// This door's service, for messages of at most so many bytes.
    pub(super) fn new(door: ModerationDoor, message_bytes_max: usize) -> Self {
        let door = Arc::new(door);
        Self {
            generated: ModerationServiceServer::from_arc(Arc::clone(&door))
                .max_decoding_message_size(message_bytes_max),
            door,
            message_bytes_max,
        }
    }
}

impl<B> Endpoint<B> for Moderation
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError> + Send,
{
    async fn answer(self, request: http::Request<B>) -> http::Response<Body> {
        if request.uri().path() != MODERATE {
            return Generated(self.generated).answer(request).await;
        }
        let method = Method(|request| judge_one(Arc::clone(self.door.moderator()), request));
        let mut grpc = Grpc::new(SmallMessages::default()).max_decoding_message_size(self.message_bytes_max);
        grpc.unary(method, request).await
    }
}

/// A method that is a function.
struct Method<F>(F);

impl<F, A, M, N> Service<Request<M>> for Method<F>
where
    F: FnMut(Request<M>) -> A,
    A: Future<Output = Result<Response<N>, Status>>,
{
    type Response = Response<N>;
    type Error = Status;
    type Future = A;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<M>) -> A {
        self.0(request)
    }
}

/// tonic's codec, which begins each message with a buffer of 8 KiB; comments and verdicts are shorter, and buffers grow.
struct SmallMessages<D, E>(PhantomData<(D, E)>);

/// As many bytes as most comments have with what comes with them.
fn buffer() -> BufferSettings {
    BufferSettings::new(1_024, 32_768)
}

impl<D, E> Default for SmallMessages<D, E> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<D, E> Codec for SmallMessages<D, E>
where
    D: Message + Default + Send + 'static,
    E: Message + Send + 'static,
{
    type Encode = E;
    type Decode = D;
    type Encoder = ProstEncoder<E>;
    type Decoder = ProstDecoder<D>;

    fn encoder(&mut self) -> Self::Encoder {
        ProstEncoder::new(buffer())
    }

    fn decoder(&mut self) -> Self::Decoder {
        ProstDecoder::new(buffer())
    }
}
