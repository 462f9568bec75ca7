//! A caller that costs next to nothing: HTTP/2 frames written and read by hand, so that on shared cores it is the
//! server that has too much to do. It knows no more of HTTP/2 (RFC 9113) than a server of ours says to well-formed
//! calls.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::io;
use std::time::{Duration, Instant};

use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::load::{CONNECTIONS, request};

const DATA: u8 = 0x0;
const HEADERS: u8 = 0x1;
const RST_STREAM: u8 = 0x3;
const SETTINGS: u8 = 0x4;
const PING: u8 = 0x6;
const GOAWAY: u8 = 0x7;
const WINDOW_UPDATE: u8 = 0x8;
/// On DATA and HEADERS. On SETTINGS and PING the same bit means an acknowledgement.
const END_STREAM: u8 = 0x1;
const ACK: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const FRAME_HEAD: usize = 9;

/// How often calls are made that are due.
const TICK: Duration = Duration::from_millis(1);

/// How long the n-th caller that was turned away rests: as the server's `RetryInfo` says, between 100 and 200 ms,
/// spread over them.
fn rest(n: u32) -> Duration {
    Duration::from_millis(100) + Duration::from_micros((u64::from(n.wrapping_mul(0x9e37_79b1) >> 16) * 100_000) >> 16)
}

/// What became of a flood.
#[derive(Default)]
pub(crate) struct Flood {
    /// How long answers took, at the caller's side, in µs, sorted.
    pub(crate) answered: Vec<u32>,
    /// How long refusals took.
    pub(crate) refused: Vec<u32>,
}

/// Calls by so many callers at once for some seconds. A caller that is answered calls again at once; one that is turned
/// away rests as it is told.
pub(crate) async fn flood(address: &str, callers: usize, seconds: u32) -> Flood {
    let mut connections = JoinSet::new();
    for n in 0..CONNECTIONS {
        let caller = Connection {
            stream: TcpStream::connect(address).await.expect("the server is there"),
            head: head(address),
            next_id: 1,
            // Nobody else's, so that nobody meets a limit.
            author: 1 << 26 | n << 22,
            calls: HashMap::new(),
            resting: BinaryHeap::new(),
            is_open: false,
            out: Vec::new(),
            messages: Vec::new(),
            flood: Flood::default(),
        };
        connections.spawn(caller.run(callers / CONNECTIONS, Duration::from_secs(seconds.into())));
    }
    let mut all = Flood::default();
    for flood in connections.join_all().await {
        all.answered.extend(flood.answered);
        all.refused.extend(flood.refused);
    }
    all.answered.sort_unstable();
    all.refused.sort_unstable();
    all
}

/// One connection.
struct Connection {
    stream: TcpStream,
    head: Vec<u8>,
    next_id: u32,
    author: usize,
    /// Those under way, by stream.
    calls: HashMap<u32, Call>,
    /// When callers that were turned away come again, soonest first.
    resting: BinaryHeap<Reverse<Instant>>,
    /// The server has said what it takes at once.
    is_open: bool,
    /// What is to be written.
    out: Vec<u8>,
    /// What is to be written after that: heads go before messages, as clients do it that have many calls to make.
    messages: Vec<u8>,
    flood: Flood,
}

/// A call under way.
struct Call {
    began: Instant,
    /// Its answer has a head of its own, which a refusal has not.
    answered: bool,
}

