//! Every reason for a Redis to be away has its own message, and every way to log in works. With real servers.

use std::time::Duration;

use moderato::limit::{Cause, Limiter, RedisState, Source};
use moderato::redis::RedisSettings;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use crate::limiter::{in_redis, settings};
use crate::limiter_faults::{away, spend, state};
use crate::support::redis::{RedisServer, free_port};

/// Why a limiter with this URL does not reach its Redis, after its first attempt.
async fn cause_of(url: impl Into<String>) -> Option<Cause> {
    let limiter = in_redis(settings(url)).await;
    let acquired = spend(&limiter, 1, 10).await;
    match state(&limiter) {
        RedisState::Away { cause } => {
            assert_eq!(acquired.source, Source::Degraded);
            assert!(cause.message().len() > 10);
            Some(cause)
        }
        RedisState::Up => None,
        RedisState::Partly { .. } => panic!("one Redis has no parts"),
    }
}

async fn works(limiter: &Limiter) {
    assert_eq!(state(limiter), RedisState::Up);
    assert_eq!(spend(limiter, 1, 10).await.source, Source::Redis);
}

#[tokio::test]
async fn nothing_there() {
    assert_eq!(
        cause_of(format!("redis://127.0.0.1:{}", free_port())).await,
        Some(Cause::Refused)
    );
    assert_eq!(cause_of("unix:///nowhere/redis.sock").await, Some(Cause::Refused));
    assert_eq!(cause_of("redis://redis.invalid").await, Some(Cause::Unreachable));
    assert_eq!(
        cause_of(format!("redis+sentinel://127.0.0.1:{}/main", free_port())).await,
        Some(Cause::Refused)
    );
    assert_eq!(
        cause_of(format!("redis+cluster://127.0.0.1:{}", free_port())).await,
        Some(Cause::Refused)
    );
}

#[tokio::test]
async fn not_a_redis() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", listener.local_addr().unwrap());
    let web = tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let _ = client
                .write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
                .await;
            // Kept open: a web server that closes at once would look like a cut.
            std::mem::forget(client);
        }
    });
    assert_eq!(cause_of(url).await, Some(Cause::NotRedis));
    web.abort();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    assert_eq!(
        cause_of(format!("redis://{}", silent.local_addr().unwrap())).await,
        Some(Cause::Timeout)
    );
}

#[tokio::test]
async fn passwords_users_and_permissions() {
    let server = RedisServer::start_with(&["--requirepass", "geheim"]).await;
    let at = |login: &str| format!("redis://{login}127.0.0.1:{}", server.port);
    assert_eq!(cause_of(at("")).await, Some(Cause::WrongPassword));
    assert_eq!(cause_of(at(":falsch@")).await, Some(Cause::WrongPassword));
    assert_eq!(cause_of(at(":geheim@")).await, None);
    let mut redis = redis::Client::open(at(":geheim@")).unwrap().get_connection().unwrap();
    let mut set_user = |name: &str, rules: &str| {
        redis::cmd("ACL")
            .arg("SETUSER")
            .arg(name)
            .arg(rules.split(' ').collect::<Vec<_>>())
            .exec(&mut redis)
            .unwrap();
    };
    // What docs/limits.md and README name, and nothing else.
    set_user("enough", "on >p ~moderato:* +evalsha +eval +time +get +set");
    set_user("no-script", "on >p ~moderato:* +time +get +set");
    set_user("no-set", "on >p ~moderato:* +evalsha +eval +time +get");
    set_user("no-key", "on >p ~other:* +evalsha +eval +time +get +set");
    let limiter = in_redis(settings(at("enough:p@"))).await;
    works(&limiter).await;
    for user in ["no-script", "no-set", "no-key"] {
        assert_eq!(
            cause_of(at(&format!("{user}:p@"))).await,
            Some(Cause::NoPermission),
            "{user}"
        );
    }
    assert_eq!(cause_of(at("nobody:p@")).await, Some(Cause::WrongPassword));
    // A permission that is taken away while it runs.
    set_user("enough", "-set");
    away(&limiter, Cause::NoPermission).await;
}

#[tokio::test]
async fn databases_and_sockets() {
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("redis.sock");
    let server = RedisServer::start_with(&["--unixsocket", socket.to_str().unwrap(), "--databases", "4"]).await;
    let limiter = in_redis(settings(format!("{}/3", server.url()))).await;
    works(&limiter).await;
    let sizes: String = server.ask(&["INFO", "keyspace"]).unwrap();
    assert!(sizes.contains("db3:") && !sizes.contains("db0:"), "{sizes}");
    assert_eq!(cause_of(format!("{}/9", server.url())).await, Some(Cause::NoDatabase));
    works(&in_redis(settings(format!("unix://{}?db=2", socket.display()))).await).await;
}

