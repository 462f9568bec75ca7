//! A running service, asked over gRPC: for one comment by a call, for many by a stream.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::input::{Checked, Input};
use super::{exit_for, refusal};
use crate::api::grpc::proto::moderate_stream_response::Result as Outcome;
use crate::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use crate::api::grpc::{item_status, proto, retry_delay};
use crate::cli::{Exit, Failure};

/// How long one comment may take; a terminal waits longer than a backend should.
const DEADLINE: Duration = Duration::from_secs(10);

/// Comments at the service at once; the service's own bound on a stream is lower.
const OUTSTANDING_MAX: usize = 256;

/// So many streams in a row may be turned away, or end without an answer, before that is an error.
const CUT_IN_VAIN_MAX: usize = 10;

/// A comment that was sent.
struct Sent {
    number: usize,
    input: Input,
    answer: Option<proto::ModerateResponse>,
}

/// What a service may ask of its callers.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli) struct Credentials {
    /// The caller's key for --server; other users of the machine can read a command line, so prefer the variable
    #[arg(long, value_name = "KEY", env = "MODERATO_KEY", hide_env_values = true)]
    key: Option<String>,
    /// PEM file of the authorities that sign the certificate of --server [default: the usual public ones]
    #[arg(long, value_name = "F", env = "MODERATO_CA")]
    ca: Option<PathBuf>,
    /// PEM file of our own certificate, where --server asks for one
    #[arg(long, value_name = "F", requires = "cert_key")]
    cert: Option<PathBuf>,
    /// PEM file of its private key
    #[arg(long, value_name = "F", requires = "cert")]
    cert_key: Option<PathBuf>,
}

impl Credentials {
    fn tls(&self) -> Result<ClientTlsConfig, Failure> {
        let pem = |path: &PathBuf| {
            let read = std::fs::read(path).with_context(|| format!("read {}", path.display()));
            read.map_err(|error| Failure::new(Exit::Usage, error))
        };
        let mut tls = ClientTlsConfig::new();
        tls = match &self.ca {
            Some(ca) => tls.ca_certificate(Certificate::from_pem(pem(ca)?)),
            None => tls.with_webpki_roots(),
        };
        if let (Some(cert), Some(key)) = (&self.cert, &self.cert_key) {
            tls = tls.identity(Identity::from_pem(pem(cert)?, pem(key)?));
        }
        Ok(tls)
    }

    fn authorization(&self) -> Result<Option<AsciiMetadataValue>, Failure> {
        let value = self.key.as_ref().map(|key| format!("Bearer {}", key.trim()).parse());
        let value: Option<AsciiMetadataValue> = value.transpose().map_err(|_| {
            Failure::new(
                Exit::Usage,
                anyhow::anyhow!("--key holds something that is not plain ASCII text"),
            )
        })?;
        Ok(value.map(|mut value| {
            value.set_sensitive(true);
            value
        }))
    }
}

/// A connection, with the runtime that drives it.
pub(in crate::cli) struct Remote {
    runtime: tokio::runtime::Runtime,
    client: ModerationServiceClient<Channel>,
    authorization: Option<AsciiMetadataValue>,
}

impl Remote {
    pub(in crate::cli) fn connect(url: &str, credentials: &Credentials) -> Result<Self, Failure> {
        let with_scheme = if url.contains("://") {
            url.to_owned()
        } else {
            format!("http://{url}")
        };
        let tls = with_scheme.starts_with("https://");
        let mut endpoint = Endpoint::from_shared(with_scheme)
            .with_context(|| format!("--server {url} is not an address, such as http://127.0.0.1:50051"))
            .map_err(|error| Failure::new(Exit::Usage, error))?
            .connect_timeout(DEADLINE)
            .timeout(DEADLINE);
        if tls {
            endpoint = endpoint
                .tls_config(credentials.tls()?)
                .context("--ca, --cert or --cert-key cannot be used")
                .map_err(|error| Failure::new(Exit::Usage, error))?;
        }
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("start the runtime")
            .map_err(|error| Failure::new(Exit::Unexpected, error))?;
        let channel = runtime
            .block_on(endpoint.connect())
            .with_context(|| format!("no service answers at {url}; is `moderato serve` running there?"))
            .map_err(|error| Failure::new(Exit::Unreachable, error))?;
        Ok(Self {
            runtime,
            client: ModerationServiceClient::new(channel),
            authorization: credentials.authorization()?,
        })
    }

    pub(super) fn judge(&mut self, request: proto::ModerateRequest) -> Result<proto::ModerateResponse, tonic::Status> {
        let request = authorized(self.authorization.as_ref(), request);
        self.runtime
            .block_on(self.client.moderate(request))
            .map(tonic::Response::into_inner)
    }

    pub(in crate::cli) fn stats(
        &mut self,
        request: proto::GetStatsRequest,
    ) -> Result<proto::GetStatsResponse, tonic::Status> {
        self.runtime
            .block_on(self.client.get_stats(authorized(self.authorization.as_ref(), request)))
            .map(tonic::Response::into_inner)
    }

    /// Judges many comments over a stream, and hands them on in their order. `inputs` are read as there is room for
    /// them.
    ///
    /// # Errors
    /// The first comment that could not be judged, or read; all before it were handed on.
    pub(super) fn judge_all(
        &mut self,
        inputs: mpsc::Receiver<Result<(usize, Input), Failure>>,
        done: impl FnMut(Checked) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        let Self {
            runtime,
            client,
            authorization,
        } = self;
        runtime.block_on(judge_all(client, authorization.as_ref(), inputs, done))
    }
}

