//! Fails: an_end_inside_a_frame_is_an_error
//! Tokio's codec takes the length out of the buffer, so the end of the stream right after a length is a proper end to it.

use bytes::{BufMut, Bytes, BytesMut};
use std::io;
use tokio_util::codec::{Decoder, Encoder, LengthDelimitedCodec};

/// The longest frame, without its length.
pub const MOST: usize = 64 * 1024;

#[derive(Debug)]
pub struct Frames {
    codec: LengthDelimitedCodec,
}

impl Default for Frames {
    fn default() -> Self {
        let mut codec = LengthDelimitedCodec::new();
        codec.set_max_frame_length(MOST);
        Frames { codec }
    }
}

impl Decoder for Frames {
    type Item = Bytes;
    type Error = io::Error;

    fn decode(&mut self, source: &mut BytesMut) -> io::Result<Option<Bytes>> {
        while let Some(frame) = self.codec.decode(source)? {
            if !frame.is_empty() {
                return Ok(Some(frame.freeze()));
            }
        }
        Ok(None)
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
