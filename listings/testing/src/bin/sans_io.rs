//! Test a protocol without I/O at every split.

// ANCHOR: decoder
/// Decodes orders from bytes in any number of pieces. It has no socket,
/// no clock, and no `async`, because its caller reads the bytes.
#[derive(Default)]
struct Decoder {
    bytes: Vec<u8>,
    /// Where the next order starts, and how far it has been searched.
    start: usize,
    searched: usize,
}

/// The longest order that's accepted, in bytes.
const LONGEST: usize = 1024;

/// Why the bytes aren't an order. After it, close the connection.
#[derive(Debug, PartialEq)]
enum Refused {
    TooLong,
    NotText,
}
// ANCHOR_END: decoder

// ANCHOR: next
impl Decoder {
    fn feed(&mut self, piece: &[u8]) {
        // Moves the bytes once per piece, not once per order.
        self.bytes.drain(..self.start);
        self.searched -= std::mem::take(&mut self.start);
        self.bytes.extend_from_slice(piece);
    }

    /// The next whole order, or `None` if more bytes are needed.
    fn next(&mut self) -> Result<Option<String>, Refused> {
        let new = &self.bytes[self.searched..];
        let found = new.iter().position(|byte| *byte == b'\n');
        let end = self.searched + found.unwrap_or(new.len());
        if end - self.start > LONGEST {
            return Err(Refused::TooLong);
        }
        self.searched = end;
        if found.is_none() {
            return Ok(None);
        }
        let order = self.bytes[self.start..end].to_vec();
        let order = String::from_utf8(order);
        let order = order.map_err(|_| Refused::NotText)?;
        (self.start, self.searched) = (end + 1, end + 1);
        Ok(Some(order))
    }

    /// After `next` has returned `None`: whether an order has started.
    /// If the stream ends now, that order was cut off.
    fn has_started(&self) -> bool {
        self.start < self.bytes.len()
    }
}
// ANCHOR_END: next

// ANCHOR: splits
/// Cuts the bytes of two orders at every position, and decodes both
/// pieces. Returns the number of cuts.
fn cut_everywhere() -> Result<usize, Vec<String>> {
    let bytes = "order 17\nlatté 18\n".as_bytes();
    for cut in 0..=bytes.len() {
        let mut decoder = Decoder::default();
        let mut orders = Vec::new();
        for piece in [&bytes[..cut], &bytes[cut..]] {
            decoder.feed(piece);
            while let Ok(Some(order)) = decoder.next() {
                orders.push(order);
            }
        }
        if orders != ["order 17", "latté 18"] {
            return Err(orders);
        }
    }
    Ok(bytes.len() + 1)
}
// ANCHOR_END: splits

fn main() {
    match cut_everywhere() {
        Ok(cuts) => println!("two orders after each of {cuts} cuts"),
        Err(orders) => println!("decoded: {orders:?}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_no_cut_matters_not_even_within_a_letter() {
        assert_eq!(cut_everywhere(), Ok(20));
    }

    fn next_of(bytes: &[u8]) -> Result<Option<String>, Refused> {
        let mut decoder = Decoder::default();
        decoder.feed(bytes);
        decoder.next()
    }

    #[test]
    fn edges_of_an_order() {
        assert_eq!(next_of(b""), Ok(None));
        assert_eq!(next_of(b"\n"), Ok(Some(String::new())));
        assert_eq!(next_of(b"order 1"), Ok(None), "half of one");
        let longest = [&[b'x'; LONGEST][..], b"\n"].concat();
        assert!(next_of(&longest).is_ok_and(|it| it.is_some()));
    }

    #[test]
    fn edges_of_the_end_between_two_orders_or_within_one() {
        let bytes = "order 17\nlatté 18\n".as_bytes();
        for cut in 0..=bytes.len() {
            let mut decoder = Decoder::default();
            decoder.feed(&bytes[..cut]);
            while let Ok(Some(_)) = decoder.next() {}
            let is_whole =
                matches!(bytes[..cut].last(), None | Some(b'\n'));
            assert_eq!(decoder.has_started(), !is_whole, "{cut}");
        }
    }

    #[test]
    fn failure_stays_a_failure() {
        for (bytes, refused) in [
            (vec![b'x'; LONGEST + 1], Refused::TooLong),
            (b"caf\xe9\norder 1\n".to_vec(), Refused::NotText),
        ] {
            let mut decoder = Decoder::default();
            decoder.feed(&bytes);
            assert_eq!(decoder.next().as_ref(), Err(&refused));
            decoder.feed(b"\norder 2\n");
            assert_eq!(decoder.next(), Err(refused));
        }
    }

    #[test]
    fn slow_peer_one_byte_at_a_time_costs_no_memory() {
        let mut decoder = Decoder::default();
        for number in 0..1000 {
            let order = format!("order {number}");
            for byte in order.bytes() {
                decoder.feed(&[byte]);
                // No byte is searched twice.
                assert_eq!(decoder.searched + 1, decoder.bytes.len());
                assert_eq!(decoder.next(), Ok(None));
            }
            decoder.feed(b"\n");
            assert_eq!(decoder.next(), Ok(Some(order)));
        }
        assert!(decoder.bytes.capacity() <= LONGEST);
    }

    #[test]
    fn overload_many_orders_in_one_piece_are_decoded_in_one_pass() {
        let bytes = b"order 1\n".repeat(100_000);
        let mut decoder = Decoder::default();
        decoder.feed(&bytes);
        let mut orders = 0;
        while let Ok(Some(_)) = decoder.next() {
            orders += 1;
        }
        assert_eq!(orders, 100_000);
        decoder.feed(b"");
        assert!(decoder.bytes.is_empty());
    }
}
