//! The baselines: a service that answers without looking, alone or after one script call; and a Redis for the run.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use moderato::api::grpc::proto::moderation_service_server::{ModerationService, ModerationServiceServer};
use moderato::api::grpc::proto::{
    GetDecisionRequest, GetDecisionResponse, GetStatsRequest, GetStatsResponse, Handling, ModerateRequest,
    ModerateResponse, ModerateStreamRequest, ModerateStreamResponse, SubmitFeedbackRequest, SubmitFeedbackResponse,
    Verdict,
};
use redis::aio::MultiplexedConnection;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, ServerTlsConfig};
use tonic::{Request, Response, Status, Streaming};

/// The smallest script that does what a limiter must: read the clock, read a key, write it with an expiry.
const SCRIPT: &str = "local t = redis.call('TIME') \
    local v = redis.call('GET', KEYS[1]) \
    redis.call('SET', KEYS[1], ARGV[1], 'PX', 86400000) \
    return {tonumber(t[1]), tonumber(t[2]), v and 1 or 0}";

struct Echo {
    redis: Option<(MultiplexedConnection, redis::Script)>,
}

#[tonic::async_trait]
impl ModerationService for Echo {
    async fn moderate(&self, request: Request<ModerateRequest>) -> Result<Response<ModerateResponse>, Status> {
        if let Some((connection, script)) = &self.redis {
            let key = request
                .get_ref()
                .comment
                .as_ref()
                .map(|comment| comment.author_ip.as_str())
                .unwrap_or_default();
            let mut connection = connection.clone();
            let answer: Result<Vec<i64>, _> = script
                .key(key)
                .arg("0123456789abcdef01234567")
                .invoke_async(&mut connection)
                .await;
            answer.map_err(|error| Status::unavailable(error.to_string()))?;
        }
        Ok(Response::new(ModerateResponse {
            decision_id: "00000000000000000000000000000000".to_owned(),
            verdict: Verdict::Approve.into(),
            handling: Handling::Publish.into(),
            ..ModerateResponse::default()
        }))
    }

    type ModerateStreamStream = tokio_stream::Empty<Result<ModerateStreamResponse, Status>>;

    async fn moderate_stream(
        &self,
        _: Request<Streaming<ModerateStreamRequest>>,
    ) -> Result<Response<Self::ModerateStreamStream>, Status> {
        Err(Status::unimplemented("the baseline is for single calls"))
    }

    async fn get_stats(&self, _: Request<GetStatsRequest>) -> Result<Response<GetStatsResponse>, Status> {
        Err(Status::unimplemented("an echo counts nothing"))
    }

    async fn submit_feedback(
        &self,
        _: Request<SubmitFeedbackRequest>,
    ) -> Result<Response<SubmitFeedbackResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }

    async fn get_decision(&self, _: Request<GetDecisionRequest>) -> Result<Response<GetDecisionResponse>, Status> {
        Err(Status::unimplemented("not measured"))
    }
}

/// Serves until it is killed: plainly, or with `--redis URL`, or with `--tls CERTIFICATE KEY`.
pub(crate) fn echo(args: &[String]) {
    let after = |flag: &str| args.iter().position(|arg| arg == flag).map(|at| &args[at + 1..]);
    let redis = after("--redis").map(|rest| rest[0].as_str());
    let tls = after("--tls").map(|rest| {
        let pem = |path: &String| std::fs::read(path).expect("the file was written");
        ServerTlsConfig::new().identity(Identity::from_pem(pem(&rest[0]), pem(&rest[1])))
    });
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let redis = match redis {
            None => None,
            Some(url) => {
                let client = redis::Client::open(url).expect("a URL");
                let connection = client.get_multiplexed_async_connection().await.expect("a Redis");
                Some((connection, redis::Script::new(SCRIPT)))
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("listening on grpc {}", listener.local_addr().expect("it is bound"));
        let service = ModerationServiceServer::new(Echo { redis });
        let mut builder = tonic::transport::Server::builder().tcp_nodelay(true);
        if let Some(tls) = tls {
            builder = builder.tls_config(tls).expect("a certificate and its key");
        }
        let server = builder.add_service(service);
        server
            .serve_with_incoming(TcpListenerStream::new(listener))
            .await
            .expect("it serves");
    });
}

/// A redis-server of this run on a free port.
pub(crate) struct Redis {
    child: Child,
    pub(crate) url: String,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0")
            .expect("a free port")
            .local_addr()
            .expect("it is bound")
            .port();
        let child = Command::new("redis-server")
            .args([
                "--port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is missing: tests/run installs it");
        let url = format!("redis://127.0.0.1:{port}/");
        let answers = || {
            let client = redis::Client::open(url.as_str()).ok()?;
            let mut connection = client.get_connection().ok()?;
            redis::cmd("PING").query::<String>(&mut connection).ok()
        };
        while answers().is_none() {
            std::thread::yield_now();
        }
        Self { child, url }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
