//! The client: a bounded number of calls over a fixed number of connections and streams.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use moderato::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use moderato::api::grpc::proto::{Comment, ModerateRequest, Verdict};
use tokio::task::JoinSet;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Channel, Endpoint};

use crate::flood::{self, Flood};

pub(crate) const CONNECTIONS: usize = 16;
const STREAMS: usize = 32;

/// Comments as readers write them, of some 300 bytes each.
const TEXTS: [&str; 4] = [
    "I have lived next to the old mill for thirty years, and what the council calls a regeneration plan is a car park \
     with trees drawn on it. The flooding in 2014 came up to our doorstep. Nobody who was here then would put a \
     basement garage there, and nobody who was here has been asked about it, either.",
    "Good piece, but the second half lets the ministry off too lightly. They had the figures in March, they sat on them \
     until the vote was over, and now we are told it was a misunderstanding. If I did my tax return like that I would \
     be in front of a judge. Please keep asking, somebody has to do it.",
    "Completely disagree with the author here. My daughter went to that school and the teachers were the only ones who \
     noticed that something was wrong. Cutting their hours to pay for tablets is not modernisation, it is saving money \
     in the wrong place, and everybody on the board knows that very well indeed.",
    "Does anyone know whether the 14 bus will still stop at the hospital once the bridge is closed? The timetable on \
     the site ends in April, the driver did not know, and my mother has her appointment every Tuesday morning. I have \
     called twice now and was told to look it up on the site, which is rather funny.",
];

/// Where a server is, and what opens it.
pub(crate) struct Door {
    pub(crate) endpoint: Endpoint,
    pub(crate) authorization: Option<AsciiMetadataValue>,
}

/// Connections to a server.
pub(crate) struct Open {
    clients: Vec<ModerationServiceClient<Channel>>,
    authorization: Option<AsciiMetadataValue>,
}

async fn connect(endpoint: &Endpoint) -> Vec<ModerationServiceClient<Channel>> {
    let mut clients = Vec::new();
    for _ in 0..CONNECTIONS {
        let channel = endpoint.connect().await.expect("the server is there");
        clients.push(ModerationServiceClient::new(channel));
    }
    clients
}

/// A client with a runtime of its own.
pub(crate) struct Load {
    runtime: tokio::runtime::Runtime,
    /// Authors so far: each call is another's, so that nobody meets a limit.
    authors: Arc<AtomicUsize>,
}

impl Load {
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        Self {
            runtime: runtime.expect("a runtime"),
            authors: Arc::default(),
        }
    }

    /// Connections to a server, to be used again and again.
    pub(crate) fn open(&mut self, door: Door) -> Open {
        let Door {
            endpoint,
            authorization,
        } = door;
        let clients = self.runtime.block_on(connect(&endpoint));
        Open { clients, authorization }
    }

    /// Makes so many calls; how many were approved.
    pub(crate) fn run(&mut self, open: &Open, calls: usize) -> usize {
        let authors = Arc::clone(&self.authors);
        let end = authors.load(Ordering::Relaxed) + calls;
        let approved = Arc::new(AtomicUsize::new(0));
        self.runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for client in &open.clients {
                for _ in 0..STREAMS {
                    let (mut client, authors, approved) = (client.clone(), Arc::clone(&authors), Arc::clone(&approved));
                    let authorization = open.authorization.clone();
                    tasks.spawn(async move {
                        loop {
                            let author = authors.fetch_add(1, Ordering::Relaxed);
                            if author >= end {
                                break;
                            }
                            let request = authorized(request(author), authorization.as_ref());
                            let answer = client.moderate(request).await.expect("an answer").into_inner();
                            if answer.verdict() == Verdict::Approve {
                                approved.fetch_add(1, Ordering::Relaxed);
                            }
                        }
                    });
                }
            }
            while let Some(ended) = tasks.join_next().await {
                ended.expect("no task panics");
            }
        });
        self.authors.store(end, Ordering::Relaxed);
        approved.load(Ordering::Relaxed)
    }
}

impl Load {
    /// Calls at a steady rate (a second) for some seconds, whether the earlier ones are answered or not; the latencies
    /// in µs, sorted.
    pub(crate) fn paced(&mut self, open: &Open, rate: usize, seconds: u32) -> Vec<u32> {
        let first = self.authors.load(Ordering::Relaxed);
        let (latencies, made) = self.runtime.block_on(async {
            let (start, mut calls, mut made) = (Instant::now(), JoinSet::new(), 0);
            let mut ticks = tokio::time::interval(Duration::from_millis(1));
            while start.elapsed() < Duration::from_secs(seconds.into()) {
                ticks.tick().await;
                let micros = usize::try_from(start.elapsed().as_micros()).expect("a short run");
                let due = micros * rate / 1_000_000;
                for n in made..due {
                    let mut client = open.clients[n % CONNECTIONS].clone();
                    let request = authorized(request(first + n), open.authorization.as_ref());
                    calls.spawn(async move {
                        let began = Instant::now();
                        client.moderate(request).await.expect("an answer");
                        u32::try_from(began.elapsed().as_micros()).unwrap_or(u32::MAX)
                    });
                }
                made = due;
            }
            (calls.join_all().await, made)
        });
        self.authors.store(first + made, Ordering::Relaxed);
        let mut latencies = latencies;
        latencies.sort_unstable();
        latencies
    }

    /// Calls that cost next to nothing here: see [`flood`].
    pub(crate) fn flood(&mut self, address: &str, callers: usize, seconds: u32) -> Flood {
        self.runtime.block_on(flood::flood(address, callers, seconds))
    }
}

fn authorized(request: ModerateRequest, authorization: Option<&AsciiMetadataValue>) -> tonic::Request<ModerateRequest> {
    let mut request = tonic::Request::new(request);
    if let Some(authorization) = authorization {
        request.metadata_mut().insert("authorization", authorization.clone());
    }
    request
}

pub(crate) fn request(author: usize) -> ModerateRequest {
    let octets = u32::try_from(0x0100_0000 + author % 0x0800_0000)
        .expect("below 2^32")
        .to_be_bytes();
    ModerateRequest {
        site: "bench".to_owned(),
        comment: Some(Comment {
            content: TEXTS[author % TEXTS.len()].to_owned(),
            author_name: "Ann Reader".to_owned(),
            author_email: "ann@example.org".to_owned(),
            author_ip: std::net::Ipv4Addr::from(octets).to_string(),
            ..Comment::default()
        }),
        ..ModerateRequest::default()
    }
}
