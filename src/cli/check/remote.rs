//! A running service, asked over gRPC.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use tonic::Request;
use tonic::metadata::AsciiMetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use crate::api::grpc::proto;
use crate::api::grpc::proto::moderation_service_client::ModerationServiceClient;
use crate::cli::{Exit, Failure};

/// How long one comment may take; a terminal waits longer than a backend should.
const DEADLINE: Duration = Duration::from_secs(10);

/// What a service may ask of its callers.
#[derive(Debug, clap::Args)]
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
        let mut request = Request::new(request);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        self.runtime
            .block_on(self.client.moderate(request))
            .map(tonic::Response::into_inner)
    }
    pub(in crate::cli) fn stats(
        &mut self,
        request: proto::GetStatsRequest,
    ) -> Result<proto::GetStatsResponse, tonic::Status> {
        self.runtime
            .block_on(self.client.get_stats(request))
            .map(tonic::Response::into_inner)
    }
}
