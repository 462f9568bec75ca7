//! What the tests start: the real command as a process, and a harness inside the test with a clock that stands still.

pub(crate) mod cluster;
pub(crate) mod eventually;
pub(crate) mod harness;
pub(crate) mod home;
pub(crate) mod pki;
pub(crate) mod process;
pub(crate) mod proxy;
pub(crate) mod redis;
pub(crate) mod slow;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use moderato::api::grpc::proto::{Comment, ModerateRequest};

/// A text that nobody would object to, whatever model is shipped: long enough to be read, about nothing that is sold.
pub(crate) const PLAIN: &str = "I walked past the new bridge today and it is lovely.";

/// A submission that any site would accept: a full form, a public address, a harmless text.
pub(crate) fn request(content: &str) -> ModerateRequest {
    ModerateRequest {
        site: "gazette".to_owned(),
        comment: Some(Comment {
            content: content.to_owned(),
            author_name: "Ann Reader".to_owned(),
            author_email: "ann@example.org".to_owned(),
            author_ip: "203.0.113.7".to_owned(),
            ..Comment::default()
        }),
        ..ModerateRequest::default()
    }
}

/// The same with the comment changed.
pub(crate) fn request_with(change: impl FnOnce(&mut Comment)) -> ModerateRequest {
    let mut request = request(PLAIN);
    change(request.comment.as_mut().unwrap());
    request
}

/// The codes of an answer's reasons.
pub(crate) fn codes(response: &moderato::api::grpc::proto::ModerateResponse) -> Vec<&str> {
    response.reasons.iter().map(|reason| reason.code.as_str()).collect()
}

/// What an HTTP server answers to a GET, with the head.
pub(crate) async fn http_get(address: &str, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// Whether the long tests were asked for.
pub(crate) fn is_long() -> bool {
    std::env::var_os("MODERATO_LONG").is_some()
}
