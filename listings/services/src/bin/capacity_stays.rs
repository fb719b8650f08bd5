//! Empty collections and small slices that keep the memory of a burst.

use std::collections::HashMap;

use bytes::Bytes;

type Order = [u8; 64];

const ORDERS: usize = 100_000;

// ANCHOR: stays
fn vector() {
    let mut orders: Vec<Order> = vec![[0; 64]; ORDERS];
    orders.clear();
    println!("an empty Vec has room for {}", orders.capacity());
    orders.shrink_to_fit();
    println!("after `shrink_to_fit`: {}", orders.capacity());
}

fn map() {
    let mut orders: HashMap<usize, Order> = HashMap::new();
    orders.extend((0..ORDERS).map(|number| (number, [0; 64])));
    orders.retain(|number, _| *number == 7);
    let large = orders.capacity() > ORDERS / 2;
    println!("a map of one order has room for 50000: {large}");
    orders.shrink_to_fit();
    println!("after `shrink_to_fit`: {}", orders.capacity());
}

fn body() {
    let body = Bytes::from_owner(Body([7; 4096])); // A body of 4 KiB.
    let name = body.slice(..10);
    drop(body);
    println!("a slice of {} bytes is kept", name.len());
    let copy = Bytes::copy_from_slice(&name);
    drop(name);
    println!("a copy of {} bytes is kept", copy.len());
}
// ANCHOR_END: stays

/// The body of a request, which says when it's freed.
struct Body([u8; 4096]);

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        println!("the body is freed");
    }
}

fn main() {
    vector();
    map();
    body();
}
