//! `moderato serve`: the service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;

use super::{CommandResult, Exit, Failure, feedback, output};
use crate::artifact::{self, ActiveModel, LoadModelError, ModelDir};
use crate::clock::Clock;
use crate::config::{self, Config, Loaded, PseudonymKey, Source};
use crate::feedback::Recorder;
use crate::limit::{DegradedSettings, Limiter, MemorySettings};
use crate::model::SpamModel;
use crate::operations::{Operations, Parts};
use crate::pipeline::Deps;
use crate::privacy::Pseudonymizer;
use crate::redis::RedisSettings;
use crate::server::{self, Listeners, Reload, Server, ServerError};
use crate::statistics::Statistics;
use crate::telemetry::{self, Events, Metrics, Traces};

/// How long the last traces may take to reach their collector.
const TRACES_FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// `moderato serve`
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  moderato serve                                            gRPC on 127.0.0.1:50051, limits in memory, shipped model
  moderato serve --listen 127.0.0.1:0 --model my.moderato   another model, on a free port
  moderato serve --listen 0.0.0.0:50051 --config my.toml     where others can call: with TLS and keys
  moderato serve --model-dir models                         promotions go live within seconds
  MODERATO_PSEUDONYM_KEY=$(moderato key new) moderato serve --redis redis://127.0.0.1/
  moderato serve --print-default-config > moderato.toml     every setting, with its meaning

Ends with 0 after SIGTERM or Ctrl-C once the calls under way are answered; with 3 if it cannot start as configured;
with 4 if the model cannot be read.")]
pub(super) struct Args {
    /// Where to listen for gRPC; repeat for several; port 0 takes a free one [default: 127.0.0.1:50051]
    #[arg(long, value_name = "ADDR")]
    listen: Vec<SocketAddr>,
    /// The configuration file
    #[arg(long, value_name = "F", env = "MODERATO_CONFIG")]
    config: Option<PathBuf>,
    /// Keep the limits in this Redis, so that all replicas count together
    #[arg(long, value_name = "URL", env = "MODERATO_REDIS_URL", hide_env_values = true)]
    redis: Option<String>,
    /// The spam model [default: the shipped one]; a SIGHUP reads it again
    #[arg(long, value_name = "F")]
    model: Option<PathBuf>,
    /// Follow the current version of this model directory; the shipped one until a model is promoted there
    #[arg(long, value_name = "D", conflicts_with = "model")]
    model_dir: Option<PathBuf>,
    /// Where operators look in over HTTP: /metrics, /livez, /readyz, /version; or "none" [default: 127.0.0.1:9464]
    #[arg(long, value_name = "ADDR", env = "MODERATO_OPS_LISTEN", value_parser = ops_address)]
    ops_listen: Option<OpsAddress>,
    /// Listen beyond loopback although nothing keeps strangers from calling, or from reading along
    #[arg(long)]
    serve_unprotected_beyond_loopback: bool,
    /// Remember decisions for feedback in this directory, which is made if there is none
    #[arg(long, value_name = "D", env = "MODERATO_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Print the default configuration with its comments, and end
    #[arg(long)]
    print_default_config: bool,
    /// Check the configuration and the model, say what was found, and end
    #[arg(long)]
    check: bool,
    /// How --check prints every setting as it came out, for each site
    #[arg(long, value_enum, default_value = "text", requires = "check")]
    format: Format,
}

/// How `--check` speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    /// TOML.
    Text,
    /// One object.
    Json,
}

