//! A protocol that knows no network, tested at each split.

// ANCHOR: decoder
/// Takes bytes as they come, and gives orders. No socket, no clock,
/// no `async`: who reads the bytes is not its business.
#[derive(Default)]
struct Decoder {
    rest: Vec<u8>,
}

impl Decoder {
    fn take(&mut self, bytes: &[u8]) {
        self.rest.extend_from_slice(bytes);
    }

    /// The next whole order, or `None` until more bytes come.
    fn next(&mut self) -> Option<String> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<_> = self.rest.drain(..=end).collect();
        Some(String::from_utf8_lossy(&line[..end]).into_owned())
    }
}
// ANCHOR_END: decoder

// ANCHOR: splits
/// Cuts two orders in two at each place, and decodes the pieces.
/// Returns how many cuts there were.
fn cut_everywhere() -> Result<usize, Vec<String>> {
    let bytes = b"order 17\norder 18\n";
    for cut in 0..=bytes.len() {
        let mut decoder = Decoder::default();
        let mut orders = Vec::new();
        for piece in [&bytes[..cut], &bytes[cut..]] {
            decoder.take(piece);
            orders.extend(std::iter::from_fn(|| decoder.next()));
        }
        if orders != ["order 17", "order 18"] {
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
    fn no_cut_matters() {
        assert_eq!(cut_everywhere(), Ok(19));
    }

    #[test]
    fn half_an_order_is_none() {
        let mut decoder = Decoder::default();
        decoder.take(b"order 1");
        assert_eq!(decoder.next(), None);
    }
}
