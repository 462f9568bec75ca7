//! A call that has begun and whose message has not come yet.

use moderato::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use moderato::api::grpc::proto::{ModerateRequest, ModerateResponse};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataMap;
use tonic::transport::Channel;
use tonic::{Extensions, Request, Status};
use tonic_prost::ProstCodec;

use super::eventually::eventually;
use super::{PLAIN, request};

/// A `Moderate` call under way.
pub(crate) struct SlowCall {
    message: mpsc::UnboundedSender<ModerateRequest>,
    answer: JoinHandle<Result<ModerateResponse, Status>>,
}

impl SlowCall {
    /// Begins it in a harness with one place, and waits until it has that place: until a call of `client` is turned
    /// away.
    pub(crate) async fn begin(channel: &Channel, client: &mut ModerationServiceClient<Channel>) -> Self {
        let mut call = Self::try_begin(channel.clone());
        eventually("the only place is taken", async || {
            // The other call may have been there first.
            if call.answer.is_finished() {
                call = Self::try_begin(channel.clone());
            }
            client.moderate(request(PLAIN)).await.is_err()
        })
        .await;
        call
    }

    /// Begins it, wherever it may get to.
    pub(crate) fn try_begin(channel: Channel) -> Self {
        Self::try_begin_with(channel, MetadataMap::new())
    }

    /// Begins it with this metadata, wherever it may get to.
    pub(crate) fn try_begin_with(channel: Channel, metadata: MetadataMap) -> Self {
        let (message, messages) = mpsc::unbounded_channel();
        let answer = tokio::spawn(async move {
            let mut client = tonic::client::Grpc::new(channel);
            client.ready().await.unwrap();
            let path = PathAndQuery::from_static("/moderato.v1.ModerationService/Moderate");
            // To the server a unary call is a stream of one message.
            let messages = UnboundedReceiverStream::new(messages).take(1);
            let request = Request::from_parts(metadata, Extensions::default(), messages);
            let codec: ProstCodec<ModerateRequest, ModerateResponse> = ProstCodec::default();
            let answer = client.client_streaming(request, path, codec).await;
            answer.map(tonic::Response::into_inner)
        });
        Self { message, answer }
    }

    /// Drops it as it waits: the client resets the stream. While the result is kept, the message has no other end.
    pub(crate) async fn cancel(self) -> impl Sized {
        self.answer.abort();
        assert!(self.answer.await.unwrap_err().is_cancelled());
        self.message
    }

    /// Sends nothing, and waits for what comes of it.
    pub(crate) async fn give_up(self) -> Status {
        self.answer.await.unwrap().unwrap_err()
    }

    /// Sends the message and waits for the answer.
    pub(crate) async fn finish(self, request: ModerateRequest) -> Result<ModerateResponse, Status> {
        self.message.send(request).unwrap();
        self.answer.await.unwrap()
    }
}