/// Runs the command.
pub(super) fn run(args: &Args) -> CommandResult {
    if args.print_default_config {
        output::line(config::DEFAULT_TOML.trim_end())?;
        return Ok(Exit::Ok);
    }
    let source = Source {
        file: args.config.clone(),
        listen: args.listen.clone(),
        serve_unprotected_beyond_loopback: args.serve_unprotected_beyond_loopback,
    };
    let loaded = source.load().map_err(|error| Failure::new(Exit::Config, error))?;
    let Loaded { config, tls, .. } = loaded.clone();
    let clock = Clock::System;
    let models = models(args, &clock)?;
    let limiter = limiter(&config, args.redis.as_deref())?;
    let key = pseudonym_key(args)?;
    let previous = config::previous_pseudonym_key().map_err(|error| Failure::new(Exit::Config, error))?;
    let logs = telemetry::prepare(&config.log).map_err(|error| Failure::new(Exit::Config, error))?;
    if args.check {
        return describe(&config, &models, args.format);
    }
    logs.start().map_err(|error| Failure::new(Exit::Unexpected, error))?;
    raise_open_files(config.pressure.connections_max);
    warn_of_readers(args.data_dir.as_deref());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("start the runtime")
        .map_err(|error| Failure::new(Exit::Unexpected, error))?;
    let nonce = config::nonce().map_err(|error| Failure::new(Exit::Unexpected, error))?;
    let sites = Arc::new(config.sites.clone());
    let (metrics, rendered) = Metrics::prometheus(&sites).map_err(|error| Failure::new(Exit::Unexpected, error))?;
    runtime.block_on(async {
        // Bound before anything is built on it: a taken port is the commonest mistake.
        let reload = Reload::new(source, &loaded).map_err(|error| Failure::new(Exit::Unexpected, error))?;
        let tls = tls.map(|tls| Arc::new(ArcSwap::new(tls)));
        let grpc = Listeners::bind("--listen", &config.listen)
            .await
            .map_err(failure)?
            .with_tls(tls);
        let ops = ops_listeners(args.ops_listen, &config).await?;
        let metrics = if ops.is_some() { metrics } else { Metrics::off(&sites) };
        let ops = ops.map(|listeners| (listeners, rendered));
        tracing::info!(
            version = env!("CARGO_PKG_VERSION"),
            model_version = models.current().map(|loaded| loaded.model.version().to_owned()),
            limiter = if args.redis.is_some() { "redis" } else { "memory" },
            sites = sites.named.len(),
            "starting"
        );
        let recorder = feedback::store(&config, args.data_dir.as_deref(), args.redis.as_deref(), nonce, &clock)?
            .map(|store| Recorder::start(store, config.feedback.queue_max, clock.clone()));
        // Behind the store: that sees to it that the directory is ours alone.
        let statistics = match &args.data_dir {
            Some(dir) => Statistics::open(&dir.join("statistics.json"), clock.now())
                .map_err(|error| Failure::new(Exit::Data, error))?,
            None => Statistics::new(clock.now()),
        };
        let traces = match &config.telemetry.otlp_endpoint {
            None => Traces::Off,
            Some(endpoint) => Traces::otlp(endpoint, config.telemetry.traces_share)
                .with_context(|| {
                    format!("send traces to {endpoint} (OTEL_EXPORTER_OTLP_ENDPOINT, telemetry.otlp_endpoint)")
                })
                .map_err(|error| Failure::new(Exit::Config, error))?,
        };
        let pseudonymizer = match &previous {
            None => Pseudonymizer::new(key.expose()),
            Some(previous) => Pseudonymizer::new(key.expose()).after(previous.expose()),
        };
        let lines = lines(&grpc, ops.as_ref().map(|(listeners, _)| listeners));
        let (bounds, connections) = server::bounds(&config);
        let operations = Operations::new(Parts {
            sites,
            models,
            limiter,
            pseudonymizer,
            clock,
            metrics,
            recorder,
        });
        let operations = Arc::new(operations.with_statistics(statistics));
        let events = Events {
            objections: config.telemetry.log_objections,
            approvals: config.telemetry.log_approvals,
        };
        let server = Server {
            deps: Arc::new(Deps::new(operations, events, traces.clone(), nonce)),
            bounds,
            connections,
            grpc,
            ops,
            reload: Some(reload),
            drain_timeout: config.drain_timeout,
        };
        // Nobody has to read this; a closed standard output does not stop a service.
        let ready = || lines.iter().for_each(|line| drop(output::line(line)));
        let shutdown = shutdown_signal().map_err(|error| Failure::new(Exit::Unexpected, error))?;
        server.run(ready, shutdown).await.map_err(failure)?;
        // It blocks, and needs the runtime to send what is left.
        let flushed = tokio::task::spawn_blocking(move || traces.flush(TRACES_FLUSH_TIMEOUT)).await;
        flushed.map_err(|error| Failure::new(Exit::Unexpected, error))?;
        tracing::info!("stopped");
        Ok(Exit::Ok)
    })
}

