//! Signatures as the Standard Webhooks specification has them: a
//! receiver checks that an event is courier's, and that it's recent.

use std::{str::FromStr, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

pub use crate::event::Secret;

/// Why a text isn't a [`Secret`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a secret is `whsec_` and the base64 form of 24 to 64 random bytes"
)]
pub struct BadSecret;

/// Why a receiver should refuse a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSignature {
    /// It may be an old request that somebody sends again.
    #[error("the timestamp is missing, too old, or in the future")]
    Timestamp,
    /// It's from somebody who doesn't have the secret, or was changed.
    #[error("no signature fits")]
    Signature,
}

const PREFIX: &str = "whsec_";
const VERSION: &str = "v1,";

impl Secret {
    /// A new one: 32 bytes from the operating system.
    ///
    /// # Errors
    ///
    /// The operating system has no random bytes.
    pub fn generate() -> std::io::Result<Self> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(Bytes::copy_from_slice(&bytes)))
    }

    /// Its text, which only its owner should see: `whsec_<base64>`.
    pub fn expose(&self) -> String {
        format!("{PREFIX}{}", BASE64_STANDARD.encode(&self.0))
    }
}

impl FromStr for Secret {
    type Err = BadSecret;

    fn from_str(text: &str) -> Result<Self, BadSecret> {
        let text = text.strip_prefix(PREFIX).ok_or(BadSecret)?;
        let bytes =
            BASE64_STANDARD.decode(text).map_err(|_| BadSecret)?;
        match bytes.len() {
            24..=64 => Ok(Self(bytes.into())),
            _ => Err(BadSecret),
        }
    }
}

/// The value of the header `webhook-signature`. The timestamp is in
/// seconds since 1970.
pub fn sign(
    secret: &Secret,
    id: &str,
    timestamp: u64,
    body: &[u8],
) -> String {
    let mac = mac(secret, id, timestamp, body).finalize().into_bytes();
    format!("{VERSION}{}", BASE64_STANDARD.encode(mac))
}

/// Checks the three headers of a request, in constant time. `now` is
/// in seconds since 1970; the specification suggests a tolerance of
/// five minutes. Because an event may arrive twice, remember its id
/// as well.
///
/// # Errors
///
/// [`BadSignature`] says why the request must be refused.
// ANCHOR: verify
pub fn verify(
    secret: &Secret,
    [id, timestamp, signatures]: [&str; 3],
    body: &[u8],
    now: u64,
    tolerance: Duration,
) -> Result<(), BadSignature> {
    let timestamp =
        timestamp.parse().map_err(|_| BadSignature::Timestamp)?;
    if now.abs_diff(timestamp) > tolerance.as_secs() {
        return Err(BadSignature::Timestamp);
    }
    let mac = mac(secret, id, timestamp, body);
    // There are several signatures while a secret is being replaced.
    let fits = signatures.split(' ').any(|signature| {
        let text = signature.strip_prefix(VERSION).unwrap_or_default();
        let decoded = BASE64_STANDARD.decode(text);
        decoded.is_ok_and(|it| mac.clone().verify_slice(&it).is_ok())
    });
    if fits { Ok(()) } else { Err(BadSignature::Signature) }
}
// ANCHOR_END: verify

fn mac(
    secret: &Secret,
    id: &str,
    timestamp: u64,
    body: &[u8],
) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0)
        .expect("HMAC takes keys of any length");
    mac.update(format!("{id}.{timestamp}.").as_bytes());
    mac.update(body);
    mac
}
