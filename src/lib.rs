//! moderato judges the comments that readers leave under articles: approve, hold or reject, with the reasons.
//!
//! # The design in five sentences
//!
//! A request is translated into typed facts, its text is scored by a model, **one pure function** judges all evidence,
//! and the judgment is translated back. Everything uncertain (network, disk, clock, other people's bytes) stands at the
//! edge; everything interesting (text, scoring, calibration, policy, the arithmetic of limits) is pure, synchronous,
//! and cannot fail. A failure at the edge becomes a *fact* ("Redis did not answer", "there is no model") that the judge
//! is told; it never changes the flow. Each request works on one snapshot of the policy and one of the model. A
//! protocol translates and does nothing else.
//!
//! `docs/design.md` tells how a comment becomes a probability, how a quota is exact, and why.
//!
//! # The path of one comment
//!
//! [`api::grpc`] reads the request and wraps what is personal → [`pipeline::moderate`] takes the snapshots →
//! [`signals`] looks at the form, the links and the lists → [`limit`] counts the author under a pseudonym that
//! [`privacy`] made; only this, and the look-up of an earlier decision, can wait on the network → [`model`] scores the
//! text, after the wait so that little is held meanwhile, or before it where a request id is remembered with its score
//! → [`policy::decide`] judges → [`feedback`] and [`statistics`] record → and back.
//!
//! # The rooms, bottom first: a room imports only what stands above it in this list
//!
//! The vocabulary:
//! - [`sensitive`]: a wrapper for what must never be published.
//! - [`verdict`]: verdicts, reasons, decisions.
//! - [`clock`]: the only reader of time.
//! - [`comment`]: a comment to judge, and one to learn from.
//!
//! The pure core, without IO, clock, tasks or logging:
//! - [`text`]: a comment as terms, and its words and links as a reader sees them.
//! - [`site`]: a publication, the policy it judges by, and its lists.
//! - [`record`]: what is remembered of a decision, and what people said about it.
//! - [`model`]: one naive Bayes for each view of a comment, fused to one calibrated probability.
//! - [`eval`]: how good a model is, how sure that is, and which threshold keeps a promise.
//! - [`report`]: an evaluation as text, JSON and HTML.
//! - [`signals`]: observations that need no model.
//! - [`policy`]: the judge.
//!
//! Adapters, each of which knows one outside thing:
//! - [`privacy`]: keyed pseudonyms.
//! - [`redis`]: one way to a Redis: its URL, TLS, sentinels and clusters, a circuit breaker, batches.
//! - [`limit`]: quotas, in memory and in Redis.
//! - [`artifact`]: models as files, their versions in a directory, and the one at work.
//! - [`import`]: exports of past moderation as labeled comments.
//! - [`train`]: from labeled comments to a model; the only user of linfa.
//! - [`statistics`]: counts of decisions, by site and day.
//! - [`feedback`]: the store of decisions and of labels, in files and in Redis.
//! - [`telemetry`]: logs and metrics, and what may not be in them.
//!
//! The service:
//! - [`operations`]: what is done beside judging: policies, models, labels, counts, the state of the service.
//! - [`pipeline`]: takes a submission through the stations of judging.
//! - [`transport`]: connections and the calls on them: keys, overload, refusals, draining.
//! - [`api`]: gRPC, and the operators' listener.
//! - [`config`]: file, environment and flags, checked and resolved.
//! - [`server`]: composes the service, and runs it.
//! - [`cli`]: one file for each subcommand.
//!
//! # Invariants
//!
//! Each is enforced by a test in `tests/it/architecture.rs` or by a property test beside the code.
//!
//! 1. Arrows point down; no two rooms import each other; each outside library has one home.
//! 2. No name, e-mail address, network address or text of a reader in a log, metric, key, error or model.
//! 3. More spam probability never gives a milder verdict; thin evidence never rejects; being trusted never harms.
//! 4. A quota grants at most `burst + ⌊rate · t⌋` in any window t; a refused comment spends nothing.
//! 5. What explains a score is what made it: base and contributions add up to the log-odds.
//!
//! Deliberately absent: global state; async in the core; traits with one implementation; retries in the path of a
//! request; an error type for the whole crate; a way to destroy a comment.

pub mod api;
pub mod artifact;
pub mod cli;
pub mod clock;
pub mod comment;
pub mod config;
pub mod eval;
pub mod feedback;
pub mod import;
pub mod limit;
pub mod model;
pub mod operations;
pub mod pipeline;
pub mod policy;
pub mod privacy;
pub mod record;
pub mod redis;
pub mod report;
pub mod sensitive;
pub mod server;
pub mod signals;
pub mod site;
pub mod statistics;
pub mod telemetry;
pub mod text;
pub mod train;
pub mod transport;
pub mod verdict;