/// Asks the system for a file descriptor for each connection, as far as it gives them.
fn raise_open_files(connections_max: usize) {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    // For the listeners, Redis, the model, the log.
    const OTHERS: u64 = 128;
    let needed = connections_max as u64 + OTHERS;
    let limit = getrlimit(Resource::Nofile);
    let enough = |limit: Option<u64>| limit.is_none_or(|limit| limit >= needed);
    if enough(limit.current) {
        return;
    }
    let current = Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed)));
    let raised = setrlimit(Resource::Nofile, Rlimit { current, ..limit }).is_ok();
    if !raised || !enough(current) {
        tracing::warn!(
            allowed = if raised { current } else { limit.current },
            needed,
            "the system gives this process fewer file descriptors than pressure.connections_max needs: raise its limit \
             (ulimit -n, LimitNOFILE) or lower the setting"
        );
    }
}

/// Where operators look in; `None` is nowhere.
#[derive(Debug, Clone, Copy)]
struct OpsAddress(Option<SocketAddr>);

fn ops_address(text: &str) -> Result<OpsAddress, String> {
    config::ops_address(text).map(OpsAddress)
}

/// Binds where operators look in. An address that somebody asked for must be free; the embedded default may be taken by
/// another moderato on this machine, and then this one does without.
async fn ops_listeners(asked: Option<OpsAddress>, config: &Config) -> Result<Option<Listeners>, Failure> {
    let Some(address) = asked.map_or(config.ops_listen, |asked| asked.0) else {
        return Ok(None);
    };
    match Listeners::bind("--ops-listen", &[address]).await {
        Ok(listeners) => Ok(Some(listeners)),
        Err(error) if asked.is_none() && address == config::OPS_LISTEN_DEFAULT => {
            tracing::warn!(%error, "operators cannot look in; the service starts without that listener");
            Ok(None)
        }
        Err(error) => Err(failure(error)),
    }
}

/// What is printed for each listener.
fn lines(grpc: &Listeners, ops: Option<&Listeners>) -> Vec<String> {
    let line = |protocol: &'static str| move |address: SocketAddr| format!("listening on {protocol} {address}");
    let ops = ops.map(Listeners::addresses).unwrap_or_default();
    grpc.addresses()
        .into_iter()
        .map(line("grpc"))
        .chain(ops.into_iter().map(line("ops")))
        .collect()
}

/// The model to start with, and where others come from.
fn models(args: &Args, clock: &Clock) -> Result<ActiveModel, Failure> {
    let source = match (&args.model, &args.model_dir) {
        (_, Some(dir)) => artifact::Source::Directory(ModelDir::new(dir)),
        (Some(file), None) => artifact::Source::File(file.clone()),
        (None, None) => artifact::Source::BuiltIn,
    };
    ActiveModel::start(source, clock.now()).map_err(|error| match (error, &args.model_dir) {
        (LoadModelError::History(error), Some(dir)) if !dir.is_dir() => {
            let what = format!(
                "--model-dir {}: make the directory, or promote a model to it",
                dir.display()
            );
            Failure::new(Exit::Config, anyhow::Error::new(error).context(what))
        }
        (error, _) => Failure::new(Exit::Data, error),
    })
}