impl Connection {
    async fn run(mut self, callers: usize, length: Duration) -> Flood {
        self.stream.set_nodelay(true).expect("it is open");
        self.out.extend_from_slice(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        frame(&mut self.out, SETTINGS, 0, 0, &[]);
        // As much as there may be, and never asked for again: answers are small.
        frame(&mut self.out, WINDOW_UPDATE, 0, 0, &0x3fff_0000_u32.to_be_bytes());
        let mut input = Vec::with_capacity(1 << 16);
        while !self.is_open {
            self.write().await;
            let n = self.stream.read_buf(&mut input).await;
            self.read(n, &mut input);
        }
        let mut ticks = tokio::time::interval(TICK);
        let start = Instant::now();
        let callers_come = (0..).map(|n| Reverse(start + rest(n)));
        self.resting.extend(callers_come.take(callers));
        while start.elapsed() < length || !self.calls.is_empty() {
            let goes_on = start.elapsed() < length;
            // Callers that are neither calling nor resting were answered: they call again.
            let free = callers - self.calls.len() - self.resting.len();
            for _ in 0..free * usize::from(goes_on) {
                self.call();
            }
            while goes_on && self.resting.peek().is_some_and(|Reverse(at)| *at <= Instant::now()) {
                self.resting.pop();
                self.call();
            }
            // Out here, because a write that the other branch overtook would be begun again.
            self.write().await;
            tokio::select! {
                _ = ticks.tick() => {}
                n = self.stream.read_buf(&mut input) => self.read(n, &mut input),
            }
        }
        self.flood
    }

    /// Takes note of what was read.
    fn read(&mut self, n: io::Result<usize>, input: &mut Vec<u8>) {
        assert!(n.expect("the server answers") > 0, "the server hung up");
        let mut rest = &**input;
        while let Some((head, payload, after)) = take_frame(rest) {
            rest = after;
            self.heard(head, payload);
        }
        let read = input.len() - rest.len();
        input.drain(..read);
    }

    async fn write(&mut self) {
        for part in [&mut self.out, &mut self.messages] {
            self.stream.write_all(part).await.expect("the server reads");
            part.clear();
        }
    }

    fn call(&mut self) {
        let (began, answered) = (Instant::now(), false);
        frame(&mut self.out, HEADERS, END_HEADERS, self.next_id, &self.head);
        frame(
            &mut self.messages,
            DATA,
            END_STREAM,
            self.next_id,
            &message(self.author),
        );
        self.calls.insert(self.next_id, Call { began, answered });
        self.next_id += 2;
        self.author += 1;
    }

    fn heard(&mut self, FrameHead { kind, flags, id }: FrameHead, payload: &[u8]) {
        assert!(
            kind != GOAWAY,
            "the server sends us away: {:?}",
            String::from_utf8_lossy(payload)
        );
        match kind {
            SETTINGS if flags & ACK == 0 => frame(&mut self.out, SETTINGS, ACK, 0, &[]),
            // Comes with the settings: room for more than all the messages that can be under way on one connection.
            WINDOW_UPDATE if id == 0 => self.is_open = true,
            PING if flags & ACK == 0 => frame(&mut self.out, PING, ACK, 0, payload),
            HEADERS if flags & END_STREAM == 0 => self.calls.get_mut(&id).expect("a call of ours").answered = true,
            HEADERS => {
                let call = self.calls.remove(&id).expect("a call of ours");
                let micros = u32::try_from(call.began.elapsed().as_micros()).unwrap_or(u32::MAX);
                if call.answered {
                    self.flood.answered.push(micros);
                } else {
                    self.flood.refused.push(micros);
                    self.resting.push(Reverse(Instant::now() + rest(id)));
                }
            }
            // What comes behind a refusal asks to send no more of the message, which is sent.
            RST_STREAM => assert!(!self.calls.contains_key(&id), "a call was cut"),
            _ => {}
        }
    }
}

/// The fields of a call's head, in HPACK (RFC 7541): from the static table where they stand in it, else as literals
/// that are not remembered.
fn head(address: &str) -> Vec<u8> {
    let mut head = vec![0x83, 0x86];
    let mut literal = |name: &[u8], value: &str| {
        head.extend_from_slice(name);
        head.push(u8::try_from(value.len()).expect("shorter than 127"));
        head.extend_from_slice(value.as_bytes());
    };
    literal(&[0x04], "/moderato.v1.ModerationService/Moderate");
    literal(&[0x01], address);
    literal(&[0x0f, 0x10], "application/grpc");
    literal(b"\x00\x02te", "trailers");
    head
}

/// A comment as gRPC frames it: not compressed, its length, itself.
fn message(author: usize) -> Vec<u8> {
    let message = request(author).encode_to_vec();
    let length = u32::try_from(message.len()).expect("short");
    [&[0], &length.to_be_bytes()[..], &message].concat()
}

fn frame(out: &mut Vec<u8>, kind: u8, flags: u8, id: u32, payload: &[u8]) {
    let length = u32::try_from(payload.len()).expect("short").to_be_bytes();
    out.extend_from_slice(&length[1..]);
    out.extend_from_slice(&[kind, flags]);
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(payload);
}

struct FrameHead {
    kind: u8,
    flags: u8,
    /// Of the stream.
    id: u32,
}

/// The first frame, if all of it is there: its head, its payload, and what comes after it.
fn take_frame(input: &[u8]) -> Option<(FrameHead, &[u8], &[u8])> {
    let (head, rest) = input.split_at_checked(FRAME_HEAD)?;
    let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
    let id = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
    let (payload, after) = rest.split_at_checked(length)?;
    let (kind, flags) = (head[3], head[4]);
    Some((FrameHead { kind, flags, id }, payload, after))
}
