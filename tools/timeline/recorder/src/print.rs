//! What the listing prints.

use crate::writer;
use std::fmt::Arguments;
use timeline::log::Event;

/// Prints as `std::print!` does, and logs the text with the line of the listing.
pub fn print(line: u32, text: Arguments<'_>) {
    let text = text.to_string();
    std::print!("{text}");
    if writer::is_recorded_here() {
        writer::write(Event::Printed { line, text });
    }
}