/// Warns of a data directory that others than this user may read.
fn warn_of_readers(data_dir: Option<&std::path::Path>) {
    use std::os::unix::fs::PermissionsExt;
    let Some(dir) = data_dir else { return };
    let mode = std::fs::metadata(dir).map_or(0, |about| about.permissions().mode() & 0o777);
    if mode & 0o077 != 0 {
        tracing::warn!(
            dir = %dir.display(),
            mode = format!("{mode:o}"),
            "others on this machine may read the data directory, in which comments are kept: chmod 700"
        );
    }
}

/// The model in a file, or the shipped one.
pub(super) fn load_model(path: Option<&std::path::Path>) -> Result<SpamModel, Failure> {
    let model = match path {
        Some(path) => artifact::load(path),
        None => artifact::embedded(),
    };
    model.map_err(|error| Failure::new(Exit::Data, error))
}

/// Where pseudonyms are kept they have to mean the same after a restart: in Redis by the operator's key, in a data
/// directory by that or by one that is kept beside them.
fn pseudonym_key(args: &Args) -> Result<PseudonymKey, Failure> {
    let key = match &args.data_dir {
        Some(dir) if !args.check => config::kept_key(dir, args.redis.is_some()),
        _ => config::pseudonym_key(args.redis.is_some()),
    };
    key.map_err(|error| Failure::new(Exit::Config, error))
}

fn limiter(config: &Config, redis: Option<&str>) -> Result<Limiter, Failure> {
    let bounds = &config.limiter;
    let local = MemorySettings {
        subjects_max: bounds.subjects_max,
        replay_bytes_max: bounds.request_bytes_max,
    };
    let Some(url) = redis else {
        return Ok(Limiter::memory(&local));
    };
    let pem = |path: &PathBuf| {
        std::fs::read(path)
            .with_context(|| format!("read {} for TLS to Redis", path.display()))
            .map_err(|error| Failure::new(Exit::Config, error))
    };
    let identity = match &bounds.redis_tls_identity_files {
        Some((certificate, key)) => Some((pem(certificate)?, pem(key)?)),
        None => None,
    };
    let settings = RedisSettings {
        budget: bounds.redis_budget,
        connect_timeout: bounds.redis_connect_timeout,
        in_flight_max: bounds.redis_in_flight_max,
        tls_roots: bounds.redis_tls_ca_file.as_ref().map(pem).transpose()?,
        tls_identity: identity,
        ..RedisSettings::new(url)
    };
    let degraded = DegradedSettings {
        memory: local,
        local_share: bounds.redis_local_share,
    };
    Limiter::redis(settings, &degraded).map_err(|error| Failure::new(Exit::Config, error))
}

fn failure(error: ServerError) -> Failure {
    let exit = match error {
        ServerError::Bind { .. } => Exit::Config,
        _ => Exit::Unexpected,
    };
    Failure::new(exit, error)
}

/// `--check`: what a start would find.
fn describe(config: &Config, models: &ActiveModel, format: Format) -> CommandResult {
    let model = models.current();
    let mut resolved = config.resolved.clone();
    if let Some(loaded) = &model {
        let thresholds = loaded.model.thresholds();
        resolved.set_thresholds(
            thresholds.hold_at.get(),
            thresholds.reject_at.map(crate::model::SpamProbability::get),
        );
    }
    let version = model.as_ref().map(|loaded| loaded.model.version());
    let listen: Vec<_> = config.listen.iter().map(ToString::to_string).collect();
    if format == Format::Json {
        let found = serde_json::json!({
            "ok": true,
            "listen": listen,
            "model_version": version,
            "configuration": resolved.to_json(),
        });
        output::line(&format!("{found:#}"))?;
        return Ok(Exit::Ok);
    }
    output::line(&format!("# configuration ok: grpc on {}", listen.join(", ")))?;
    output::line(&match version {
        Some(version) => format!("# model {version}, whose thresholds are at work where a site has none"),
        None => "# no model: every comment would be held until one is promoted".to_owned(),
    })?;
    output::line(resolved.to_toml().trim_end())?;
    Ok(Exit::Ok)
}

/// Resolves at SIGTERM or Ctrl-C.
fn shutdown_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