fn authorized<T>(authorization: Option<&AsciiMetadataValue>, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if let Some(authorization) = authorization {
        request.metadata_mut().insert("authorization", authorization.clone());
    }
    request
}

async fn judge_all(
    client: &mut ModerationServiceClient<Channel>,
    authorization: Option<&AsciiMetadataValue>,
    mut inputs: mpsc::Receiver<Result<(usize, Input), Failure>>,
    mut done: impl FnMut(Checked) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut sent: VecDeque<Sent> = VecDeque::new();
    // Set at the end of the inputs: whether that was a good one.
    let mut read: Option<Result<(), Failure>> = None;
    let mut cut_in_vain = 0;
    loop {
        // A service ends streams: when it stops, when they are old, when nothing comes for long. What was not answered
        // goes into the next one; judging it twice does no harm, for nothing is counted.
        if sent.is_empty() {
            match (read.take(), inputs.recv().await) {
                (Some(end), _) => return end,
                (None, None) => return Ok(()),
                (None, Some(input)) => sent.push_back(Sent::new(input?)),
            }
        }
        let (items, outbound) = mpsc::unbounded_channel();
        let unanswered = sent.iter().filter(|sent| sent.answer.is_none());
        unanswered.for_each(|sent| drop(items.send(sent.item())));
        let mut items = read.is_none().then_some(items);
        let outbound = authorized(authorization, UnboundedReceiverStream::new(outbound));
        let opened = client.moderate_stream(outbound).await;
        let mut answers = match opened.map_err(|status| (retry_delay(&status), status)) {
            Ok(answers) => answers.into_inner(),
            Err((Some(delay), _)) if cut_in_vain < CUT_IN_VAIN_MAX => {
                cut_in_vain += 1;
                tokio::time::sleep(delay.min(DEADLINE)).await;
                continue;
            }
            Err((_, status)) => return Err(not_judged(&status, &sent)),
        };
        let mut has_answered = false;
        // Set once a comment was turned away: this stream takes no more, and the next one begins after that time.
        let mut rest: Option<Duration> = None;
        let end = loop {
            tokio::select! {
                input = inputs.recv(), if items.is_some() && sent.len() < OUTSTANDING_MAX => match input {
                    Some(Ok(input)) => {
                        let input = Sent::new(input);
                        items.iter().for_each(|items| drop(items.send(input.item())));
                        sent.push_back(input);
                    }
                    end => {
                        // What came before a bad line is answered first.
                        read = Some(end.map_or(Ok(()), |end| end.map(drop)));
                        items = None;
                    }
                },
                answer = answers.message() => match answer {
                    Ok(Some(answer)) => {
                        match put(&mut sent, answer)? {
                            Put::Answer => has_answered = true,
                            Put::TurnedAway(delay) => {
                                rest = rest.max(Some(delay));
                                items = None;
                            }
                        }
                        while let Some(Sent { input, answer: Some(answer), .. }) = sent.pop_front_if(|sent| sent.answer.is_some()) {
                            done(Checked { input, answer })?;
                        }
                    }
                    Ok(None) => break tonic::Status::unavailable("the stream ended before all was answered"),
                    Err(status) => break status,
                }
            }
        };
        if let Some(rest) = rest {
            tokio::time::sleep(rest.min(DEADLINE)).await;
        }
        cut_in_vain = if has_answered { 0 } else { cut_in_vain + 1 };
        let goes_on = end.code() == tonic::Code::Unavailable && cut_in_vain < CUT_IN_VAIN_MAX;
        if !sent.is_empty() && !goes_on {
            return Err(not_judged(&end, &sent));
        }
    }
}

/// What an answer was.
enum Put {
    /// A judgment.
    Answer,
    /// The service has too much to do, or our key's quota is spent: the comment may come again after this time.
    TurnedAway(Duration),
}

/// Puts an answer to its comment.
fn put(sent: &mut VecDeque<Sent>, answer: proto::ModerateStreamResponse) -> Result<Put, Failure> {
    let number: Option<usize> = answer.item_id.parse().ok();
    let Some(at) = sent.iter().position(|sent| Some(sent.number) == number) else {
        let error = anyhow::anyhow!("the service answered a comment that it was not asked about");
        return Err(Failure::new(Exit::Unexpected, error));
    };
    match answer.result {
        Some(Outcome::Response(response)) => sent[at].answer = Some(response),
        Some(Outcome::Error(error)) => {
            let status = item_status(&error);
            if let Some(delay) = retry_delay(&status) {
                return Ok(Put::TurnedAway(delay));
            }
            return Err(Failure::new(exit_for(&status), refusal(&status, sent[at].number)));
        }
        None => {
            let error = anyhow::anyhow!("the service answered comment {} with nothing", sent[at].number);
            return Err(Failure::new(Exit::Unexpected, error));
        }
    }
    Ok(Put::Answer)
}

/// A failure that names the first comment without an answer.
fn not_judged(status: &tonic::Status, sent: &VecDeque<Sent>) -> Failure {
    let first = sent.iter().find(|sent| sent.answer.is_none());
    let number = first.map_or(0, |sent| sent.number);
    Failure::new(exit_for(status), refusal(status, number))
}

impl Sent {
    fn new((number, input): (usize, Input)) -> Self {
        Self {
            number,
            input,
            answer: None,
        }
    }

    fn item(&self) -> proto::ModerateStreamRequest {
        proto::ModerateStreamRequest {
            item_id: self.number.to_string(),
            request: Some(self.input.request(true)),
        }
    }
}
