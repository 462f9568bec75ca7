//! Learns a [`SpamModel`](crate::model::SpamModel) from labelled comments.
//!
//! A pure function of the comments, the parameters and the seed: it reads no clock and draws no random number that the
//! seed does not decide. It must never let a comment be judged, in anything that is fitted or published, by a model
//! that has seen the comment or a near-duplicate of it. Start reading at [`train`].

pub mod corpus;
mod group;
pub mod split;
