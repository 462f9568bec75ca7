//! Answers admitted calls: by the services as tonic generates them, and `Moderate`, which is nearly every call, in a
//! way of its own, on the same codec. It makes one small allocation for each call where the generated service makes
//! four, and drops the request as soon as it is read: smaller waiting calls mean fewer cache misses on resume.

use std::convert::Infallible;
use std::pin::{Pin, pin};
use std::sync::Arc;

use tonic::body::Body;
use tonic::codec::{BufferSettings, EncodeBody, SingleMessageCompressionOverride};
use tonic::codegen::{BoxFuture, Bytes, Service, StdError, http};
use tonic::metadata::GRPC_CONTENT_TYPE;
use tonic::{Code, Status, Streaming};
use tonic_prost::{ProstDecoder, ProstEncoder};

use super::ModerationServiceImpl;
use super::proto::moderation_service_server::ModerationServiceServer;
use super::proto::{ModerateRequest, ModerateResponse};
use super::service::{Sender, judge};
use crate::pipeline::{Deps, Submission};
use crate::transport::{AdmittedCall, Endpoint};

/// The method that is served here.
const MODERATE: &str = "/moderato.v1.ModerationService/Moderate";

/// A service as tonic generates it.
#[derive(Debug, Clone)]
pub(super) struct Generated<S>(pub(super) S);

impl<S, B> Endpoint<B> for Generated<S>
where
    S: Service<http::Request<B>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + Unpin + 'static,
{
    fn answer(mut self, request: http::Request<B>, call: AdmittedCall) -> BoxFuture<http::Response<Body>, Infallible> {
        let mut answer = self.0.call(request);
        Box::pin(async move {
            let response = call.within(Pin::new(&mut answer)).await?;
            Ok(
                match Status::from_header_map(response.headers())
                    .as_ref()
                    .and_then(callers_mistake)
                {
                    Some(status) => status.into_http(),
                    None => response,
                },
            )
        })
    }
}

/// The beginning of the message of a status about bytes that are no message.
const UNDECODABLE: &str = "failed to decode Protobuf message";

/// The status of a request whose bytes are no message, a string that is not UTF-8 among them: the calling program's
/// mistake, which tonic takes for an error of the service. Its message names the fields and quotes nothing.
fn callers_mistake(status: &Status) -> Option<Status> {
    let is_undecodable = status.code() == Code::Internal && status.message().starts_with(UNDECODABLE);
    is_undecodable.then(|| Status::invalid_argument(status.message()))
}

/// `ModerationService`.
#[derive(Debug, Clone)]
pub(super) struct Moderation {
    implementation: Arc<ModerationServiceImpl>,
    generated: ModerationServiceServer<ModerationServiceImpl>,
    message_bytes_max: usize,
}

impl Moderation {
    /// This implementation's service, for messages of at most so many bytes.
    pub(super) fn new(implementation: ModerationServiceImpl, message_bytes_max: usize) -> Self {
        let implementation = Arc::new(implementation);
        Self {
            generated: ModerationServiceServer::from_arc(Arc::clone(&implementation))
                .max_decoding_message_size(message_bytes_max),
            implementation,
            message_bytes_max,
        }
    }
}

impl<B> Endpoint<B> for Moderation
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<StdError> + Send,
{
    fn answer(self, request: http::Request<B>, call: AdmittedCall) -> BoxFuture<http::Response<Body>, Infallible> {
        // tonic knows what to say of encodings that nobody here reads.
        let is_encoded = request.headers().contains_key("grpc-encoding");
        if request.uri().path() != MODERATE || is_encoded {
            return Generated(self.generated).answer(request, call);
        }
        let mut unary = Unary::new(request, self.message_bytes_max);
        let implementation = self.implementation;
        Box::pin(async move {
            let answer = pin!(async {
                Ok(match unary.answer(implementation.deps()).await {
                    Ok(message) => response(message),
                    Err(status) => status.into_http(),
                })
            });
            call.within(answer).await
        })
    }
}

/// A unary call of `Moderate`, of whose request all but the message was read.
struct Unary {
    /// Until the message was read.
    messages: Option<Streaming<ModerateRequest>>,
    sender: Result<Sender, Status>,
}

impl Unary {
    fn new<B>(request: http::Request<B>, message_bytes_max: usize) -> Self
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<StdError> + Send,
    {
        let sender = Sender::of(request.extensions());
        let decoder = ProstDecoder::new(buffer());
        let messages = Streaming::new_request(decoder, request.into_body(), None, Some(message_bytes_max));
        Self {
            messages: Some(messages),
            sender,
        }
    }

    async fn answer(&mut self, deps: &Deps) -> Result<ModerateResponse, Status> {
        let submission = self.read(deps).await;
        // Before anything is waited for.
        self.messages = None;
        match (&submission, &self.sender) {
            (Ok(submission), Ok(sender)) => judge(deps, submission, sender.patience()).await,
            (Err(status), _) | (_, Err(status)) => Err(status.clone()),
        }
    }

    async fn read(&mut self, deps: &Deps) -> Result<Submission, Status> {
        let missing = || Status::internal("Missing request message.");
        let messages = self.messages.as_mut().ok_or_else(missing)?;
        let undecodable = |status: Status| callers_mistake(&status).unwrap_or(status);
        let message = messages.message().await.map_err(undecodable)?.ok_or_else(missing)?;
        let sender = self.sender.as_ref().map_err(Status::clone);
        let submission = sender.and_then(|sender| sender.read(deps, message));
        // To its end: a call that is answered while its caller still sends would be cut.
        messages.trailers().await?;
        submission
    }
}

fn response(message: ModerateResponse) -> http::Response<Body> {
    let body = EncodeBody::new_server(
        ProstEncoder::new(buffer()),
        tokio_stream::once(Ok(message)),
        None,
        SingleMessageCompressionOverride::default(),
        None,
    );
    let mut response = http::Response::new(Body::new(body));
    response
        .headers_mut()
        .insert(http::header::CONTENT_TYPE, GRPC_CONTENT_TYPE);
    response
}

/// tonic begins each message with a buffer of 8 KiB; comments and verdicts are shorter, and buffers grow. This is as
/// many bytes as most comments have with what comes with them.
fn buffer() -> BufferSettings {
    BufferSettings::new(1_024, 32_768)
}
