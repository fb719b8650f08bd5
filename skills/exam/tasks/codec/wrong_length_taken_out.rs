//! Fails: a_sign_of_life_holds_nothing_up, an_end_inside_a_frame_is_an_error
//! After its length is taken out, a torn frame leaves an empty buffer, which `decode_eof` takes for a proper end.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use std::io;
use tokio_util::codec::{Decoder, Encoder};

/// The longest frame, without its length.
pub const MOST: usize = 64 * 1024;

#[derive(Debug, Default)]
pub struct Frames {
    /// The length of the frame whose bytes are awaited.
    length: Option<usize>,
}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Bytes>> {
        let length = match self.length.take() {
            Some(length) => length,
            None if source.len() < 4 => return Ok(None),
            None => source.get_u32() as usize,
        };
        if length > MOST {
            return Err(io::Error::other("the frame is too long"));
        }
        if length == 0 {
            return Ok(None);
        }
        if source.len() < length {
            source.reserve(length - source.len());
            self.length = Some(length);
            return Ok(None);
        }
        Ok(Some(source.split_to(length).freeze()))
    }
}

impl Encoder<Bytes> for Frames {
    type Error = io::Error;

    fn encode(&mut self, frame: Bytes, target: &mut BytesMut) -> io::Result<()> {
        if frame.len() > MOST {
            return Err(io::Error::other("the frame is too long"));
        }
        target.put_u32(frame.len() as u32);
        target.put(frame);
        Ok(())
    }
}
