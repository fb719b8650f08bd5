//! `decode` returns None only if it needs more bytes, and `decode_eof` notices a torn frame by the bytes that are left.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io;
use tokio_util::codec::{Decoder, Encoder};

/// The longest frame, without its length.
pub const MOST: usize = 64 * 1024;

#[derive(Debug, Default)]
pub struct Frames {}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Bytes>> {
        // The length stays in `source` until its frame is whole.
        while let Some(header) = source.first_chunk() {
            let length = checked(u32::from_be_bytes(*header) as usize)?;
            if source.len() < 4 + length {
                source.reserve(4 + length - source.len());
                return Ok(None);
            }
            source.advance(4);
            if length > 0 {
                return Ok(Some(source.split_to(length).freeze()));
            }
        }
        Ok(None)
    }
}

fn checked(length: usize) -> io::Result<usize> {
    match length <= MOST {
        true => Ok(length),
        false => Err(io::Error::other("the frame is too long")),
    }
}

impl Encoder<Bytes> for Frames {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, target: &mut BytesMut) -> io::Result<()> {
        target.put_u32(checked(frame.len())? as u32);
        target.put(frame);
        Ok(())
    }
}