#[tokio::test]
async fn full() {
    let server = RedisServer::start().await;
    let limiter = in_redis(settings(server.url())).await;
    works(&limiter).await;
    let () = server.ask(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    away(&limiter, Cause::Full).await;
    let () = server.ask(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    crate::limiter_faults::back(&limiter).await;
}

#[tokio::test]
async fn read_only() {
    let (master, replica) = (RedisServer::start().await, RedisServer::start().await);
    let limiter = in_redis(settings(replica.url())).await;
    works(&limiter).await;
    let () = replica
        .ask(&["REPLICAOF", "127.0.0.1", &master.port.to_string()])
        .unwrap();
    away(&limiter, Cause::ReadOnly).await;
    let () = replica.ask(&["REPLICAOF", "NO", "ONE"]).unwrap();
    crate::limiter_faults::back(&limiter).await;
}

#[tokio::test]
async fn too_many_clients_and_no_replica_to_write_to() {
    let server = RedisServer::start().await;
    let mut held = server.connection();
    redis::cmd("CONFIG")
        .arg("SET")
        .arg("maxclients")
        .arg(1)
        .exec(&mut held)
        .unwrap();
    // It says so and closes; what we had sent by then resets the connection, which may overtake its words.
    let cause = cause_of(server.url()).await;
    assert!(matches!(cause, Some(Cause::TooManyClients | Cause::Cut)), "{cause:?}");
    let server = RedisServer::start_with(&["--min-replicas-to-write", "1"]).await;
    assert_eq!(cause_of(server.url()).await, Some(Cause::CannotSave));
}

#[tokio::test]
async fn busy_with_a_script() {
    let server = RedisServer::start_with(&["--busy-reply-threshold", "10"]).await;
    let limiter = in_redis(settings(server.url())).await;
    let mut redis = server.connection();
    let busy = std::thread::spawn(move || redis::cmd("EVAL").arg("while true do end").arg(0).exec(&mut redis));
    away(&limiter, Cause::Busy).await;
    let () = server.ask(&["SCRIPT", "KILL"]).unwrap();
    assert!(busy.join().unwrap().is_err());
    crate::limiter_faults::back(&limiter).await;
}

#[tokio::test]
async fn the_wrong_kind_of_url() {
    let server = RedisServer::start().await;
    assert_eq!(
        cause_of(format!("redis+cluster://127.0.0.1:{}", server.port)).await,
        Some(Cause::WrongKind)
    );
    let sentinel = RedisServer::start_sentinel("").await;
    let url = format!("redis+sentinel://127.0.0.1:{}/nobody", sentinel.port);
    assert_eq!(cause_of(url).await, Some(Cause::NoMaster));
}

#[tokio::test]
async fn tls() {
    // The service does this first thing in `main`.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let authority = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::default();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "an authority of our own");
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let root = params.self_signed(&authority).unwrap();
    let issuer = rcgen::Issuer::new(params, authority);
    let key = rcgen::KeyPair::generate().unwrap();
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate = rcgen::CertificateParams::new(names)
        .unwrap()
        .signed_by(&key, &issuer)
        .unwrap();
    std::fs::write(path("root.pem"), root.pem()).unwrap();
    std::fs::write(path("cert.pem"), certificate.pem()).unwrap();
    std::fs::write(path("key.pem"), key.serialize_pem()).unwrap();
    let port = free_port();
    let server = RedisServer::start_with(&[
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &path("cert.pem"),
        "--tls-key-file",
        &path("key.pem"),
        "--tls-ca-cert-file",
        &path("root.pem"),
        "--tls-auth-clients",
        "yes",
    ])
    .await;
    let url = format!("rediss://127.0.0.1:{port}");
    let identity = Some((certificate.pem().into_bytes(), key.serialize_pem().into_bytes()));
    let roots = Some(root.pem().into_bytes());
    let settings = RedisSettings {
        tls_roots: roots,
        tls_identity: identity,
        ..settings(&url)
    };
    // A handshake takes longer than a take.
    let settings = RedisSettings {
        connect_timeout: Duration::from_secs(5),
        ..settings
    };
    works(&in_redis(settings).await).await;
    assert_eq!(cause_of(&url).await, Some(Cause::Tls), "an authority that nobody knows");
    // A plain Redis takes the handshake for the beginning of a command and waits for the rest.
    assert_eq!(
        cause_of(format!("rediss://127.0.0.1:{}", server.port)).await,
        Some(Cause::Timeout),
        "no TLS there"
    );
    assert_eq!(
        cause_of(format!("redis://127.0.0.1:{port}")).await,
        Some(Cause::Cut),
        "only TLS there"
    );
}
