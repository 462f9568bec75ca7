//! A call that has begun and whose message has not come yet.

use moderato::api::grpc::proto::{ModerateRequest, ModerateResponse};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_prost::ProstCodec;

/// A `Moderate` call under way.
pub(crate) struct SlowCall {
    message: mpsc::UnboundedSender<ModerateRequest>,
    answer: JoinHandle<Result<ModerateResponse, Status>>,
}

impl SlowCall {
    /// Begins it.
    pub(crate) fn begin(channel: Channel) -> Self {
        let (message, messages) = mpsc::unbounded_channel();
        let answer = tokio::spawn(async move {
            let mut client = tonic::client::Grpc::new(channel);
            client.ready().await.unwrap();
            let path = PathAndQuery::from_static("/moderato.v1.ModerationService/Moderate");
            // To the server a unary call is a stream of one message.
            let messages = UnboundedReceiverStream::new(messages).take(1);
            let codec: ProstCodec<ModerateRequest, ModerateResponse> = ProstCodec::default();
            client
                .client_streaming(Request::new(messages), path, codec)
                .await
                .map(tonic::Response::into_inner)
        });
        Self { message, answer }
    }

    /// Sends the message and waits for the answer.
    pub(crate) async fn finish(self, request: ModerateRequest) -> Result<ModerateResponse, Status> {
        self.message.send(request).unwrap();
        self.answer.await.unwrap()
    }
}
